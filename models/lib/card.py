"""Owns CARD.md: card.json, the single source, written for people.

python models/lib/card.py models/intent/card.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def percent(value: float | None) -> str:
    return "" if value is None else f"{value * 100:.2f} %"


def render(card: dict) -> str:
    data, variants = card["data"], card["variants"]
    out = [f"# {card['name']} {card['version']}", "", card["description"], "", "Generated from card.json by models/lib/card.py; edit that one.", ""]
    kind = card["input"]
    shape = f"text, up to {kind['max_chars']} characters" if kind["kind"] == "text" else f"image {kind['height']} x {kind['width']} x {kind['channels']}"
    labels = len(card["labels"])
    outside = card.get("out_of_scope_label")
    out += [f"Input: {shape}. Output: {labels} classes" + (f", among them `{outside}` for what is out of scope." if outside else ".")]
    out += [f"Reference variant: `{card['reference_variant']}`. Confidence is the largest softmax of the logits divided by the temperature.", ""]
    out += ["## Data", ""] + [f"- {k}: {v}" for k, v in data.items()] + [""]
    out += ["## Variants", "", "| | " + " | ".join(variants) + " |", "| --- |" + " --- |" * len(variants)]

    def row(name: str, cell) -> None:
        out.append(f"| {name} | " + " | ".join(str(cell(v)) for v in variants.values()) + " |")

    row("file", lambda v: f"`{v['file']}`")
    row("runs in", lambda v: {"engine": "the edge worker's engine", "onnx": "ONNX Runtime"}[v["runtime"]])
    row("format", lambda v: v["format"])
    row("size, bytes", lambda v: f"{v['size_bytes']:,}")
    row("parameters", lambda v: f"{v['parameters']:,}")
    metrics = [
        ("accuracy", "accuracy"),
        ("accuracy, in scope", "accuracy_in_scope"),
        ("out-of-scope recall", "oos_recall"),
        ("share answerable at 97 % accuracy, in scope", "coverage_at_97_in_scope"),
        ("share answerable at 97 % accuracy, all rows", "coverage_at_97"),
        ("calibration error (ECE, 15 bins)", "ece"),
        ("same before quantization: accuracy", "accuracy_float"),
        ("agreement with the reference variant", "agreement"),
    ]
    for title, key in metrics:
        if any(key in v["metrics"] for v in variants.values()):
            row(title, lambda v, key=key: percent(v["metrics"].get(key)))
    row("measured on", lambda v: f"{v['metrics']['n']} rows, {v['metrics']['split']}")
    row("temperature", lambda v: v["calibration"]["temperature"])
    row("temperature fitted on", lambda v: v["calibration"]["fitted_on"])
    row("latency p50 / p95, ms", lambda v: f"{v['latency_ms']['p50']} / {v['latency_ms']['p95']} ({v['latency_ms']['where']})" if v.get("latency_ms") else "not measured")
    row("SHA-256", lambda v: f"`{v['sha256'][:16]}...`")
    out += ["", "## Training", ""] + [f"- {n}: {v['training']}" for n, v in variants.items()]
    for title, key in (("Limits", "limits"), ("Pretrained encoder", "pretrained")):
        if key in card:
            out += ["", f"## {title}", "", card[key]]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    source = Path(sys.argv[1])
    source.with_name("CARD.md").write_text(render(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
