"""Owns the files of `embed`: micro.hyb (static vectors, the vocabulary inside), base.onnx and vocab.txt, and card.json without figures. Leaves out training.

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
from embed.card_text import CARD, FORMATS, TRAINING  # noqa: E402
from embed.train import MAX_TOKENS  # noqa: E402
from lib import hyb, onnx_encoder  # noqa: E402
from lib.encoder import DIM, pretrained  # noqa: E402
from lib.wordpiece import pretrained_vocab  # noqa: E402


def write_micro(table: np.ndarray, vocab: Path, target: Path) -> int:
    q, scale = onnx_encoder.quantize_rows_i4(table)
    pieces = np.frombuffer(vocab.read_bytes().rstrip(b"\n"), np.uint8)
    tensors = {"vocabulary": ("u8", pieces), "words": ("i4", q), "words.scales": ("f32", scale)}
    graph = [{"op": "token_embedding", "weights": "words", "scales": "words.scales"}, {"op": "sequence_pool", "pool": "mean"}, {"op": "l2_normalize"}]
    tokenizer = {"kind": "wordpiece", "version": 1, "vocabulary": "vocabulary", "lowercase": True, "max_tokens": MAX_TOKENS}
    header = {k: CARD[k] for k in ("version", "task", "input")} | {"model": CARD["name"], "variant": "micro", "labels": [], "out_of_scope_label": None, "calibration": None}
    hyb.write(target, header | {"tokenizer": tokenizer, "graph": graph}, tensors)
    return int(q.size)


def write_base(vocab: Path, target: Path) -> int:
    """The teacher itself, with the pieces of `vocab` alone."""
    rank = {piece: i for i, piece in enumerate(pretrained_vocab())}
    keep = [rank[p] for p in vocab.read_text(encoding="utf-8").rstrip("\n").split("\n")]
    model = pretrained(keep, 2, list(range(6)), MAX_TOKENS)
    onnx_encoder.save(model, target, True, "embed-base", True)
    return sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in model.head.parameters())


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--vectors", type=Path, required=True)
    a.add_argument("--vocab", type=Path, required=True)
    a.add_argument("--out", type=Path, required=True)
    args = a.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    table = np.load(args.vectors)["table"]
    (args.out / "vocab.txt").write_bytes(args.vocab.read_bytes())
    files = {"micro": args.out / "micro.hyb", "base": args.out / "base.onnx"}
    parameters = {"micro": write_micro(table, args.vocab, files["micro"]), "base": write_base(args.vocab, files["base"])}
    card = CARD | {"variants": {}}
    for name, file in files.items():
        raw = file.read_bytes()
        entry: dict = {"file": file.name, "runtime": "engine" if file.suffix == ".hyb" else "onnx"}
        if file.suffix == ".onnx":
            entry["tokenizer"] = {"kind": "wordpiece", "vocab": "vocab.txt", "lowercase": True, "max_tokens": MAX_TOKENS}
        entry |= {"format": FORMATS[name], "dimensions": table.shape[1] if name == "micro" else DIM, "size_bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        card["variants"][name] = entry | {"parameters": parameters[name], "metrics": {}, "latency_ms": None, "training": TRAINING[name]}
        print(name, len(raw), entry["dimensions"])
    (args.out / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
