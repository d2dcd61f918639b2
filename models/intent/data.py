"""Owns which rows of CLINC150 train, choose and report. Validation rows are for reporting only and choose nothing."""

from __future__ import annotations

import random
from pathlib import Path

from lib.text_data import OOS, Data, Rows, TextTask, read_column, read_rows

HERE = Path(__file__).resolve().parent
DEV_PER_CLASS = 10
DEV_OOS = 50


def load(folder: Path) -> Data:
    def read(name: str) -> list[tuple[str, str]]:
        return read_rows(folder / "clinc150" / f"{name}.csv.gz", "text", "intent")

    train = read("train")
    outside = list(dict.fromkeys(read("oos_train_plus") + read("oos_train")))
    names = sorted({label for _, label in train}) + [OOS]
    report = read("val") + read("oos_val")
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

    return Data(names, rows(parts["train"]), rows(parts["dev"]), rows(report), other_texts(folder))


def other_texts(folder: Path) -> list[str]:
    """Unlabelled text that licences allow to train on (BANKING77, CC BY 4.0; LLMRouter questions, MIT): short lines only."""
    texts = read_column(folder / "banking77" / "train.csv.gz", "text") + read_column(folder / "llmrouter" / "train.csv.gz", "question")
    return [t for t in dict.fromkeys(texts) if 2 < len(t) and len(t.split()) <= 25]


SPLIT = "CLINC150 val + oos_val"
TASK = TextTask(HERE, load)
