"""Owns the unlabelled texts that distillation adds: train rows with words swapped, dropped or recombined.

The large variant labels them; nothing here reads report rows.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict

import numpy as np
import torch

from .batches import batches
from .encoder import pretrained
from .wordpiece import WordPiece, pretrained_vocab

FILLERS = ["please", "hey", "can you", "i need to know", "tell me", "ok so", "i was wondering", "could you", "thanks", "hi", "um", "quickly", "right now", "today"]


@torch.no_grad()
def neighbours(tokens: WordPiece, kept: list[int], top: int = 10, least: float = 0.55, bfloat16: bool = True) -> dict[str, list[str]]:
    """Frequent English words nearest to each word by the pretrained encoder's own embedding of the single word."""
    vocab = pretrained_vocab()
    words = [vocab[i] for i in kept if re.fullmatch(r"[a-z]{2,}", vocab[i])]
    model = pretrained(kept, 2, list(range(6))).eval()
    rows = tokens.ids(words)
    out = torch.zeros(len(words), 384)
    for index, ids, mask in batches(rows, 256, None):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            out[torch.from_numpy(index)] = model.embed(ids, mask).float()
    out = torch.nn.functional.normalize(out, dim=1)
    near: dict[str, list[str]] = {}
    for start in range(0, len(words), 1024):
        score, index = (out[start : start + 1024] @ out.T).topk(top + 1, dim=1)
        for row, (s, j) in enumerate(zip(score.tolist(), index.tolist(), strict=True)):
            near[words[start + row]] = [words[k] for v, k in zip(s, j, strict=True) if v >= least and k != start + row]
    return near


def bare(text: str) -> list[str]:
    """Words without marks at their edges, which would hide them from `neighbours`; the tokenizers fold case anyway."""
    return [w for w in (re.sub(r"^\W+|\W+$", "", part) for part in text.lower().split()) if w] or ["?"]


class Recombiner:
    """Draws new texts from the words of labelled ones."""

    def __init__(self, split: list[list[str]], labels: list[int], near: dict[str, list[str]], rng: random.Random):
        self.split = split
        self.labels, self.near, self.rng = labels, near, rng
        self.by_class: dict[int, list[int]] = defaultdict(list)
        self.with_word: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for i, (words, label) in enumerate(zip(self.split, labels, strict=True)):
            self.by_class[label].append(i)
            for j, w in enumerate(words):
                self.with_word[w].append((i, j))

    def swap(self, words: list[str], share: float) -> list[str]:
        return [self.rng.choice(self.near[w]) if self.rng.random() < share and self.near.get(w) else w for w in words]

    def drop(self, words: list[str], share: float) -> list[str]:
        return [w for w in words if self.rng.random() > share] or words

    def cross(self, i: int, same_class: bool) -> list[str]:
        words = self.split[i]
        cut = self.rng.randrange(len(words))
        for _ in range(8):
            k, j = self.rng.choice(self.with_word[words[cut]])
            if k != i and (not same_class or self.labels[k] == self.labels[i]):
                return words[:cut] + self.split[k][j:]
        other = self.split[self.rng.choice(self.by_class[self.labels[i]])]
        return words[: (len(words) + 1) // 2] + other[len(other) // 2 :]

    def draw(self, most_words: int, question_share: float) -> str:
        i = self.rng.randrange(len(self.split))
        kind, words = self.rng.random(), self.split[i]
        if kind < 0.40:
            words = self.swap(words, self.rng.choice([0.15, 0.3]))
        elif kind < 0.65:
            words = self.swap(self.cross(i, True), 0.1)
        elif kind < 0.80:
            words = self.cross(i, False)
        elif kind < 0.92:
            words = self.swap(self.drop(words, self.rng.choice([0.1, 0.25])), 0.1)
        else:
            filler = self.rng.choice(FILLERS).split()
            words = filler + words if self.rng.random() < 0.6 else words + filler
        return " ".join(words[:most_words]) + ("?" if question_share and self.rng.random() < question_share else "")


def augment(texts: list[str], labels: list[int], near: dict[str, list[str]], count: int, seed: int, most_words: int = 40, marks: bool = True, question_share: float = 0.5) -> list[str]:
    """`marks`: the texts have capitals and punctuation. `question_share` of the new ones end in a question mark."""
    split = [bare(t) if marks else t.split() for t in texts]
    source, known, out = Recombiner(split, labels, near, random.Random(seed)), set(texts), set()
    while len(out) < count:
        text = source.draw(most_words, question_share)
        if text not in known:
            out.add(text)
    return sorted(out)


def soft_targets(logits: np.ndarray, gold: np.ndarray, gold_weight: float) -> torch.Tensor:
    """The teacher's softmax, mixed with the (smoothed) gold label where there is one (gold >= 0)."""
    soft = torch.from_numpy(logits.astype(np.float32)).softmax(-1)
    classes = soft.shape[1]
    hard = torch.nn.functional.one_hot(torch.from_numpy(np.maximum(gold, 0)).long(), classes).float() * 0.95 + 0.05 / classes
    return torch.where(torch.from_numpy(gold >= 0)[:, None], gold_weight * hard + (1 - gold_weight) * soft, soft)
