"""Owns models/embed/micro.hyb: int8 vectors, one scale per row, the vocabulary inside. Leaves out training and figures.

python models/embed/export.py --vectors VECTORS.npz --vocab vocab.txt --out models/embed
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from embed.card_text import CARD, FORMAT, TRAINING  # noqa: E402
from embed.train import MAX_TOKENS  # noqa: E402
from lib import hyb  # noqa: E402
from lib.onnx_encoder import quantize_rows  # noqa: E402


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--vectors", type=Path, required=True)
    a.add_argument("--vocab", type=Path, required=True)
    a.add_argument("--out", type=Path, required=True)
    args = a.parse_args()
    q, scale = quantize_rows(np.load(args.vectors)["table"])
    vocab = np.frombuffer(args.vocab.read_bytes(), np.int8)
    tensors = {"table": ("i8", q), "table.scales": ("f32", scale), "table.groups": ("f32", np.ones(1, np.float32)), "vocab": ("i8", vocab)}
    bag = {"op": "embedding_bag", "weights": "table", "scales": "table.scales", "scale_axis": "row", "group_weights": "table.groups", "pool_power": 1, "activation": "none"}
    header = {k: CARD[k] for k in ("version", "task", "input")} | {"model": CARD["name"], "variant": "micro", "labels": [], "out_of_scope_label": None, "calibration": None}
    header["tokenizer"] = {"kind": "wordpiece", "version": 1, "vocab": "vocab", "lowercase": True, "max_tokens": MAX_TOKENS}
    args.out.mkdir(parents=True, exist_ok=True)
    raw = hyb.write(args.out / "micro.hyb", header | {"graph": [bag, {"op": "l2_normalize"}]}, tensors)
    entry = {"file": "micro.hyb", "runtime": "engine", "format": FORMAT, "size_bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    entry |= {"parameters": int(q.size), "dimensions": q.shape[1], "pieces": q.shape[0], "metrics": {}, "latency_ms": None, "training": TRAINING}
    card = CARD | {"variants": {"micro": entry}}
    (args.out / "card.json.draft").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(len(raw), q.shape)


if __name__ == "__main__":
    main()
