"""Owns the difficulty estimate in Python, and test/fixtures/difficulty-golden.json: what the TypeScript side is held to. Training is cli/difficulty.

python models/difficulty/reference.py
"""

from __future__ import annotations

import json
import struct
import sys
import unicodedata
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from lib.hashed_ngrams import MASK, fmix32  # noqa: E402
from lib.text_data import read_column  # noqa: E402
from lib.text_golden import HOSTILE, plain  # noqa: E402


def units(text: str, most: int) -> list[int]:
    """UTF-16 code units of the first `most`, in the normal form, lower case."""
    raw = text.encode("utf-16-le", "surrogatepass")[: 2 * most].decode("utf-16-le", "surrogatepass")
    normal = (raw if raw.isascii() else unicodedata.normalize("NFKC", raw)).lower().encode("utf-16-le", "surrogatepass")
    return [u for (u,) in struct.iter_unpack("<H", normal)][:most]


def grams(text: str, spec: dict) -> set[int]:
    found, (smallest, largest), all_units = set(), spec["sizes"], units(text, spec["max_chars"])
    for start in range(len(all_units)):
        h = 0x811C9DC5
        for size, unit in enumerate(all_units[start : start + largest], 1):
            h = (h ^ unit & 255) * 0x01000193 & MASK
            if unit > 255:
                h = (h ^ unit >> 8) * 0x01000193 & MASK
            if size >= smallest:
                found.add(fmix32(h) & (1 << spec["bits"]) - 1)
    return found


def estimate(text: str, header: dict, weights: np.ndarray) -> float:
    ids = sorted(grams(text, header["grams"]))
    raw = float(weights[ids].astype(np.float64).sum()) / len(ids) ** 0.5 if ids else 0.0
    return min(1.0, max(-1.0, header["intercept"] + header["slope"] * header["scale"] * raw))


def read(path: Path) -> tuple[dict, np.ndarray]:
    data = path.read_bytes()
    version, header_bytes = struct.unpack("<II", data[4:12])
    assert data[:4] == b"HYBD" and version == 1
    return json.loads(data[12 : 12 + header_bytes]), np.frombuffer(data[12 + header_bytes :], np.int8)


if __name__ == "__main__":
    header, weights = read(HERE / "uplift.hyd")
    texts = read_column(HERE / "mmlu.csv.gz", "prompt")[::140] + list(map(plain, HOSTILE)) + ["is this hard? " * 500]
    rows = [{"text": t, "grams": len(grams(t, header["grams"])), "difficulty": round(estimate(t, header, weights), 9)} for t in texts]
    target = HERE.parents[1] / "test" / "fixtures" / "difficulty-golden.json"
    target.write_text('{"rows":[\n' + ",\n".join(json.dumps(r) for r in rows) + "\n]}\n", encoding="utf-8")
    print(len(rows), target.stat().st_size)
