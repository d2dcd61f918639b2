"""Owns test/fixtures/intent-golden.json."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.data import TASK  # noqa: E402
from lib.text_golden import hostile, main  # noqa: E402

STRANGE = ["cancel my flight to boston please", *hostile("play \ud83c\udfb5 music \ud83d\ude4f\ud83c\udffd", "set an alarm for six ")]

if __name__ == "__main__":
    main(TASK, STRANGE, gap="")
