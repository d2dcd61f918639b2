"""Owns which n-grams a micro model knows: those that say most of the class, each in one of the two buckets its hash allows. Leaves out the table itself.

A bucket that many n-grams share is a mean of what they say. One n-gram a bucket, and one bucket for all that are left out, says more in the same bytes.
"""

from __future__ import annotations

import numpy as np

from .hashed_ngrams import UNKNOWN, places, tag_of

SMOOTHING = 0.02


def worth(index: np.ndarray, labels: np.ndarray, weights: np.ndarray, count: int, classes: int) -> np.ndarray:
    """Of each n-gram: its weighted count times the Kullback-Leibler divergence of its classes from all texts'; its share of their mutual information.

    index, labels, weights: of every occurrence, the n-gram, the class of its text and that text's weight.
    """
    seen = np.zeros((count, classes), np.float32)
    np.add.at(seen, (index, labels), weights)
    total = seen.sum(1)
    share = (seen + SMOOTHING) / (total + SMOOTHING * classes)[:, None]
    prior = np.bincount(labels, minlength=classes) / len(labels) + 1e-6
    return total * (share * np.log(share / prior)).sum(1)


def choose_tags(hashed: np.ndarray, labels: np.ndarray, weights: np.ndarray, buckets: int, classes: int) -> bytes:
    """The tag of every bucket. The worthiest n-grams choose first; one that finds both its buckets taken may move an owner to that one's other bucket."""
    ngrams, index = np.unique(hashed, return_inverse=True)
    order = np.argsort(-worth(index, labels, weights, len(ngrams), classes), kind="stable")
    both = np.stack(places(ngrams, buckets), 1).tolist()
    owners: dict[int, int] = {}
    for ngram in order.tolist():
        free = [b for b in both[ngram] if b not in owners]
        if free:
            owners[free[0]] = ngram
        else:
            move(ngram, both, owners)
    tags = np.zeros(buckets, np.uint8)
    owned = np.array(sorted(owners))
    tags[owned] = tag_of(ngrams[[owners[b] for b in owned.tolist()]])
    assert tags[UNKNOWN] == 0
    return tags.tobytes()


def move(ngram: int, both: list[list[int]], owners: dict[int, int]) -> None:
    for bucket in both[ngram]:
        for other in both[owners[bucket]]:
            if other not in owners:
                owners[other], owners[bucket] = owners[bucket], ngram
                return
