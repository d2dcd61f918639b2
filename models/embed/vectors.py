"""Owns running micro.hyb of `embed` in NumPy: text -> word pieces -> unit vector."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lib.hyb import read, run_text
from lib.wordpiece import WordPiece


class Embedder:
    def __init__(self, file: Path, vocab_file: Path):
        """`vocab_file` is written from the vocabulary inside `file`: the tokenizer library wants one."""
        self.header, self.tensors = read(file)
        t = self.header["tokenizer"]
        vocab_file.write_bytes(self.tensors[t["vocab"]].tobytes())
        self.tokens = WordPiece(vocab_file, t["max_tokens"])
        self.max_chars = self.header["input"]["max_chars"]

    def ids(self, text: str) -> list[int]:
        """Without the [CLS] and [SEP] that the library adds."""
        return self.tokens.ids([text[: self.max_chars]])[0][1:-1]

    def one(self, text: str) -> np.ndarray:
        return run_text(self.header, self.tensors, [self.ids(text)])

    def many(self, texts: list[str]) -> np.ndarray:
        return np.stack([self.one(t) for t in texts])
