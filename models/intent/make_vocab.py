"""Owns models/intent/vocab.txt: the pretrained vocabulary pruned to specials, single characters, pieces in use, frequent English."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.data import load, other_texts  # noqa: E402
from lib.wordpiece import pretrained_vocab, prune  # noqa: E402

HERE = Path(__file__).resolve().parent
SIZE = 12_288


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    data = load(a.parse_args().data)
    # Texts of train and the plain questions of BANKING77 (its lines come first); never validation.
    texts = data.train.texts + data.dev.texts + other_texts(a.parse_args().data)[:9000]
    keep = prune(texts, 0)
    keep = prune(texts, SIZE - len(keep))
    vocab = pretrained_vocab()
    (HERE / "vocab.txt").write_text("\n".join(vocab[i] for i in keep) + "\n", encoding="utf-8")
    print(len(keep))


if __name__ == "__main__":
    main()
