"""Owns the labelling of distillation texts by the mean logits of one or more fine-tuned large models.

SCRIPT --models A.pt B.pt --augmented 60000 --out LABELS.npz
SCRIPT --models A.pt B.pt --extend LABELS.npz --out ALL.npz      adds the dev rows and, in proportion, texts made from them

The models come from `train_large.py --part choose`, so their logits on the dev rows are those of unseen text.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from .augment import augment, neighbours
from .batches import predict
from .calibration import figures, fit_temperature
from .encoder import Classifier
from .text_data import TextTask
from .text_vocab import kept_ids
from .wordpiece import WordPiece


def load_model(path: Path) -> Classifier:
    saved = torch.load(path)
    state = {k: v.float() for k, v in saved["state"].items()}
    model = Classifier(state["words.weight"].shape[0], state["head.weight"].shape[0], saved["layers"])
    model.load_state_dict(state)
    return model.eval()


def main(task: TextTask, bfloat16: bool = True, **manner: object) -> None:
    """`manner`: how `augment` writes, `bfloat16`: how it finds near words."""
    a = task.arguments()
    a.add_argument("--models", type=Path, nargs="+", required=True)
    a.add_argument("--augmented", type=int, default=60000)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--extend", type=Path)
    a.add_argument("--out", type=Path, required=True)
    args = a.parse_args()
    torch.set_num_threads(1)
    data = task.load(args.data)
    tokens = WordPiece(task.vocab)
    started = time.time()
    near = neighbours(tokens, kept_ids(task), bfloat16=bfloat16)
    print(f"neighbours {time.time() - started:.0f} s", flush=True)
    source = data.dev if args.extend else data.train
    count = args.augmented * len(source.texts) // len(data.train.texts)
    extra = augment(source.texts, source.labels, near, count, args.seed, **manner) + ([] if args.extend else data.unlabelled)
    texts, gold = source.texts + extra, np.array(source.labels + [-1] * len(extra))
    rows = tokens.ids(texts)
    total = np.zeros((len(rows), len(data.names)), np.float32)
    for path in args.models:
        total += predict(load_model(path), rows) / len(args.models)
        print(path.name, f"{time.time() - started:.0f} s", flush=True)
    found, logits = np.array(texts, dtype=object), total.astype(np.float16)
    if args.extend:
        known = total[: len(source.texts)], gold[: len(source.texts)]
        t = fit_temperature(*known)
        print(f"ensemble dev T={t:.3f}", figures(*known, data.oos, t))
        old = np.load(args.extend, allow_pickle=True)
        found, gold, logits = (np.concatenate([new, old[k]]) for k, new in (("texts", found), ("gold", gold), ("logits", logits)))
    np.savez(args.out, texts=found, gold=gold, logits=logits)
