"""Owns the figures of `embed`: against its teacher and on labelled pairs, beside two simpler ways to make static vectors. Commits no text.

python models/embed/evaluate.py --teacher TEACHER.npz --work DIR [--folder DIR2] [--write]
TEACHER.npz comes from teacher.py; teacher vectors of the pairs are kept in DIR.
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
from embed.train import agreement, embed  # noqa: E402
from embed.vectors import Embedder  # noqa: E402
from lib.wordpiece import WordPiece  # noqa: E402

SETS = {"qqp": ("qqp-pairs/dev.csv.gz", 8000), "mrpc": ("mrpc/train.csv.gz", 4076)}


def auc(score: np.ndarray, gold: np.ndarray) -> float:
    positive = int(gold.sum())
    return float((rankdata(score)[gold == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(gold) - positive)))


def recall_at(score: np.ndarray, gold: np.ndarray, precision: float) -> float:
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(gold[order])
    good = np.nonzero(found / np.arange(1, len(order) + 1) >= precision)[0]
    return float(found[good[-1]] / gold.sum()) if len(good) else 0.0


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    a.add_argument("--teacher", type=Path, required=True)
    a.add_argument("--work", type=Path, required=True)
    a.add_argument("--folder", type=Path, default=HERE)
    a.add_argument("--write", action="store_true")
    args = a.parse_args()
    torch.set_num_threads(1)
    saved = np.load(args.teacher, allow_pickle=True)
    embedder = Embedder(args.folder / "micro.hyb", args.work / "vocab-inside.txt")
    encoder, full = full_encoder(), WordPiece(args.teacher.with_name("vocab-full.txt"), POSITIONS)
    contextless = torch.from_numpy(saved["pieces"])  # 384 float32 values a piece
    inputs = encoder.words.weight.detach()[torch.from_numpy(saved["keep"])]
    out: dict = {"held_out_texts": {}}
    held = list(saved["held"])
    rows = embedder.tokens.ids(held)
    for name, vector in (("embed", embedder.many(held)), ("mean_of_contextless", embed(contextless, rows).numpy()), ("mean_of_input_embeddings", embed(inputs, rows).numpy())):
        out["held_out_texts"][name] = agreement(vector, saved["held_sentences"])
    for name, (file, count) in SETS.items():
        first, second, labels = pairs(args.data / file, count)
        gold, both = np.array(labels), first + second
        cache = args.work / f"teacher-{name}.npy"
        if not cache.exists():
            np.save(cache, vectors(encoder, full.ids(both)))
        rows = embedder.tokens.ids(both)
        ways = {"teacher": np.load(cache), "embed": embedder.many(both), "mean_of_contextless": embed(contextless, rows).numpy(), "mean_of_input_embeddings": embed(inputs, rows).numpy()}
        cosine = {k: (v[: len(gold)] * v[len(gold) :]).sum(1) for k, v in ways.items()}
        out[name] = {"n": len(gold)} | {
            k: {
                "auc": round(auc(c, gold), 4),
                "spearman_teacher": round(float(spearmanr(c, cosine["teacher"]).statistic), 4),
                "recall_at_precision_80": round(recall_at(c, gold, 0.8), 4),
            }
            for k, c in cosine.items()
        }
    print(json.dumps(out, indent=1))
    if args.write:
        path = args.folder / "card.json.draft"
        card = json.loads(path.read_text(encoding="utf-8"))
        card["variants"]["micro"]["metrics"] = out
        path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (args.folder / "CARD.md").write_text(render(card), encoding="utf-8")


if __name__ == "__main__":
    main()
