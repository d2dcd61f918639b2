"""Owns which rows of CLINC150 train, choose and report. Validation rows are for reporting only and choose nothing."""

from __future__ import annotations

import csv
import gzip
import random
from dataclasses import dataclass
from pathlib import Path

OOS = "oos"
DEV_PER_CLASS = 10
DEV_OOS = 50


@dataclass(frozen=True)
class Rows:
    texts: list[str]
    labels: list[int]

    def __add__(self, other: Rows) -> Rows:
        return Rows(self.texts + other.texts, self.labels + other.labels)


@dataclass(frozen=True)
class Data:
    names: list[str]  # class order of the logits: in-scope labels sorted, "oos" last
    train: Rows
    dev: Rows  # carved out of train: chooses hyperparameters, temperature, out-of-scope bias
    report: Rows  # validation: in-scope rows, then out-of-scope rows


def read(path: Path) -> list[tuple[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
        return [(r["text"], r["intent"]) for r in csv.DictReader(f)]


def load(folder: Path) -> Data:
    clinc = folder / "clinc150"
    train = read(clinc / "train.csv.gz")
    outside = list(dict.fromkeys(read(clinc / "oos_train_plus.csv.gz") + read(clinc / "oos_train.csv.gz")))
    names = sorted({label for _, label in train}) + [OOS]
    report = read(clinc / "val.csv.gz") + read(clinc / "oos_val.csv.gz")
    seen = {t for t, _ in report}
    rng = random.Random(20)
    by_class: dict[str, list[str]] = {n: [] for n in names}
    for text, label in train + outside:
        if text not in seen:
            by_class[label].append(text)
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "dev": []}
    for name in names:
        texts = by_class[name]
        rng.shuffle(texts)
        cut = DEV_OOS if name == OOS else DEV_PER_CLASS
        parts["dev"] += [(t, name) for t in texts[:cut]]
        parts["train"] += [(t, name) for t in texts[cut:]]
    index = {n: i for i, n in enumerate(names)}

    def rows(pairs: list[tuple[str, str]]) -> Rows:
        return Rows([t for t, _ in pairs], [index[label] for _, label in pairs])

    return Data(names, rows(parts["train"]), rows(parts["dev"]), rows(report))


def other_texts(folder: Path) -> list[str]:
    """Unlabelled text that licences allow to train on (BANKING77, CC BY 4.0; LLMRouter questions, MIT): short lines only."""
    with gzip.open(folder / "banking77" / "train.csv.gz", "rt", encoding="utf-8", newline="") as f:
        banking = [" ".join(r["text"].split()) for r in csv.DictReader(f)]
    with gzip.open(folder / "llmrouter" / "train.csv.gz", "rt", encoding="utf-8", newline="") as f:
        questions = [" ".join(r["question"].split()) for r in csv.DictReader(f)]
    return [t for t in dict.fromkeys(banking + questions) if 2 < len(t) and len(t.split()) <= 25]
