"""Owns the labelling of distillation texts by the mean logits of one or more fine-tuned large models.

python models/intent/label.py --models A.pt B.pt --augmented 60000 --out LABELS.npz
python models/intent/label.py --models A.pt B.pt --extend LABELS.npz --out ALL.npz      adds the dev rows

The models come from `train_large.py --part choose`, so their logits on the dev rows are those of unseen text.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.augment import augment, neighbours  # noqa: E402
from intent.data import OOS, load, other_texts  # noqa: E402
from intent.train_large import kept_ids  # noqa: E402
from lib.batches import predict  # noqa: E402
from lib.calibration import figures, fit_temperature  # noqa: E402
from lib.encoder import Classifier  # noqa: E402
from lib.wordpiece import WordPiece  # noqa: E402

HERE = Path(__file__).resolve().parent


def load_model(path: Path, vocab: int, classes: int, layers: int = 6) -> Classifier:
    model = Classifier(vocab, classes, layers)
    model.load_state_dict({k: v.float() for k, v in torch.load(path)["state"].items()})
    return model.eval()


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    a.add_argument("--models", type=Path, nargs="+", required=True)
    a.add_argument("--augmented", type=int, default=60000)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--extend", type=Path)
    a.add_argument("--out", type=Path, required=True)
    args = a.parse_args()
    torch.set_num_threads(1)
    data = load(args.data)
    train = data.train
    tokens = WordPiece(HERE / "vocab.txt")
    started = time.time()
    if args.extend:
        texts, gold = data.dev.texts, np.array(data.dev.labels)
    else:
        near = neighbours(tokens, kept_ids(HERE / "vocab.txt"))
        print(f"neighbours {time.time() - started:.0f} s", flush=True)
        extra = augment(train.texts, train.labels, near, args.augmented, args.seed) + other_texts(args.data)
        texts, gold = train.texts + extra, np.array(train.labels + [-1] * len(extra))
    rows = tokens.ids(texts)
    total = np.zeros((len(rows), len(data.names)), np.float32)
    for path in args.models:
        total += predict(load_model(path, tokens.size, len(data.names)), rows) / len(args.models)
        print(path.name, f"{time.time() - started:.0f} s", flush=True)
    texts, logits = np.array(texts, dtype=object), total.astype(np.float16)
    if args.extend:
        t = fit_temperature(total, gold)
        print(f"ensemble dev T={t:.3f}", figures(total, gold, data.names.index(OOS), t))
        old = np.load(args.extend, allow_pickle=True)
        texts, gold, logits = (np.concatenate([new, old[k]]) for k, new in (("texts", texts), ("gold", gold), ("logits", logits)))
    np.savez(args.out, texts=texts, gold=gold, logits=logits)


if __name__ == "__main__":
    main()
