"""Owns writing a text model's vocab.txt: the pretrained vocabulary pruned to specials, single characters, pieces in use, frequent English."""

from __future__ import annotations

from collections.abc import Callable

from .text_data import TextTask
from .wordpiece import pretrained_vocab, prune


def short(unlabelled: list[str]) -> list[str]:
    return [t for t in unlabelled if len(t.split()) <= 12]


def main(task: TextTask, size: int, pick: Callable[[list[str]], list[str]] = short) -> None:
    """`pick`: the unlabelled texts whose pieces count as in use."""
    data = task.load(task.arguments().parse_args().data)
    texts = data.train.texts + data.dev.texts + pick(data.unlabelled)  # never report rows
    keep = prune(texts, 0)
    keep = prune(texts, size - len(keep))
    vocab = pretrained_vocab()
    task.vocab.write_text("\n".join(vocab[i] for i in keep) + "\n", encoding="utf-8")
    print(len(keep))


def kept_ids(task: TextTask) -> list[int]:
    """The pretrained id of each line of vocab.txt."""
    ids = {p: i for i, p in enumerate(pretrained_vocab())}
    return [ids[p] for p in task.vocab.read_text(encoding="utf-8").rstrip("\n").split("\n")]
