"""Owns the labelling of banking's distillation texts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from banking.data import TASK  # noqa: E402
from lib.text_label import main  # noqa: E402

if __name__ == "__main__":
    main(TASK)
