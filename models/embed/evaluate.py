"""Owns the figures of `embed`: texts looked up by meaning, labelled pairs, and its teacher. Commits no text of the pairs.

python models/embed/evaluate.py --work DIR [--folder DIR2] [--write] [--latency]
Vectors of the teacher and of base are kept in DIR.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from embed.card_md import render  # noqa: E402
from embed.data import HERE, pairs  # noqa: E402
from embed.teacher import POSITIONS, full_encoder, vectors  # noqa: E402
from embed.vectors import NAMES, Embedder  # noqa: E402
from lib.text_data import read_rows  # noqa: E402
from lib.wordpiece import WordPiece, pretrained_vocab  # noqa: E402

SETS = {"qqp": ("qqp-pairs/dev.csv.gz", 4000), "mrpc": ("mrpc/train.csv.gz", 2000)}
SPLIT = "CLINC150 val, each row by the label of its nearest of train"


def auc(score: np.ndarray, gold: np.ndarray) -> float:
    positive = int(gold.sum())
    return float((rankdata(score)[gold == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(gold) - positive)))


def recall_at(score: np.ndarray, gold: np.ndarray, precision: float) -> float:
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(gold[order])
    good = np.nonzero(found / np.arange(1, len(order) + 1) >= precision)[0]
    return float(found[good[-1]] / gold.sum()) if len(good) else 0.0


class Sources:
    """Vectors of texts by each way, computed once."""

    def __init__(self, folder: Path, work: Path):
        self.work, self.embedder = work, Embedder(folder)
        vocab = work / "vocab-full.txt"
        vocab.write_text("\n".join(pretrained_vocab()) + "\n", encoding="utf-8")
        self.full, self.encoder = WordPiece(vocab, POSITIONS), full_encoder()

    def of(self, way: str, name: str, texts: list[str]) -> np.ndarray:
        if way == "micro":
            return self.embedder.many(way, texts)
        file = self.work / f"{way}-{name}.npy"
        if not file.exists():
            np.save(file, vectors(self.encoder, self.full.ids(texts)) if way == "teacher" else self.embedder.many(way, texts))
        return np.load(file)


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    a.add_argument("--work", type=Path, required=True)
    a.add_argument("--folder", type=Path, default=HERE)
    a.add_argument("--write", action="store_true")
    a.add_argument("--latency", action="store_true")
    args = a.parse_args()
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    sources, ways = Sources(args.folder, args.work), (*NAMES, "teacher")
    out: dict[str, dict] = {way: {} for way in ways}
    train, asked = (read_rows(args.data / "clinc150" / f"{part}.csv.gz", "text", "intent") for part in ("train", "val"))
    known, gold = np.array([i for _, i in train]), np.array([i for _, i in asked])
    for way in ways:
        base, query = sources.of(way, "clinc-train", [t for t, _ in train]), sources.of(way, "clinc-val", [t for t, _ in asked])
        nearest = (query @ base.T).argmax(1)
        out[way] |= {"accuracy": round(float((known[nearest] == gold).mean()), 4), "n": len(gold), "split": SPLIT}
    for name, (file, count) in SETS.items():
        first, second, labels = pairs(args.data / file, count)
        same, cosine = np.array(labels), {}
        for way in ways:
            both = sources.of(way, name, first + second)
            cosine[way] = (both[: len(same)] * both[len(same) :]).sum(1)
        for way, c in cosine.items():
            out[way][name] = {
                "n": len(same),
                "auc": round(auc(c, same), 4),
                "spearman_teacher": round(float(spearmanr(c, cosine["teacher"]).statistic), 4),
                "recall_at_precision_80": round(recall_at(c, same, 0.8), 4),
            }
    print(json.dumps(out, indent=1))
    card = json.loads((args.folder / "card.json").read_text(encoding="utf-8"))
    card["teacher"] = out.pop("teacher")
    for name, metrics in out.items():
        card["variants"][name]["metrics"] = metrics
        if args.latency or card["variants"][name]["latency_ms"] is None:
            card["variants"][name]["latency_ms"] = sources.embedder.latency_ms(name, [t for t, _ in asked[::10]])
    if args.write:
        (args.folder / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (args.folder / "CARD.md").write_text(render(card), encoding="utf-8")


if __name__ == "__main__":
    main()
