"""Owns the hashed n-gram tokenizer of the edge text models; shared/tokenize/hashed-ngrams.ts is its twin, bit for bit."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import regex

WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
MASK = 0xFFFFFFFF
SECOND_PLACE = 0x9E3779B1
UNKNOWN = 0  # the bucket of every n-gram that the tags do not know


@dataclass(frozen=True)
class HashedNgrams:
    buckets: int
    word_ngrams: tuple[int, ...] = (1, 2)
    skip_bigrams: bool = True
    char_ngrams: tuple[int, ...] = (3, 4, 5)
    tags: bytes | None = None  # one a bucket, of the n-gram that the bucket belongs to; None: every n-gram is known

    @property
    def groups(self) -> int:
        return len(self.word_ngrams) + int(self.skip_bigrams) + len(self.char_ngrams)

    def header(self) -> dict:
        known = {"version": 1} if self.tags is None else {"version": 2, "tags": "tags"}
        return {
            "kind": "hashed_ngrams",
            "buckets": self.buckets,
            "word_ngrams": list(self.word_ngrams),
            "skip_bigrams": self.skip_bigrams,
            "char_ngrams": list(self.char_ngrams),
        } | known


def words(text: str) -> list[str]:
    text = "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text)
    text = unicodedata.normalize("NFKC", text).lower().replace("'", "").replace("\u2019", "")
    return WORD.findall(text)


def grams(text: str, spec: HashedNgrams) -> list[list[str]]:
    """The grams of each group, in the format's order of groups."""
    found = words(text)
    out: list[list[str]] = []
    for n in spec.word_ngrams:
        if n == 1:
            out.append(["w" + w for w in found])
        else:
            padded = ["^", *found, "$"]
            out.append([" ".join(padded[i : i + n]) for i in range(len(padded) - n + 1)] if found else [])
    if spec.skip_bigrams:
        out.append([f"{a} {b}" for a, b in zip(found, found[2:])])
    for n in spec.char_ngrams:
        out.append([f"<{w}>"[i : i + n] for w in found for i in range(len(w) + 2 - n + 1)])
    return out


def fmix32(h: int) -> int:
    h ^= h >> 16
    h = h * 0x85EBCA6B & MASK
    h ^= h >> 13
    h = h * 0xC2B2AE35 & MASK
    return h ^ h >> 16


_cache: dict[tuple[int, str], int] = {}


def hash32(group: int, gram: str) -> int:
    key = (group, gram)
    h = _cache.get(key)
    if h is None:
        h = 0x811C9DC5
        for byte in bytes([0x30 + group]) + gram.encode("utf-8"):
            h = (h ^ byte) * 0x01000193 & MASK
        h = _cache[key] = fmix32(h)
    return h


def hashes(text: str, spec: HashedNgrams) -> list[list[int]]:
    return [[hash32(g, gram) for gram in group] for g, group in enumerate(grams(text, spec))]


def tag_of(hashed: np.ndarray) -> np.ndarray:
    """1 to 255; 0 is an empty bucket's."""
    return np.maximum(hashed >> np.uint32(24), 1).astype(np.uint8)


def places(hashed: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The two buckets that may belong to an n-gram."""
    again = (hashed.astype(np.uint64) * np.uint64(SECOND_PLACE)).astype(np.uint32)
    rows = np.uint32(count - 1)
    return 1 + (hashed % rows).astype(np.int64), 1 + (again % rows).astype(np.int64)


def buckets_of(hashed: np.ndarray, spec: HashedNgrams) -> np.ndarray:
    """Of 32-bit hashes."""
    if spec.tags is None:
        return (hashed % np.uint32(spec.buckets)).astype(np.int64)
    tags, tag = np.frombuffer(spec.tags, np.uint8), tag_of(hashed)
    first, second = places(hashed, spec.buckets)
    return np.where(tags[first] == tag, first, np.where(tags[second] == tag, second, UNKNOWN))


def buckets(text: str, spec: HashedNgrams) -> list[list[int]]:
    return [buckets_of(np.array(group, np.uint32), spec).tolist() for group in hashes(text, spec)]
