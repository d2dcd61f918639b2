"""Owns the figures of intent's card.json; lib/text_evaluate.py has the options."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.data import SPLIT, TASK  # noqa: E402
from lib.text_evaluate import main  # noqa: E402

if __name__ == "__main__":
    main(TASK, SPLIT)
