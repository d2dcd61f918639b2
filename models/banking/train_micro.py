"""Owns the micro variant's recipe: hyperparameters that differ from lib/text_micro.py's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from banking.data import TASK  # noqa: E402
from lib.text_micro import main  # noqa: E402

if __name__ == "__main__":
    main(TASK, buckets=20_100, epochs=16, gram_dropout=0.4, known=True)
