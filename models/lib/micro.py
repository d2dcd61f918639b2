"""Owns the micro variant as a PyTorch module: a bag of hashed n-grams whose weights can be quantized in the loop. Leaves out training and the file."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .hashed_ngrams import HashedNgrams, buckets_of, hashes


class Grams:
    """Hash, group and weight of every n-gram of every text, flat, with one offset per text."""

    def __init__(self, texts: list[str], spec: HashedNgrams, power: float):
        hashed: list[int] = []
        groups: list[int] = []
        weights: list[float] = []
        offsets = [0]
        for text in texts:
            for g, found in enumerate(hashes(text, spec)):
                hashed += found
                groups += [g] * len(found)
                weights += [1 / max(1, len(found)) ** power] * len(found)
            offsets.append(len(hashed))
        self.hashed = np.array(hashed, dtype=np.uint32)
        self.groups = torch.tensor(np.array(groups, dtype=np.uint8))
        self.weights = torch.tensor(np.array(weights, dtype=np.float32))
        self.offsets = np.array(offsets)

    def texts(self) -> np.ndarray:
        """Of each n-gram, its text."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


class Features:
    """The same with buckets."""

    def __init__(self, grams: Grams, spec: HashedNgrams):
        self.ids = torch.from_numpy(buckets_of(grams.hashed, spec).astype(np.int32))
        self.groups, self.weights, self.offsets = grams.groups, grams.weights, grams.offsets

    def batch(self, index: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        starts, ends = self.offsets[index], self.offsets[index + 1]
        sizes = ends - starts
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        flat = torch.from_numpy(np.arange(sizes.sum()) + np.repeat(starts - offsets, sizes))
        return self.ids[flat], self.groups[flat].long(), self.weights[flat], torch.from_numpy(offsets)


def quantize_table(table: torch.Tensor, sigmas: float) -> tuple[torch.Tensor, torch.Tensor]:
    """int4 values and their scales, one per column; a scale covers `sigmas` standard deviations of its column."""
    scale = (table.square().mean(0, keepdim=True).sqrt() * sigmas / 7).clamp_min(1e-8)
    return (table / scale).round().clamp(-8, 7), scale


class Micro(nn.Module):
    def __init__(self, spec: HashedNgrams, dim: int, classes: int, sigmas: float):
        super().__init__()
        self.sigmas, self.quantized = sigmas, False
        self.table = nn.Parameter(torch.randn(spec.buckets, dim) * 0.1)
        self.groups = nn.Parameter(torch.ones(spec.groups))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.head = nn.Linear(dim, classes)
        nn.init.normal_(self.head.weight, std=0.1)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids, groups, weights, offsets, gram_dropout: float = 0.0, dropout: float = 0.0):
        table, head = self.table, self.head.weight
        if self.quantized:
            with torch.no_grad():
                q, scale = quantize_table(table, self.sigmas)
            table = table + (q * scale - table).detach()
            scale = head.detach().abs().amax(1, keepdim=True) / 127
            head = head + ((head / scale).round() * scale - head).detach()
        w = self.groups[groups] * weights
        if self.training and gram_dropout:
            w = w * (torch.rand(len(w)) > gram_dropout) / (1 - gram_dropout)
        x = F.gelu(F.embedding_bag(ids, table, offsets.int(), mode="sum", per_sample_weights=w) + self.bias)
        return F.linear(F.dropout(x, dropout, self.training), head, self.head.bias)

    @torch.no_grad()
    def predict(self, features: Features) -> np.ndarray:
        self.eval()
        n = len(features.offsets) - 1
        return torch.cat([self(*features.batch(np.arange(i, min(n, i + 512)))) for i in range(0, n, 512)]).numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything the file needs, quantized."""
        q, scale = quantize_table(self.table.detach(), self.sigmas)
        w = self.head.weight.detach()
        s = w.abs().amax(1, keepdim=True) / 127
        head = {"head_q": (w / s).round().numpy().astype(np.int8), "head_scales": s.numpy().ravel(), "head_bias": self.head.bias.detach().numpy()}
        table = {"table": q.numpy().astype(np.int8), "scales": scale.numpy().ravel(), "groups": self.groups.detach().numpy(), "bias": self.bias.detach().numpy()}
        return table | head
