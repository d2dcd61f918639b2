"""Owns validation.csv.gz: val and oos_val of CLINC150 (CC BY 3.0, attribution in the card) as one file for demos, tests and figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.data import read  # noqa: E402
from intent.evaluate import write_gz  # noqa: E402

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    clinc = a.parse_args().data / "clinc150"
    rows = read(clinc / "val.csv.gz") + read(clinc / "oos_val.csv.gz")
    write_gz(HERE / "validation.csv.gz", [["text", "intent"], *map(list, rows)])
