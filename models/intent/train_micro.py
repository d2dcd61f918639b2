"""Owns distillation of the micro variant: a hashed n-gram bag trained with its quantization in the loop. Leaves out the file format.

python models/intent/train_micro.py --part choose|final --teacher LABELS.npz --out FILE.npz
LABELS.npz comes from label.py: texts, teacher logits, gold labels (-1 where there are none).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.data import OOS, load  # noqa: E402
from lib.calibration import figures, fit_temperature  # noqa: E402
from lib.hashed_ngrams import HashedNgrams, buckets  # noqa: E402

HERE = Path(__file__).resolve().parent


class Features:
    """Bucket, group and weight of every gram of every text, flat, with one offset per text."""

    def __init__(self, texts: list[str], spec: HashedNgrams, power: float):
        ids: list[int] = []
        groups: list[int] = []
        weights: list[float] = []
        offsets = [0]
        for text in texts:
            for g, found in enumerate(buckets(text, spec)):
                ids += found
                groups += [g] * len(found)
                weights += [1 / max(1, len(found)) ** power] * len(found)
            offsets.append(len(ids))
        self.ids = torch.tensor(np.array(ids, dtype=np.int32))
        self.groups = torch.tensor(np.array(groups, dtype=np.uint8))
        self.weights = torch.tensor(np.array(weights, dtype=np.float32))
        self.offsets = np.array(offsets)

    def batch(self, index: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        starts, ends = self.offsets[index], self.offsets[index + 1]
        sizes = ends - starts
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        flat = torch.from_numpy(np.arange(sizes.sum()) + np.repeat(starts - offsets, sizes))
        return self.ids[flat], self.groups[flat].long(), self.weights[flat], torch.from_numpy(offsets)


def quantize_table(table: torch.Tensor, axis: str, sigmas: float) -> tuple[torch.Tensor, torch.Tensor]:
    """int4 values and their scales; a scale covers `sigmas` standard deviations of its row or column."""
    dim = 1 if axis == "row" else 0
    scale = (table.square().mean(dim, keepdim=True).sqrt() * sigmas / 7).clamp_min(1e-8)
    return (table / scale).round().clamp(-8, 7), scale


class Micro(nn.Module):
    def __init__(self, spec: HashedNgrams, dim: int, classes: int, axis: str, sigmas: float, activation: str, hidden: int = 0):
        super().__init__()
        self.axis, self.sigmas, self.activation, self.quantized = axis, sigmas, activation, False
        self.table = nn.Parameter(torch.randn(spec.buckets, dim) * 0.1)
        self.groups = nn.Parameter(torch.ones(spec.groups))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.mid = nn.Linear(dim, hidden) if hidden else None
        self.head = nn.Linear(hidden or dim, classes)
        nn.init.normal_(self.head.weight, std=0.1)
        nn.init.zeros_(self.head.bias)

    def act(self, x: torch.Tensor) -> torch.Tensor:
        return {"gelu": F.gelu, "relu": F.relu, "tanh": torch.tanh}[self.activation](x)

    def dense(self, layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        w = layer.weight
        if self.quantized:
            scale = w.detach().abs().amax(1, keepdim=True) / 127
            w = w + ((w / scale).round() * scale - w).detach()
        return F.linear(x, w, layer.bias)

    def forward(self, ids, groups, weights, offsets, gram_dropout: float = 0.0, dropout: float = 0.0):
        table = self.table
        if self.quantized:
            with torch.no_grad():
                q, scale = quantize_table(table, self.axis, self.sigmas)
            table = table + (q * scale - table).detach()
        w = self.groups[groups] * weights
        if self.training and gram_dropout:
            w = w * (torch.rand(len(w)) > gram_dropout) / (1 - gram_dropout)
        x = self.act(F.embedding_bag(ids, table, offsets.int(), mode="sum", per_sample_weights=w) + self.bias)
        x = F.dropout(x, dropout, self.training)
        if self.mid is not None:
            x = F.dropout(self.act(self.dense(self.mid, x)), dropout, self.training)
        return self.dense(self.head, x)


@torch.no_grad()
def predict(model: Micro, features: Features) -> np.ndarray:
    model.eval()
    n = len(features.offsets) - 1
    return torch.cat([model(*features.batch(np.arange(i, min(n, i + 512)))) for i in range(0, n, 512)]).numpy()


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    a.add_argument("--part", choices=["choose", "final"], required=True)
    a.add_argument("--teacher", type=Path, required=True)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--buckets", type=int, default=20000)
    a.add_argument("--dim", type=int, default=96)
    a.add_argument("--hidden", type=int, default=0)
    a.add_argument("--axis", default="column")
    a.add_argument("--sigmas", type=float, default=4.5)
    a.add_argument("--activation", default="gelu")
    a.add_argument("--power", type=float, default=0.5)
    a.add_argument("--chars", default="3,4,5")
    a.add_argument("--skip", type=int, default=1)
    a.add_argument("--epochs", type=int, default=8)
    a.add_argument("--batch", type=int, default=256)
    a.add_argument("--rate", type=float, default=4e-3)
    a.add_argument("--gram-dropout", type=float, default=0.3)
    a.add_argument("--dropout", type=float, default=0.2)
    a.add_argument("--gold", type=float, default=0.3, help="weight of the gold label where there is one")
    a.add_argument("--gold-repeat", type=int, default=2)
    a.add_argument("--teacher-temperature", type=float, default=1.0)
    a.add_argument("--limit", type=int, default=10**9)
    a.add_argument("--out", type=Path)
    args = a.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(args.seed)
    data = load(args.data)
    oos = data.names.index(OOS)
    spec = HashedNgrams(args.buckets, (1, 2), bool(args.skip), tuple(int(c) for c in args.chars.split(",") if c))
    labelled = np.load(args.teacher, allow_pickle=True)
    texts, gold = list(labelled["texts"])[: args.limit], labelled["gold"][: args.limit]
    soft = torch.from_numpy(labelled["logits"][: args.limit].astype(np.float32) / args.teacher_temperature).softmax(-1)
    known = torch.from_numpy(gold >= 0)
    hard = F.one_hot(torch.from_numpy(np.maximum(gold, 0)).long(), len(data.names)).float() * 0.95 + 0.05 / len(data.names)
    target = torch.where(known[:, None], args.gold * hard + (1 - args.gold) * soft, soft)
    started = time.time()
    features, dev = Features(texts, spec, args.power), Features(data.dev.texts, spec, args.power)
    print(f"features {time.time() - started:.0f} s, {len(features.ids)} grams", flush=True)
    model = Micro(spec, args.dim, len(data.names), args.axis, args.sigmas, args.activation, args.hidden)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    order = np.concatenate([np.arange(len(texts))] + [np.nonzero(gold >= 0)[0]] * (args.gold_repeat - 1))
    steps = args.epochs * (-(-len(order) // args.batch))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / 200, 1.0) * max(0.01, 1 - s / steps))
    labels = np.array(data.dev.labels)
    for epoch in range(args.epochs):
        model.quantized = epoch >= args.epochs * 0.5
        model.train()
        total, count = 0.0, 0
        shuffled = rng.permutation(order)
        for i in range(0, len(shuffled), args.batch):
            index = shuffled[i : i + args.batch]
            logits = model(*features.batch(index), args.gram_dropout, args.dropout)
            loss = -(target[index] * logits.log_softmax(-1)).sum(-1).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total, count = total + loss.item(), count + 1
        line = f"epoch {epoch + 1} loss {total / count:.4f} {time.time() - started:.0f} s"
        if args.part == "choose" and (epoch + 1 == args.epochs or epoch % 4 == 3):
            logits = predict(model, dev)
            t = fit_temperature(logits, labels)
            line += f" dev T={t:.3f} {figures(logits, labels, oos, t)}"
        print(line, flush=True)
    if args.out:
        q, scale = quantize_table(model.table.detach(), args.axis, args.sigmas)
        saved = {"table": q.numpy().astype(np.int8), "scales": scale.numpy().ravel(), "groups": model.groups.detach().numpy(), "bias": model.bias.detach().numpy()}
        for name, layer in (("mid", model.mid), ("head", model.head)):
            if layer is not None:
                w = layer.weight.detach()
                s = w.abs().amax(1, keepdim=True) / 127
                saved |= {f"{name}_q": (w / s).round().numpy().astype(np.int8), f"{name}_scales": s.numpy().ravel(), f"{name}_bias": layer.bias.detach().numpy()}
        np.savez(args.out, **saved, args=str({k: v for k, v in vars(args).items() if k not in ("data", "out", "teacher")}), spec=str(spec.header()), axis=args.axis, power=args.power, activation=args.activation)


if __name__ == "__main__":
    main()
