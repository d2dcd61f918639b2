"""Owns the figures of a text model's card.json: recomputes them from the committed files on the committed report rows.

SCRIPT            prints what it measures beside the card, exits 1 if they differ
SCRIPT --write    puts the figures, validation-scores.csv.gz and CARD.md in place
--folder DIR takes the files from there (vocab.txt included). --latency NAME ... times only these variants anew, for a quiet machine.
--float DIR adds each encoder's accuracy before quantization. Edge files are measured in the worker's engine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from .calibration import figures, softmax
from .card import render
from .text_data import TextTask, read_rows
from .text_variants import NAMES, Variants, write_gz


def main(task: TextTask, split: str, outside_parts: dict[str, int] | None = None) -> None:
    """`outside_parts`: how many out-of-scope rows of each kind stand at the end of the report rows, in order; recall is given for each."""
    a = task.arguments()
    a.add_argument("--folder", type=Path, default=task.folder)
    a.add_argument("--write", action="store_true")
    a.add_argument("--float", type=Path)
    a.add_argument("--latency", nargs="*", default=NAMES, choices=NAMES)
    args = a.parse_args()
    card = json.loads((args.folder / "card.json").read_text(encoding="utf-8"))
    rows = read_rows(task.folder / "validation.csv.gz", "text", "intent")
    labels, oos = card["labels"], card["labels"].index(card["out_of_scope_label"])
    texts, gold = [t for t, _ in rows], np.array([labels.index(n) for _, n in rows])
    max_chars = card["input"]["max_chars"]
    variants = Variants(args.folder, max_chars)
    floats = Variants(args.float, max_chars) if args.float else None
    logits = {n: variants.logits(n, texts) for n in NAMES}
    reference = logits[card["reference_variant"]].argmax(1)
    scores: list[list[object]] = [["row", "label"] + [f"{n}_{c}" for n in NAMES for c in ("predicted", "confidence")]]
    scores += [[i, name] for i, (_, name) in enumerate(rows)]
    same = True
    for n in NAMES:
        v = card["variants"][n]
        t = v["calibration"]["temperature"]
        measured: dict = figures(logits[n], gold, oos, t) | {"agreement": round(float((logits[n].argmax(1) == reference).mean()), 4), "split": split}
        start = len(rows) - sum((outside_parts or {}).values())
        for kind, count in (outside_parts or {}).items():
            measured[f"oos_recall_{kind}"] = round(float((logits[n][start : start + count].argmax(1) == oos).mean()), 4)
            start += count
        if floats and n in floats.sessions:
            measured["accuracy_float"] = figures(floats.logits(n, texts), gold, oos)["accuracy"]
        elif "accuracy_float" in v["metrics"]:
            measured["accuracy_float"] = v["metrics"]["accuracy_float"]
        print(n, json.dumps(measured))
        if not args.write and any(abs(measured[k] - x) > 0.002 for k, x in v["metrics"].items() if isinstance(x, float)):
            print(f"  differs from the card: {json.dumps(v['metrics'])}")
            same = False
        p = softmax(logits[n], t)
        for i, row in enumerate(p):
            scores[i + 1] += [labels[int(row.argmax())], f"{row.max():.6f}"]
        if args.write:
            v["metrics"] = measured
            if n in args.latency or v["latency_ms"] is None:
                v["latency_ms"] = variants.latency_ms(n, texts[::6])
    if args.write:
        (args.folder / "CARD.md").write_text(render(card), encoding="utf-8")
        write_gz(args.folder / "validation-scores.csv.gz", scores)
        (args.folder / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.exit(0 if same else 1)
