"""Owns the unlabelled texts that distillation adds: train rows with words swapped, dropped or recombined, and text of other sets.

The large variant labels them; nothing here reads validation rows.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict

import numpy as np
import torch

from lib.batches import batches
from lib.encoder import pretrained
from lib.wordpiece import WordPiece, pretrained_vocab

FILLERS = ["please", "hey", "can you", "i need to know", "tell me", "ok so", "i was wondering", "could you", "thanks", "hi", "um", "quickly", "right now", "today"]


@torch.no_grad()
def neighbours(tokens: WordPiece, kept: list[int], top: int = 10, least: float = 0.55) -> dict[str, list[str]]:
    """Frequent English words nearest to each word by the pretrained encoder's own embedding of the single word."""
    vocab = pretrained_vocab()
    words = [vocab[i] for i in kept if re.fullmatch(r"[a-z]{2,}", vocab[i])]
    model = pretrained(kept, 2, list(range(6))).eval()
    rows = tokens.ids(words)
    out = torch.zeros(len(words), 384)
    for index, ids, mask in batches(rows, 256, None):
        out[torch.from_numpy(index)] = model.embed(ids, mask)
    out = torch.nn.functional.normalize(out, dim=1)
    near: dict[str, list[str]] = {}
    for start in range(0, len(words), 1024):
        score, index = (out[start : start + 1024] @ out.T).topk(top + 1, dim=1)
        for row, (s, j) in enumerate(zip(score.tolist(), index.tolist(), strict=True)):
            near[words[start + row]] = [words[k] for v, k in zip(s, j, strict=True) if v >= least and k != start + row]
    return near


def augment(texts: list[str], labels: list[int], near: dict[str, list[str]], count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    split = [t.split() for t in texts]
    by_class: dict[int, list[int]] = defaultdict(list)
    with_word: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for i, (words, label) in enumerate(zip(split, labels, strict=True)):
        by_class[label].append(i)
        for j, w in enumerate(words):
            with_word[w].append((i, j))

    def swap(words: list[str], share: float) -> list[str]:
        return [rng.choice(near[w]) if rng.random() < share and near.get(w) else w for w in words]

    def drop(words: list[str], share: float) -> list[str]:
        return [w for w in words if rng.random() > share] or words

    def cross(i: int, same_class: bool) -> list[str]:
        words = split[i]
        cut = rng.randrange(len(words))
        for _ in range(8):
            k, j = rng.choice(with_word[words[cut]])
            if k != i and (not same_class or labels[k] == labels[i]):
                return words[:cut] + split[k][j:]
        other = split[rng.choice(by_class[labels[i]])]
        return words[: (len(words) + 1) // 2] + other[len(other) // 2 :]

    out: set[str] = set()
    known = set(texts)
    while len(out) < count:
        i = rng.randrange(len(texts))
        kind = rng.random()
        if kind < 0.40:
            words = swap(split[i], rng.choice([0.15, 0.3]))
        elif kind < 0.65:
            words = swap(cross(i, True), 0.1)
        elif kind < 0.80:
            words = cross(i, False)
        elif kind < 0.92:
            words = swap(drop(split[i], rng.choice([0.1, 0.25])), 0.1)
        else:
            filler = rng.choice(FILLERS).split()
            words = filler + split[i] if rng.random() < 0.6 else split[i] + filler
        text = " ".join(words[:32])
        if text and text not in known:
            out.add(text)
    return sorted(out)
