"""Owns test/fixtures/embed-golden.json: ordinary and hostile texts with their piece ids and unit vectors."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from embed.data import HERE, split  # noqa: E402
from embed.vectors import NAMES, Embedder  # noqa: E402
from lib.text_golden import HOSTILE, clean, plain, write  # noqa: E402

if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    a.add_argument("--folder", type=Path, default=HERE)
    a.add_argument("--out", type=Path, default=HERE.parents[1] / "test" / "fixtures" / "embed-golden.json")
    args = a.parse_args()
    embedder = Embedder(args.folder)
    rows = []
    for text in map(plain, split(args.data)[1][::80] + HOSTILE):
        found = {n: [round(float(x), 5) for x in embedder.one(n, clean(text))] for n in NAMES}
        rows.append({"text": text, "input_ids": embedder.ids(clean(text)), "vector": found})
    write(args.out, {"model": "embed", "tokenizer": embedder.header["tokenizer"]}, rows)
