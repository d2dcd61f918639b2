"""Owns running the committed files of a text model's variants. Leaves out training and calibration."""

from __future__ import annotations

import csv
import gzip
import io
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from .hashed_ngrams import HashedNgrams, buckets
from .hyb import read, run_text
from .wordpiece import WordPiece, pad

NAMES = ("micro", "base", "large")


def write_gz(path: Path, rows: list[list[object]]) -> None:
    """A gzipped CSV whose bytes depend on its rows alone."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    with path.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as f:
        f.write(text.getvalue().encode("utf-8"))


def hashed_spec(t: dict) -> HashedNgrams:
    return HashedNgrams(t["buckets"], tuple(t["word_ngrams"]), t["skip_bigrams"], tuple(t["char_ngrams"]))


class Variants:
    def __init__(self, folder: Path, max_chars: int):
        self.max_chars = max_chars
        self.tokens = WordPiece(folder / "vocab.txt")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        files = {n: folder / f"{n}.onnx" for n in ("base", "large")}
        self.sessions = {n: ort.InferenceSession(f, options, providers=["CPUExecutionProvider"]) for n, f in files.items() if f.exists()}
        self.micro = read(folder / "micro.hyb") if (folder / "micro.hyb").exists() else None

    def one(self, name: str, text: str) -> np.ndarray:
        text = text[: self.max_chars]
        if name == "micro":
            assert self.micro is not None
            header, tensors = self.micro
            return run_text(header, tensors, buckets(text, hashed_spec(header["tokenizer"])))
        ids, mask = pad(self.tokens.ids([text]))
        return self.sessions[name].run(None, {"input_ids": ids, "attention_mask": mask})[0][0]

    def logits(self, name: str, texts: list[str]) -> np.ndarray:
        """One text at a time, as a request is answered: int8 activations share one scale per call."""
        return np.stack([self.one(name, t) for t in texts])

    def latency_ms(self, name: str, texts: list[str]) -> dict[str, float]:
        for t in texts[:50]:
            self.one(name, t)
        times = []
        for t in texts:
            start = time.perf_counter()
            self.one(name, t)
            times.append((time.perf_counter() - start) * 1000)
        return {"p50": round(float(np.percentile(times, 50)), 3), "p95": round(float(np.percentile(times, 95)), 3)}
