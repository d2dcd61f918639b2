"""Owns the labelling of intent's distillation texts. Rows of CLINC150 are in lower case and have no marks, and so have the texts made from them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.data import TASK  # noqa: E402
from lib.text_label import main  # noqa: E402

if __name__ == "__main__":
    main(TASK, bfloat16=False, most_words=32, marks=False, question_share=0.0)
