"""Owns what every text classifier's training scripts know of a task: its rows by part, its folder, where its data lie. Leaves out the rows themselves."""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

OOS = "oos"


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
    dev: Rows  # held out of training: chooses hyperparameters, temperature, out-of-scope bias
    report: Rows  # chooses nothing
    unlabelled: list[str] = field(default_factory=list)  # for distillation; never report rows

    @property
    def oos(self) -> int:
        return self.names.index(OOS)


@dataclass(frozen=True)
class TextTask:
    folder: Path  # models/<name>
    load: Callable[[Path], Data]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def vocab(self) -> Path:
        return self.folder / "vocab.txt"

    def arguments(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser()
        parser.add_argument("--data", type=Path, default=self.folder.parents[2] / "shared" / "data")
        return parser


def read_rows(path: Path, text: str, label: str) -> list[tuple[str, str]]:
    """(text, label) of a gzipped CSV; runs of white space become one space, which no tokenizer here sees."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
        return [(" ".join(r[text].split()), r[label]) for r in csv.DictReader(f)]


def read_column(path: Path, text: str) -> list[str]:
    return [t for t, _ in read_rows(path, text, text)]
