"""Owns distillation of a text model's base variant: a few layers of the large one, trained on its logits. Leaves out export and calibration.

SCRIPT --part choose|final --teacher LABELS.npz --start LARGE.pt --out FILE.pt
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from .augment import soft_targets
from .batches import batches, predict
from .calibration import figures, fit_temperature
from .encoder import Classifier
from .text_data import TextTask
from .text_large import save
from .wordpiece import WordPiece


def from_layers(path: Path, chosen: list[int]) -> Classifier:
    """A shallower model with some layers of a trained one."""
    state = {k: v.float() for k, v in torch.load(path)["state"].items()}
    model = Classifier(state["words.weight"].shape[0], state["head.weight"].shape[0], len(chosen))
    source = {k: v for k, v in state.items() if not k.startswith("layers.")}
    for i, wanted in enumerate(chosen):
        p = f"layers.{wanted}."
        source |= {f"layers.{i}.{k.removeprefix(p)}": v for k, v in state.items() if k.startswith(p)}
    model.load_state_dict(source)
    return model


def main(task: TextTask, **defaults: object) -> None:
    a = task.arguments()
    a.add_argument("--part", choices=["choose", "final"], required=True)
    a.add_argument("--teacher", type=Path, required=True)
    a.add_argument("--start", type=Path, required=True)
    a.add_argument("--layers", default="0,5", help="layers of the large variant to start from")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--epochs", type=int, default=3)
    a.add_argument("--batch", type=int, default=128)
    a.add_argument("--rate", type=float, default=4e-4)
    a.add_argument("--gold", type=float, default=0.2)
    a.add_argument("--gold-repeat", type=int, default=2)
    a.add_argument("--word-dropout", type=float, default=0.05)
    a.add_argument("--limit", type=int, default=10**9)
    a.add_argument("--out", type=Path, required=True)
    a.set_defaults(**defaults)
    args = a.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(args.seed)
    data = task.load(args.data)
    tokens = WordPiece(task.vocab)
    labelled = np.load(args.teacher, allow_pickle=True)
    gold = labelled["gold"][: args.limit]
    target = soft_targets(labelled["logits"][: args.limit], gold, args.gold)
    order = np.concatenate([np.arange(len(gold))] + [np.nonzero(gold >= 0)[0]] * (args.gold_repeat - 1))
    rows = tokens.ids(list(labelled["texts"])[: args.limit])
    rows, target = [rows[i] for i in order], target[torch.from_numpy(order)]
    model = from_layers(args.start, [int(i) for i in args.layers.split(",")])
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=0.01, fused=True)
    steps = args.epochs * (-(-len(rows) // args.batch))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / (0.05 * steps), max(0.0, 1 - s / steps)))
    started, labels = time.time(), np.array(data.dev.labels)
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for index, ids, mask in batches(rows, args.batch, rng):
            ids = ids.masked_fill((torch.rand(ids.shape) < args.word_dropout) & (ids > 3), 1)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(ids, mask)
            loss = -(target[index] * logits.float().log_softmax(-1)).sum(-1).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        line = f"epoch {epoch + 1} loss {total / (steps / args.epochs):.4f} {time.time() - started:.0f} s"
        if args.part == "choose":
            logits = predict(model, tokens.ids(data.dev.texts))
            t = fit_temperature(logits, labels)
            line += f" dev T={t:.3f} {figures(logits, labels, data.oos, t)}"
        print(line, flush=True)
    save(model, args.out)
