"""Owns validation.csv.gz: the report rows (BANKING77 CC BY 4.0, CLINC150 CC BY 3.0, attribution in the card) for demos, tests and figures."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from banking.data import HERE, OUTSIDE_PARTS, TASK  # noqa: E402
from lib.text_variants import write_gz  # noqa: E402

if __name__ == "__main__":
    data = TASK.load(TASK.arguments().parse_args().data)
    outside = sum(label == data.oos for label in data.report.labels)
    assert outside == sum(OUTSIDE_PARTS.values()), outside
    write_gz(HERE / "validation.csv.gz", [["text", "intent"], *[[t, data.names[i]] for t, i in zip(data.report.texts, data.report.labels, strict=True)]])
