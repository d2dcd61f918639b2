"""Owns distillation of the base variant: a few layers of the large one, trained on its logits. Leaves out export and calibration.

python models/intent/train_base.py --part choose|final --teacher LABELS.npz --start LARGE.pt --out FILE.pt
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
from lib.encoder import Classifier  # noqa: E402
from lib.wordpiece import WordPiece  # noqa: E402

HERE = Path(__file__).resolve().parent


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
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
    args = a.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(args.seed)
    data = load(args.data)
    oos, classes = data.names.index(OOS), len(data.names)
    tokens = WordPiece(HERE / "vocab.txt")
    labelled = np.load(args.teacher, allow_pickle=True)
    texts, gold = list(labelled["texts"])[: args.limit], labelled["gold"][: args.limit]
    soft = torch.from_numpy(labelled["logits"][: args.limit].astype(np.float32)).softmax(-1)
    hard = F.one_hot(torch.from_numpy(np.maximum(gold, 0)).long(), classes).float() * 0.95 + 0.05 / classes
    target = torch.where(torch.from_numpy(gold >= 0)[:, None], args.gold * hard + (1 - args.gold) * soft, soft)
    order = np.concatenate([np.arange(len(texts))] + [np.nonzero(gold >= 0)[0]] * (args.gold_repeat - 1))
    rows = tokens.ids(texts)
    rows, target = [rows[i] for i in order], target[torch.from_numpy(order)]

    chosen = [int(i) for i in args.layers.split(",")]
    model = Classifier(tokens.size, classes, len(chosen))
    state = {k: v.float() for k, v in torch.load(args.start)["state"].items()}
    source = {k: v for k, v in state.items() if not k.startswith("layers.")}
    for i, wanted in enumerate(chosen):
        p = f"layers.{wanted}."
        source |= {f"layers.{i}.{k.removeprefix(p)}": v for k, v in state.items() if k.startswith(p)}
    model.load_state_dict(source)
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
            line += f" dev T={t:.3f} {figures(logits, labels, oos, t)}"
        print(line, flush=True)
    torch.save({"state": {k: v.half() if v.dim() > 1 else v for k, v in model.state_dict().items()}, "layers": len(chosen)}, args.out)


if __name__ == "__main__":
    main()
