"""Owns a text model's golden vectors: ordinary and hostile texts with each variant's tokens and logits."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from .hashed_ngrams import buckets
from .text_data import TextTask, read_rows
from .text_variants import NAMES, Variants, hashed_spec


def hostile(emoji: str, long: str) -> list[str]:
    """`emoji` and `long` (repeated) are of the model's own subject."""
    return [
        *("", " ", "\n\t\r\u00a0", "'", "\u2019\u2019", "a", "?!", "7"),
        "What's  my   BALANCE?!",
        "don\u2019t won't can''t",
        "\uff35\uff30\uff27\uff32\uff21\uff24\uff25 my card",
        "\ufb01nd my o\ufb03ce",
        "CAF\u00c9 cafe\u0301 na\u00efve",
        "stra\u00dfe STRASSE",
        "\u0130stanbul \u0131\u015f\u0131k",
        "\u039f\u0394\u039f\u03a3 \u03a3\u0391\u03a3",
        "\u043a\u0430\u043a\u0430\u044f \u043f\u043e\u0433\u043e\u0434\u0430",
        "\u4eca\u5929\u5929\u6c14\u600e\u4e48\u6837",
        "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c",
        "\uc548\ub155\ud558\uc138\uc694",
        "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643",
        "\u0928\u092e\u0938\u094d\u0924\u0947",
        "\ud83d\ude00",
        emoji,
        "\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67 family",
        "\ud835\udd04\ud835\udd05 fraktur",
        "lone \ud800 surrogate",
        "\udc00tail\ud83d",
        "nul\u0000byte and bell\u0007",
        "soft\u00adhyphen zero\u200bwidth",
        "\u202eright to left",
        "x" * 101,
        "e\u0301" * 40,
        "[CLS] [SEP] [PAD] [UNK] ##ing",
        "transfer $1,000.50 to acct #12-34",
        "http://example.com/a?b=c&d=e",
        "\u00bd \u2460 \u2167 x\u00b2",
        "book " * 400,
        (long * 100)[:2000],
    ]


HOSTILE = hostile("card \ud83d\udcb3 lost \ud83d\ude4f\ud83c\udffd", "why was my card payment declined ")


def plain(raw: str) -> str:
    """Surrogate pairs joined, lone ones kept."""
    return json.loads(json.dumps(raw))


def clean(text: str) -> str:
    """What a UTF-8 encoder makes of lone surrogates."""
    return "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in text)


def write(target: Path, head: dict, rows: list[dict], gap: str = " ") -> None:
    """`gap` follows the commas and colons between the members of `head`: committed files differ in it."""
    members = f",{gap}".join(f'"{k}":{gap}{json.dumps(v)}' for k, v in head.items())
    lines = ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows)
    target.write_text(f'{{{members},\n"rows":[\n{lines}\n]}}\n', encoding="utf-8")
    print(len(rows), target.stat().st_size)


def main(task: TextTask, strange: list[str] = HOSTILE, gap: str = " ") -> None:
    a = task.arguments()
    a.add_argument("--folder", type=Path, default=task.folder)
    a.add_argument("--out", type=Path, default=task.folder.parents[1] / "test" / "fixtures" / f"{task.name}-golden.json")
    args = a.parse_args()
    card = json.loads((args.folder / "card.json").read_text(encoding="utf-8"))
    variants = Variants(args.folder, card["input"]["max_chars"])
    header, tensors = variants.edge["micro"]
    t = header["tokenizer"]
    spec = hashed_spec(t, tensors)
    tags = None if spec.tags is None else base64.b64encode(spec.tags).decode()
    ordinary = [x for x, _ in read_rows(task.folder / "validation.csv.gz", "text", "intent")]
    rows = []
    for text in map(plain, ordinary[:: len(ordinary) // 22] + strange):
        logits = {n: [round(float(x), 4) for x in variants.one(n, text if n == "micro" else clean(text))] for n in NAMES}
        rows.append({"text": text, "buckets": buckets(text, spec), "input_ids": variants.tokens.ids([clean(text)])[0], "logits": logits})
    write(args.out, {"model": task.name, "tokenizer": t | {"tags": tags}}, rows, gap)
