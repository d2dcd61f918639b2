"""Owns the files of models/banking; lib/text_export.py has the options."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from banking.card_text import WORDS  # noqa: E402
from banking.data import TASK  # noqa: E402
from lib.text_export import main  # noqa: E402

if __name__ == "__main__":
    main(TASK, WORDS, small_of="large")
