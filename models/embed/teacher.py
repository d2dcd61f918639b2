"""Owns what the pretrained encoder says: sentence vectors, and vectors of single word pieces without context.

python models/embed/teacher.py --out TEACHER.npz      vocabulary, piece vectors, texts and their sentence vectors
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from embed.data import HERE, split  # noqa: E402
from lib.augment import augment, neighbours  # noqa: E402
from lib.batches import batches  # noqa: E402
from lib.encoder import Classifier, pretrained  # noqa: E402
from lib.wordpiece import WordPiece, pretrained_vocab, prune  # noqa: E402

POSITIONS = 128


def with_rare_words(texts: list[str], words: list[str], count: int, seed: int) -> list[str]:
    """Texts in which one to three words are replaced by any of the vocabulary, so that words the texts lack are tuned too."""
    rng = random.Random(seed)
    out: list[str] = []
    while len(out) < count:
        parts = rng.choice(texts).split()[:20]
        for place in rng.sample(range(len(parts)), min(len(parts), rng.randint(1, 3))):
            parts[place] = rng.choice(words)
        out.append(" ".join(parts))
    return out


@torch.no_grad()
def vectors(model: Classifier, rows: list[list[int]], bfloat16: bool = True) -> np.ndarray:
    """Unit vectors of rows of ids: mean of the last layer over tokens, as all-MiniLM-L6-v2 is used."""
    model.eval()
    out = np.zeros((len(rows), model.head.in_features), np.float32)
    for index, ids, mask in batches(rows, 128, None):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            out[index] = torch.nn.functional.normalize(model.embed(ids, mask).float(), dim=1).numpy()
    return out


def full_encoder() -> Classifier:
    return pretrained(list(range(30522)), 2, list(range(6)), POSITIONS)


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    a.add_argument("--pieces", type=int, default=20480)
    a.add_argument("--augmented", type=int, default=30000)
    a.add_argument("--rare", type=int, default=25000)
    a.add_argument("--out", type=Path, required=True)
    args = a.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    started, vocab = time.time(), pretrained_vocab()
    train, held = split(args.data)
    keep = prune(train, 0)
    keep = prune(train, args.pieces - len(keep))
    vocab_file = args.out.with_name("vocab.txt")
    vocab_file.write_text("\n".join(vocab[i] for i in keep) + "\n", encoding="utf-8")
    full_file = args.out.with_name("vocab-full.txt")
    full_file.write_text("\n".join(vocab) + "\n", encoding="utf-8")
    tokens, model = WordPiece(full_file, POSITIONS), full_encoder()
    cls, sep = vocab.index("[CLS]"), vocab.index("[SEP]")
    pieces = vectors(model, [[cls, i, sep] for i in keep], False)
    print(f"{len(keep)} pieces {time.time() - started:.0f} s", flush=True)
    near = neighbours(WordPiece(vocab_file), keep)
    extra = augment(train, [0] * len(train), near, args.augmented, 1, 60)
    extra += with_rare_words(train, [vocab[i] for i in keep if re.fullmatch(r"[a-z]{3,}", vocab[i])], args.rare, 2)
    print(f"{len(train)} texts and {len(extra)} made from them {time.time() - started:.0f} s", flush=True)
    texts = train + extra
    sentences, chosen = vectors(model, tokens.ids(texts)), vectors(model, tokens.ids(held))
    print(f"sentences {time.time() - started:.0f} s", flush=True)
    np.savez(args.out, keep=np.array(keep), pieces=pieces, texts=np.array(texts, object), sentences=sentences.astype(np.float16), held=np.array(held, object), held_sentences=chosen)


if __name__ == "__main__":
    main()
