"""Owns the figures of card.json: recomputes them from the committed files on the committed validation rows.

python models/intent/evaluate.py            prints what it measures beside the card, exits 1 if they differ
python models/intent/evaluate.py --write    puts the figures, validation-scores.csv.gz and CARD.md in place
--micro-latency JSON takes what `node test/bench/engine-latency.ts models/intent/micro.hyb` printed.
--float DIR adds each encoder's accuracy before quantization, from float32 files of the same names in DIR.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import platform
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.variants import NAMES, Variants  # noqa: E402
from lib.calibration import figures, softmax  # noqa: E402
from lib.card import render  # noqa: E402

HERE = Path(__file__).resolve().parent
SPLIT = "CLINC150 val + oos_val"


def write_gz(path: Path, rows: list[list[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as f:
        f.write(text.getvalue().encode("utf-8"))


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--folder", type=Path, default=HERE)
    a.add_argument("--write", action="store_true")
    a.add_argument("--float", type=Path)
    a.add_argument("--micro-latency", type=json.loads)
    args = a.parse_args()
    card = json.loads((args.folder / "card.json").read_text(encoding="utf-8"))
    with gzip.open(HERE / "validation.csv.gz", "rt", encoding="utf-8", newline="") as f:
        rows = [(r["text"], r["intent"]) for r in csv.DictReader(f)]
    labels, oos = card["labels"], card["labels"].index(card["out_of_scope_label"])
    texts, gold = [t for t, _ in rows], np.array([labels.index(n) for _, n in rows])
    variants = Variants(args.folder)
    floats = Variants(args.float) if args.float else None
    logits = {n: variants.logits(n, texts) for n in NAMES}
    reference = logits[card["reference_variant"]].argmax(1)
    scores: list[list[object]] = [["row", "label"] + [f"{n}_{c}" for n in NAMES for c in ("predicted", "confidence")]]
    scores += [[i, name] for i, (_, name) in enumerate(rows)]
    same = True
    for n in NAMES:
        v = card["variants"][n]
        t = v["calibration"]["temperature"]
        measured = figures(logits[n], gold, oos, t) | {"agreement": round(float((logits[n].argmax(1) == reference).mean()), 4), "split": SPLIT}
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
            if n == "micro":
                v["latency_ms"] = args.micro_latency or v["latency_ms"]
            else:
                v["latency_ms"] = variants.latency_ms(n, texts[::6]) | {"where": f"onnxruntime, one thread, batch 1, tokenizing included, {platform.machine()}, shared cores"}
    if args.write:
        (args.folder / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (args.folder / "CARD.md").write_text(render(card), encoding="utf-8")
        write_gz(args.folder / "validation-scores.csv.gz", scores)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
