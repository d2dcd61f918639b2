"""Owns writing a text model's validation.csv.gz: its report rows as one file for demos, tests and figures."""

from __future__ import annotations

from .text_data import TextTask
from .text_variants import write_gz


def main(task: TextTask, outside: int) -> None:
    """`outside`: how many of the rows must be out of scope."""
    data = task.load(task.arguments().parse_args().data)
    found = sum(label == data.oos for label in data.report.labels)
    assert found == outside, found
    write_gz(task.folder / "validation.csv.gz", [["text", "intent"], *[[t, data.names[i]] for t, i in zip(data.report.texts, data.report.labels, strict=True)]])
