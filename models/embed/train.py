"""Owns the static vectors: piece vectors of the teacher, reduced, weighted by frequency, tuned to its sentence vectors. Leaves out the file.

python models/embed/train.py --teacher TEACHER.npz --out VECTORS.npz       (--epochs 0: without tuning)
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib.wordpiece import WordPiece  # noqa: E402

MAX_TOKENS = 128
FIRST_WORD = 1996  # in the pretrained vocabulary whole words stand from here on, by falling frequency


def frequency_weights(keep: np.ndarray, vocab: list[str], a: float) -> np.ndarray:
    """Smooth inverse frequency, a / (a + p), with p by Zipf's law from the rank that the vocabulary's order gives."""
    rank = np.array([i - FIRST_WORD + 1 if i >= FIRST_WORD else (10 if p.isascii() and not p.isalnum() else 300) for i, p in zip(keep, vocab, strict=True)], float)
    return a / (a + 0.1 / rank)


def flat(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids without [CLS] and [SEP], and one offset per row; a row without ids gets [UNK], whose vector is zero."""
    inner = [r[1:-1] or [1] for r in rows]
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in inner])[:-1]])
    return torch.tensor([i for r in inner for i in r]), torch.from_numpy(offsets)


def embed(table: torch.Tensor, rows: list[list[int]]) -> torch.Tensor:
    ids, offsets = flat(rows)
    return F.normalize(F.embedding_bag(ids, table, offsets, mode="mean"), dim=1)


def agreement(student: np.ndarray, teacher: np.ndarray, near: int = 10) -> dict[str, float]:
    """Cosines of all pairs among held-out texts: rank correlation overall, and within each text's nearest by the teacher."""
    s, t = student @ student.T, teacher @ teacher.T
    upper = np.triu_indices(len(s), 1)
    pick = np.random.default_rng(0).choice(len(upper[0]), 200_000, replace=False)
    np.fill_diagonal(t, -1)
    close = np.argsort(-t, 1)[:, :near]
    rows = np.arange(len(s))[:, None]
    np.fill_diagonal(s, -1)
    hit = np.mean([len(set(a) & set(b)) / near for a, b in zip(np.argsort(-s, 1)[:, :near], close, strict=True)])
    return {
        "spearman": round(float(spearmanr(s[upper][pick], t[upper][pick]).statistic), 4),
        "spearman_near": round(float(spearmanr(s[rows, close].ravel(), t[rows, close].ravel()).statistic), 4),
        f"top_{near}_shared": round(float(hit), 4),
    }


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--teacher", type=Path, required=True)
    a.add_argument("--dim", type=int, default=256)
    a.add_argument("--sif", type=float, default=3e-4)
    a.add_argument("--epochs", type=int, default=8)
    a.add_argument("--batch", type=int, default=512)
    a.add_argument("--rate", type=float, default=2e-3)
    a.add_argument("--pairwise", type=float, default=10.0)
    a.add_argument("--dropout", type=float, default=0.1, help="share of pieces left out of a text while tuning")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--out", type=Path)
    args = a.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    saved = np.load(args.teacher, allow_pickle=True)
    vocab_file = args.teacher.with_name("vocab.txt")
    vocab = vocab_file.read_text(encoding="utf-8").rstrip("\n").split("\n")
    tokens = WordPiece(vocab_file, MAX_TOKENS)
    sentences = torch.from_numpy(saved["sentences"].astype(np.float32))
    _, _, basis = torch.linalg.svd(sentences.T @ sentences)
    basis = basis[: args.dim].T
    pieces = torch.from_numpy(saved["pieces"])
    start = (pieces - pieces.mean(0)) @ basis * torch.from_numpy(frequency_weights(saved["keep"], vocab, args.sif)).float()[:, None]
    start[:4] = 0
    table = torch.nn.Parameter(start.clone())
    held_rows, held_teacher = tokens.ids(list(saved["held"])), saved["held_sentences"]
    report = lambda: agreement(embed(table.detach(), held_rows).numpy(), held_teacher)  # noqa: E731
    print("before tuning", report(), flush=True)
    if args.epochs:
        rows = tokens.ids(list(saved["texts"]))
        target = F.normalize(sentences @ basis, dim=1)
        optimizer = torch.optim.Adam([table], lr=args.rate, betas=(0.9, 0.98))
        steps = args.epochs * (len(rows) // args.batch)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: max(0.0, 1 - s / steps))
    started = time.time()
    for epoch in range(args.epochs):
        order, total = rng.permutation(len(rows)), 0.0
        for i in range(0, len(rows) - args.batch + 1, args.batch):
            index = order[i : i + args.batch]
            ids, offsets = flat([rows[j] for j in index])
            keep = (torch.rand(len(ids)) > args.dropout).float()
            got = F.normalize(F.embedding_bag(ids, table, offsets, mode="sum", per_sample_weights=keep), dim=1)
            cosines = sentences[index] @ sentences[index].T
            loss = (1 - (got * target[index]).sum(1)).mean() + args.pairwise * (got @ got.T - cosines).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            table.grad[:4] = 0
            optimizer.step()
            schedule.step()
            total += loss.item()
        line = f"epoch {epoch + 1} loss {total / (steps / args.epochs):.4f} {time.time() - started:.0f} s"
        print(line, report() if epoch % 4 == 3 or epoch + 1 == args.epochs else "", flush=True)
    if args.out:
        np.savez(args.out, table=table.detach().numpy(), start=start.numpy())


if __name__ == "__main__":
    main()
