"""Owns test/fixtures/intent-golden.json: ordinary and hostile texts with each variant's tokens and logits."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.variants import NAMES, Variants  # noqa: E402
from lib.hashed_ngrams import HashedNgrams, buckets  # noqa: E402

HERE = Path(__file__).resolve().parent
HOSTILE = [
    "",
    " ",
    "\n\t\r\u00a0",
    "'",
    "\u2019\u2019",
    "a",
    "?!",
    "7",
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
    "play \ud83c\udfb5 music \ud83d\ude4f\ud83c\udffd",
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
    ("set an alarm for six " * 100)[:2000],
]


def main() -> None:
    variants = Variants(HERE)
    assert variants.micro is not None
    t = variants.micro[0]["tokenizer"]
    spec = HashedNgrams(t["buckets"], tuple(t["word_ngrams"]), t["skip_bigrams"], tuple(t["char_ngrams"]))
    with gzip.open(HERE / "validation.csv.gz", "rt", encoding="utf-8", newline="") as f:
        ordinary = [r["text"] for r in csv.DictReader(f)]
    rows = []
    for raw in ordinary[::140] + ["cancel my flight to boston please", *HOSTILE]:
        text = json.loads(json.dumps(raw))  # joins surrogate pairs, keeps lone ones
        clean = "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in text)
        logits = {n: [round(float(x), 4) for x in variants.one(n, text if n == "micro" else clean)] for n in NAMES}
        rows.append({"text": text, "buckets": buckets(text, spec), "input_ids": variants.tokens.ids([clean])[0], "logits": logits})
    target = HERE.parents[1] / "test" / "fixtures" / "intent-golden.json"
    lines = ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows)
    target.write_text(f'{{"model":"intent","tokenizer":{json.dumps(t)},\n"rows":[\n{lines}\n]}}\n', encoding="utf-8")
    print(len(rows), target.stat().st_size)


if __name__ == "__main__":
    main()
