"""Owns the unlabelled texts that tune `embed`, and the pairs that only measure it. Quora and MRPC pairs never train, and none of their text leaves the data folder."""

from __future__ import annotations

import csv
import gzip
import random
import re
from pathlib import Path

from banking.data import load as load_banking
from lib.text_data import read_column

HERE = Path(__file__).resolve().parent
MAX_WORDS = 60


def own_texts(folder: Path) -> list[str]:
    """CLINC150 train (CC BY 3.0), BANKING77 train without banking's report rows (CC BY 4.0), LLMRouter questions and their sentences (MIT)."""
    banking = load_banking(folder)
    questions = read_column(folder / "llmrouter" / "train.csv.gz", "question")
    sentences = [s for q in questions for s in re.split(r"(?<=[.?!:])\s+", q)]
    clinc = read_column(folder / "clinc150" / "train.csv.gz", "text") + read_column(folder / "clinc150" / "oos_train_plus.csv.gz", "text")
    inside = [t for part in (banking.train, banking.dev) for t, i in zip(part.texts, part.labels, strict=True) if i != banking.oos]
    texts = dict.fromkeys(clinc + inside + questions + sentences)
    return [t for t in texts if 2 <= len(t.split()) <= MAX_WORDS]


def split(folder: Path) -> tuple[list[str], list[str]]:
    """(train, held out to choose by)."""
    texts = own_texts(folder)
    random.Random(5).shuffle(texts)
    return texts[2000:], texts[:2000]


def pairs(path: Path, count: int) -> tuple[list[str], list[str], list[int]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
        rows = [list(r) for r in csv.reader(f)]
    head, rows = rows[0], rows[1:]
    label = head.index("label")
    a, b = [i for i in range(len(head)) if i != label][:2]
    random.Random(5).shuffle(rows)
    rows = rows[:count]
    return [r[a] for r in rows], [r[b] for r in rows], [int(r[label]) for r in rows]
