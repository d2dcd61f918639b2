"""Owns models/intent/vocab.txt. Of the unlabelled texts it uses the plain questions of BANKING77, whose lines come first."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.data import TASK  # noqa: E402
from lib.text_vocab import main  # noqa: E402

if __name__ == "__main__":
    main(TASK, 12_288, lambda unlabelled: unlabelled[:9000])
