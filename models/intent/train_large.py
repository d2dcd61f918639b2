"""Owns fine-tuning of the large variant. Leaves out distillation, export and calibration.

python models/intent/train_large.py --part choose|final --seed 1 --out FILE.pt
`choose` leaves the dev rows out and prints their figures; `final` trains on all of train with the same recipe.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.data import OOS, load  # noqa: E402
from lib.batches import batches, predict  # noqa: E402
from lib.calibration import figures, fit_temperature  # noqa: E402
from lib.encoder import pretrained  # noqa: E402
from lib.wordpiece import WordPiece, pretrained_vocab  # noqa: E402

HERE = Path(__file__).resolve().parent


def kept_ids(vocab_file: Path) -> list[int]:
    ids = {p: i for i, p in enumerate(pretrained_vocab())}
    return [ids[p] for p in vocab_file.read_text(encoding="utf-8").rstrip("\n").split("\n")]


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    a.add_argument("--part", choices=["choose", "final"], required=True)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--epochs", type=int, default=7)
    a.add_argument("--batch", type=int, default=96)
    a.add_argument("--rate", type=float, default=2.5e-4)
    a.add_argument("--dropout", type=float, default=0.0)
    a.add_argument("--smooth", type=float, default=0.05)
    a.add_argument("--oos-repeat", type=int, default=3)
    a.add_argument("--decay", type=float, default=0.88, help="learning-rate factor per layer below the top")
    a.add_argument("--word-dropout", type=float, default=0.08, help="share of tokens shown as [UNK] while training")
    a.add_argument("--threads", type=int, default=1, help="more than the free cores makes it far slower")
    a.add_argument("--out", type=Path, required=True)
    args = a.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(args.seed)
    data = load(args.data)
    oos = data.names.index(OOS)
    train = data.train if args.part == "choose" else data.train + data.dev
    tokens = WordPiece(HERE / "vocab.txt")
    rows, labels = tokens.ids(train.texts), np.array(train.labels)
    repeat = [i for i in range(len(rows)) for _ in range(args.oos_repeat if labels[i] == oos else 1)]
    rows, labels = [rows[i] for i in repeat], labels[repeat]
    model = pretrained(kept_ids(HERE / "vocab.txt"), len(data.names), list(range(6)), dropout=args.dropout)
    groups = [{"params": model.head.parameters(), "lr": args.rate * 5}]
    n = len(model.layers)
    for i, layer in enumerate(model.layers):
        groups.append({"params": layer.parameters(), "lr": args.rate * args.decay ** (n - 1 - i)})
    below = [p for m in (model.words, model.positions, model.norm) for p in m.parameters()]
    groups.append({"params": below, "lr": args.rate * args.decay**n})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    steps = args.epochs * (-(-len(rows) // args.batch))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / (0.06 * steps), max(0.0, 1 - s / steps)))
    started, step, target = time.time(), 0, torch.from_numpy(labels)
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for index, ids, mask in batches(rows, args.batch, rng):
            hide = (torch.rand(ids.shape) < args.word_dropout) & (ids > 3)
            ids = ids.masked_fill(hide, 1)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(ids, mask)
            loss = F.cross_entropy(logits.float(), target[index], label_smoothing=args.smooth)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
            step += 1
            if step in (20, 60):
                print(f"step {step}: {time.time() - started:.1f} s", flush=True)
        line = f"epoch {epoch + 1} loss {total / (steps / args.epochs):.4f} {time.time() - started:.0f} s"
        if args.part == "choose" and epoch >= args.epochs - 3:
            logits, gold = predict(model, tokens.ids(data.dev.texts)), np.array(data.dev.labels)
            t = fit_temperature(logits, gold)
            line += f" dev T={t:.3f} {figures(logits, gold, oos, t)}"
        print(line, flush=True)
    torch.save({"state": {k: v.half() if v.dim() > 1 else v for k, v in model.state_dict().items()}, "args": vars(args) | {"data": "", "out": ""}}, args.out)


if __name__ == "__main__":
    main()
