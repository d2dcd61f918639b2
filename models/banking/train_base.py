"""Owns the base variant's recipe: no hyperparameter differs from lib/text_base.py's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from banking.data import TASK  # noqa: E402
from lib.text_base import main  # noqa: E402

if __name__ == "__main__":
    main(TASK)
