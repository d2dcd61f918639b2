"""Owns distillation of a text model's micro variant, with its quantization in the loop. Leaves out the module and the file format.

SCRIPT --part choose|final --teacher LABELS.npz --out FILE.npz
LABELS.npz comes from text_label.py: texts, teacher logits, gold labels (-1 where there are none).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from .augment import soft_targets
from .calibration import figures, fit_temperature
from .hashed_ngrams import HashedNgrams
from .known_ngrams import choose_tags
from .micro import Features, Grams, Micro
from .text_data import TextTask


def main(task: TextTask, **defaults: object) -> None:
    a = task.arguments()
    a.add_argument("--part", choices=["choose", "final"], required=True)
    a.add_argument("--teacher", type=Path, required=True)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--buckets", type=int, default=20000)
    a.add_argument("--dim", type=int, default=96)
    a.add_argument("--sigmas", type=float, default=4.5)
    a.add_argument("--power", type=float, default=0.5)
    a.add_argument("--epochs", type=int, default=8)
    a.add_argument("--batch", type=int, default=256)
    a.add_argument("--rate", type=float, default=4e-3)
    a.add_argument("--gram-dropout", type=float, default=0.3)
    a.add_argument("--dropout", type=float, default=0.2)
    a.add_argument("--gold", type=float, default=0.3, help="weight of the gold label where there is one")
    a.add_argument("--gold-repeat", type=int, default=2)
    a.add_argument("--known", action=argparse.BooleanOptionalAction, default=False, help="give each row to one n-gram instead of sharing it")
    a.add_argument("--known-gold", type=float, default=8, help="weight of a labelled row in choosing the known n-grams, over another text's")
    a.add_argument("--out", type=Path, required=True)
    a.set_defaults(**defaults)
    args = a.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(args.seed)
    data = task.load(args.data)
    labelled = np.load(args.teacher, allow_pickle=True)
    gold = labelled["gold"]
    target = soft_targets(labelled["logits"], gold, args.gold)
    started = time.time()
    spec = HashedNgrams(args.buckets)
    grams = Grams(list(labelled["texts"]), spec, args.power)
    if args.known:
        of = grams.texts()
        weights = np.where(gold >= 0, np.float32(args.known_gold), np.float32(1))
        spec = replace(spec, tags=choose_tags(grams.hashed, target.argmax(1).numpy()[of], weights[of], args.buckets, len(data.names)))
    features, dev = Features(grams, spec), Features(Grams(data.dev.texts, spec, args.power), spec)
    print(f"features {time.time() - started:.0f} s, {len(features.ids)} n-grams", flush=True)
    model = Micro(spec, args.dim, len(data.names), args.sigmas)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    order = np.concatenate([np.arange(len(gold))] + [np.nonzero(gold >= 0)[0]] * (args.gold_repeat - 1))
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
            logits = model.predict(dev)
            t = fit_temperature(logits, labels)
            line += f" dev T={t:.3f} {figures(logits, labels, data.oos, t)}"
        print(line, flush=True)
    tags = {} if spec.tags is None else {"tags": np.frombuffer(spec.tags, np.uint8)}
    np.savez(args.out, **model.arrays(), **tags, tokenizer=json.dumps(spec.header()), power=args.power)
