"""Owns batching of short texts: shuffled, then grouped by length so that little padding is computed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from .wordpiece import pad


def batches(rows: list[list[int]], size: int, rng: np.random.Generator | None, pool: int = 24) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
    """(indices, ids, mask) per batch; without `rng`, in order of length."""
    lengths = np.array([len(r) for r in rows])
    order = np.argsort(lengths, kind="stable") if rng is None else rng.permutation(len(rows))
    chunks: list[np.ndarray] = []
    for start in range(0, len(order), size * pool):
        part = order[start : start + size * pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        chunks += [part[i : i + size] for i in range(0, len(part), size)]
    for i in range(len(chunks)) if rng is None else rng.permutation(len(chunks)):
        ids, mask = pad([rows[j] for j in chunks[i]])
        yield chunks[i], torch.from_numpy(ids), torch.from_numpy(mask)


@torch.no_grad()
def predict(model: torch.nn.Module, rows: list[list[int]], size: int = 128) -> np.ndarray:
    """Logits in the order of `rows`, dropout off, bfloat16 matrix products."""
    model.eval()
    out: np.ndarray | None = None
    for index, ids, mask in batches(rows, size, None):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(ids, mask).float().numpy()
        if out is None:
            out = np.zeros((len(rows), logits.shape[1]), dtype=np.float32)
        out[index] = logits
    assert out is not None
    return out
