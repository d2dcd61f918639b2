"""Owns validation.csv.gz: the report rows (BANKING77 CC BY 4.0, CLINC150 CC BY 3.0, attribution in the card) for demos, tests and figures."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from banking.data import OUTSIDE_PARTS, TASK  # noqa: E402
from lib.text_validation import main  # noqa: E402

if __name__ == "__main__":
    main(TASK, sum(OUTSIDE_PARTS.values()))
