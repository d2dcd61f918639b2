"""Owns the text encoder of the base and large variants as a plain PyTorch module. Leaves out tokenizing and ONNX export."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from .pretrained import weights

DIM = 384
HEADS = 12
EPSILON = 1e-12


class Layer(nn.Module):
    """One post-norm transformer layer, as BERT has it."""

    def __init__(self, dim: int = DIM, heads: int = HEADS, dropout: float = 0.1):
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm1 = nn.LayerNorm(dim, eps=EPSILON)
        self.up = nn.Linear(dim, 4 * dim)
        self.down = nn.Linear(4 * dim, dim)
        self.norm2 = nn.LayerNorm(dim, eps=EPSILON)

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5 + bias
        mixed = (scores.softmax(-1).to(v.dtype) @ v).transpose(1, 2).reshape(b, t, d)
        x = self.norm1(x + F.dropout(self.out(mixed), self.dropout, self.training))
        return self.norm2(x + F.dropout(self.down(F.gelu(self.up(x))), self.dropout, self.training))


class Classifier(nn.Module):
    """Embeddings, layers, mean pooling over real tokens, one linear head."""

    def __init__(self, vocab: int, classes: int, layers: int, positions: int = 64, dim: int = DIM, heads: int = HEADS, dropout: float = 0.1):
        super().__init__()
        self.dropout = dropout
        self.words = nn.Embedding(vocab, dim)
        self.positions = nn.Embedding(positions, dim)
        self.norm = nn.LayerNorm(dim, eps=EPSILON)
        self.layers = nn.ModuleList(Layer(dim, heads, dropout) for _ in range(layers))
        self.head = nn.Linear(dim, classes)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def embed(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.words(ids) + self.positions.weight[: ids.shape[1]]
        x = F.dropout(self.norm(x), self.dropout, self.training)
        bias = (1.0 - mask.float())[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, bias)
        weight = mask.float()[:, :, None]
        return (x.float() * weight).sum(1) / weight.sum(1)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.head(F.dropout(self.embed(ids, mask), 0.1, self.training))


def pretrained(
    keep_ids: list[int], classes: int, use_layers: list[int], positions: int = 64, dropout: float = 0.1, encoder: str = "minilm", archives: Path | None = None
) -> Classifier:
    """A pretrained encoder with only the vocabulary rows and the layers asked for; token types are folded into positions."""
    w = weights(encoder, archives)
    model = Classifier(len(keep_ids), classes, len(use_layers), positions, dropout=dropout)
    with torch.no_grad():
        model.words.weight.copy_(w["embeddings.word_embeddings.weight"][keep_ids])
        types = w["embeddings.token_type_embeddings.weight"][0]
        model.positions.weight.copy_(w["embeddings.position_embeddings.weight"][:positions] + types)
        copy(model.norm, w, "embeddings.LayerNorm")
        for layer, source in zip(model.layers, use_layers, strict=True):
            p = f"encoder.layer.{source}."
            parts = [p + f"attention.self.{n}" for n in ("query", "key", "value")]
            layer.qkv.weight.copy_(torch.cat([w[q + ".weight"] for q in parts]))
            layer.qkv.bias.copy_(torch.cat([w[q + ".bias"] for q in parts]))
            copy(layer.out, w, p + "attention.output.dense")
            copy(layer.norm1, w, p + "attention.output.LayerNorm")
            copy(layer.up, w, p + "intermediate.dense")
            copy(layer.down, w, p + "output.dense")
            copy(layer.norm2, w, p + "output.LayerNorm")
    return model


def copy(module: nn.Module, weights: dict[str, torch.Tensor], name: str) -> None:
    module.weight.copy_(weights[name + ".weight"])
    module.bias.copy_(weights[name + ".bias"])
