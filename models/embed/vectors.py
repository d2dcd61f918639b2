"""Owns running the files of `embed`: micro in NumPy and in the worker's engine, base in ONNX Runtime."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from lib import engine, hyb_sequence
from lib.encoder import DIM
from lib.hyb import read
from lib.wordpiece import WordPiece, pad

NAMES = ("micro", "base")
BATCH = 32


class Embedder:
    def __init__(self, folder: Path):
        self.header, self.tensors = read(folder / "micro.hyb")
        self.file = folder / "micro.hyb"
        self.tokens = WordPiece(folder / "vocab.txt", self.header["tokenizer"]["max_tokens"])
        self.max_chars = self.header["input"]["max_chars"]
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(folder / "base.onnx", options, providers=["CPUExecutionProvider"])

    def ids(self, text: str) -> list[int]:
        return self.tokens.ids([text[: self.max_chars]])[0]

    def one(self, name: str, text: str) -> np.ndarray:
        ids = self.ids(text)
        if name == "micro":
            return hyb_sequence.run(self.header, self.tensors, ids)
        feeds = {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}
        return self.session.run(None, feeds)[0][0]

    def many(self, name: str, texts: list[str]) -> np.ndarray:
        """Micro in the worker's engine; base in batches, which its float32 products do not tell from single texts."""
        if name == "micro":
            return engine.logits(self.file, texts)
        rows = [self.ids(t) for t in texts]
        out = np.zeros((len(rows), DIM), np.float32)
        order = np.argsort([len(r) for r in rows], kind="stable")
        for start in range(0, len(order), BATCH):
            index = order[start : start + BATCH]
            ids, mask = pad([rows[i] for i in index])
            out[index] = self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return out

    def latency_ms(self, name: str, texts: list[str]) -> dict:
        if name == "micro":
            return engine.latency_ms(self.file)
        times = []
        for t in texts[:50] + texts:
            start = time.perf_counter()
            self.one(name, t)
            times.append((time.perf_counter() - start) * 1000)
        p50, p95 = (round(float(np.percentile(times[50:], q)), 3) for q in (50, 95))
        return {"p50": p50, "p95": p95, "where": "onnxruntime, one thread, batch 1, tokenizing included, x86_64, shared cores"}
