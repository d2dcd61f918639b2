"""Owns validation.csv.gz: val and oos_val of CLINC150 (CC BY 3.0, attribution in the card) for demos, tests and figures."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.data import TASK  # noqa: E402
from lib.text_validation import main  # noqa: E402

if __name__ == "__main__":
    main(TASK, outside=100)
