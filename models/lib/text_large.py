"""Owns fine-tuning of a text model's large variant. Leaves out distillation, export and calibration.

SCRIPT --part choose|final --seed 1 --out FILE.pt
`choose` leaves the dev rows out and prints their figures; `final` trains on train and dev with the same recipe.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .batches import batches, predict
from .calibration import figures, fit_temperature
from .encoder import pretrained
from .pretrained import ENCODERS
from .text_data import TextTask
from .text_vocab import kept_ids
from .wordpiece import WordPiece


def optimizer_of(model: torch.nn.Module, rate: float, decay: float) -> torch.optim.AdamW:
    """The head learns fastest, each layer below the top slower by `decay`."""
    n = len(model.layers)
    groups = [{"params": model.head.parameters(), "lr": rate * 5}]
    groups += [{"params": layer.parameters(), "lr": rate * decay ** (n - 1 - i)} for i, layer in enumerate(model.layers)]
    below = [p for m in (model.words, model.positions, model.norm) for p in m.parameters()]
    return torch.optim.AdamW([*groups, {"params": below, "lr": rate * decay**n}], weight_decay=0.01, fused=True)


def save(model: torch.nn.Module, path: Path) -> None:
    torch.save({"state": {k: v.half() if v.dim() > 1 else v for k, v in model.state_dict().items()}, "layers": len(model.layers)}, path)


def main(task: TextTask, **defaults: object) -> None:
    a = task.arguments()
    a.add_argument("--part", choices=["choose", "final"], required=True)
    a.add_argument("--encoder", choices=ENCODERS, default="minilm")
    a.add_argument("--archives", type=Path, help="folder of the encoders that come in an archive")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--epochs", type=int, default=7)
    a.add_argument("--batch", type=int, default=96)
    a.add_argument("--rate", type=float, default=2.5e-4)
    a.add_argument("--smooth", type=float, default=0.05)
    a.add_argument("--oos-repeat", type=int, default=1)
    a.add_argument("--decay", type=float, default=0.88, help="learning-rate factor per layer below the top")
    a.add_argument("--word-dropout", type=float, default=0.08, help="share of tokens shown as [UNK] while training")
    a.add_argument("--threads", type=int, default=1, help="more than the free cores makes it far slower")
    a.add_argument("--out", type=Path, required=True)
    a.set_defaults(**defaults)
    args = a.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(args.seed)
    data = task.load(args.data)
    train = data.train if args.part == "choose" else data.train + data.dev
    tokens = WordPiece(task.vocab)
    rows, labels = tokens.ids(train.texts), np.array(train.labels)
    repeat = [i for i in range(len(rows)) for _ in range(args.oos_repeat if labels[i] == data.oos else 1)]
    rows, target = [rows[i] for i in repeat], torch.from_numpy(labels[repeat])
    model = pretrained(kept_ids(task), len(data.names), list(range(ENCODERS[args.encoder].layers)), dropout=0.0, encoder=args.encoder, archives=args.archives)
    optimizer = optimizer_of(model, args.rate, args.decay)
    steps = args.epochs * (-(-len(rows) // args.batch))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / (0.06 * steps), max(0.0, 1 - s / steps)))
    started = time.time()
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for index, ids, mask in batches(rows, args.batch, rng):
            ids = ids.masked_fill((torch.rand(ids.shape) < args.word_dropout) & (ids > 3), 1)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(ids, mask)
            loss = F.cross_entropy(logits.float(), target[index], label_smoothing=args.smooth)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        line = f"epoch {epoch + 1} loss {total / (steps / args.epochs):.4f} {time.time() - started:.0f} s"
        if args.part == "choose" and epoch >= args.epochs - 4:
            logits, gold = predict(model, tokens.ids(data.dev.texts)), np.array(data.dev.labels)
            t = fit_temperature(logits, gold)
            line += f" dev T={t:.3f} {figures(logits, gold, data.oos, t)}"
        print(line, flush=True)
        save(model, args.out)
