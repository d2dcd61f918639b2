"""Owns running the committed files of a text model's variants. Leaves out training and calibration."""

from __future__ import annotations

import csv
import gzip
import io
import platform
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from . import engine, hyb_sequence
from .hashed_ngrams import HashedNgrams, buckets
from .hyb import read, run_text
from .wordpiece import WordPiece, pad

NAMES = ("micro", "small", "base", "large")
FILES = {"micro": "micro.hyb", "small": "small.hyb", "base": "base.onnx", "large": "large.onnx"}



def write_gz(path: Path, rows: list[list[object]]) -> None:
    """A gzipped CSV whose bytes depend on its rows alone."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as f:
        f.write(text.getvalue().encode("utf-8"))


def hashed_spec(t: dict, tensors: dict[str, np.ndarray]) -> HashedNgrams:
    tags = tensors[t["tags"]].tobytes() if "tags" in t else None
    return HashedNgrams(t["buckets"], tuple(t["word_ngrams"]), t["skip_bigrams"], tuple(t["char_ngrams"]), tags)


class Variants:
    def __init__(self, folder: Path, max_chars: int):
        self.max_chars = max_chars
        self.tokens = WordPiece(folder / "vocab.txt")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.files = {n: folder / f for n, f in FILES.items() if (folder / f).exists()}
        onnx = {n: f for n, f in self.files.items() if f.suffix == ".onnx"}
        self.sessions = {n: ort.InferenceSession(f, options, providers=["CPUExecutionProvider"]) for n, f in onnx.items()}
        self.edge = {n: read(f) for n, f in self.files.items() if f.suffix == ".hyb"}

    def one(self, name: str, text: str) -> np.ndarray:
        """Of an edge file, what NumPy makes of it: the engine's reference."""
        text = text[: self.max_chars]
        if name in self.edge:
            header, tensors = self.edge[name]
            if header["tokenizer"]["kind"] == "wordpiece":
                return hyb_sequence.run(header, tensors, self.tokens.ids([text])[0])
            return run_text(header, tensors, buckets(text, hashed_spec(header["tokenizer"], tensors)))
        ids, mask = pad(self.tokens.ids([text]))
        return self.sessions[name].run(None, {"input_ids": ids, "attention_mask": mask})[0][0]

    def logits(self, name: str, texts: list[str]) -> np.ndarray:
        """One text at a time, as a request is answered: int8 activations share one scale per call. Edge files run in the worker's engine."""
        if name in self.edge:
            return engine.logits(self.files[name], texts)
        return np.stack([self.one(name, t) for t in texts])

    def latency_ms(self, name: str, texts: list[str]) -> dict:
        if name in self.edge:
            return engine.latency_ms(self.files[name])
        for t in texts[:50]:
            self.one(name, t)
        times = []
        for t in texts:
            start = time.perf_counter()
            self.one(name, t)
            times.append((time.perf_counter() - start) * 1000)
        where = f"onnxruntime, one thread, batch 1, tokenizing included, {platform.machine()}, shared cores"
        return {"p50": round(float(np.percentile(times, 50)), 3), "p95": round(float(np.percentile(times, 95)), 3), "where": where}
