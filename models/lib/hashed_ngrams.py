"""Owns the hashed n-gram tokenizer of the edge text models; shared/tokenize/hashed-ngrams.ts is its twin, bit for bit."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import regex

WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class HashedNgrams:
    buckets: int
    word_ngrams: tuple[int, ...] = (1, 2)
    skip_bigrams: bool = True
    char_ngrams: tuple[int, ...] = (3, 4, 5)

    @property
    def groups(self) -> int:
        return len(self.word_ngrams) + int(self.skip_bigrams) + len(self.char_ngrams)

    def header(self) -> dict:
        return {
            "kind": "hashed_ngrams",
            "version": 1,
            "buckets": self.buckets,
            "word_ngrams": list(self.word_ngrams),
            "skip_bigrams": self.skip_bigrams,
            "char_ngrams": list(self.char_ngrams),
        }


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


def buckets(text: str, spec: HashedNgrams) -> list[list[int]]:
    return [[hash32(g, gram) % spec.buckets for gram in group] for g, group in enumerate(grams(text, spec))]
