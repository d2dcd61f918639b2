"""Owns which rows of BANKING77 and, for what is out of scope, of CLINC150 train, choose and report. Report rows choose nothing."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from lib.text_data import OOS, Data, Rows, TextTask, read_column, read_rows

HERE = Path(__file__).resolve().parent
REPORT_SHARE = 0.10
DEV_PER_CLASS = 10
OOS_PER_TOPIC = 14
UNSEEN_IN_REPORT = 18  # CLINC150 topics that no training or dev row has
UNSEEN_IN_DEV = 8  # others that training for `choose` does not have
# CLINC150 topics outside its banking and credit-card domains that a customer could still ask a bank about.
NEAR_BANKING = {
    *("exchange_rate", "direct_deposit", "payday", "income", "rollover_401k", "travel_notification", "taxes", "w2"),
    *("change_user_name", "cancel", "find_phone", "order_status", "order", "insurance", "insurance_change", "international_visa"),
}
BANK_WORDS = re.compile(r"\b(bank|banks|card|cards|account|accounts|money|cash|atm|transfer|currency|exchange|payment|payments|pay|paid|refund|fee|fees|credit|debit|deposit|passcode|pin|visa)\b")


def normal(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def outside_topics(clinc: Path) -> list[str]:
    domains = json.loads((clinc / "domains.json").read_text(encoding="utf-8"))
    topics = [t for d, names in domains.items() if d not in ("banking", "credit_cards") for t in names]
    return sorted(t for t in topics if t not in NEAR_BANKING)


def strange(pairs: list[tuple[str, str]]) -> list[str]:
    """CLINC150's own out-of-scope rows, without those that speak of a bank's business."""
    return [t for t in dict.fromkeys(t for t, _ in pairs) if not BANK_WORDS.search(t.lower())]


def load(folder: Path) -> Data:
    rng = random.Random(77)
    clinc = folder / "clinc150"
    by_class: dict[str, list[str]] = {}
    seen: set[str] = set()
    for text, label in read_rows(folder / "banking77" / "train.csv.gz", "text", "category"):
        if normal(text) not in seen:  # a text that stands twice must not be on both sides of a split
            by_class.setdefault(label, []).append(text)
        seen.add(normal(text))
    names = sorted(by_class) + [OOS]
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "dev": [], "report": []}
    for name in names[:-1]:
        texts = by_class[name]
        rng.shuffle(texts)
        report = round(len(texts) * REPORT_SHARE)
        parts["report"] += [(t, name) for t in texts[:report]]
        parts["dev"] += [(t, name) for t in texts[report : report + DEV_PER_CLASS]]
        parts["train"] += [(t, name) for t in texts[report + DEV_PER_CLASS :]]

    topics = outside_topics(clinc)
    rng.shuffle(topics)
    hidden, dev_only, shown = topics[:UNSEEN_IN_REPORT], topics[UNSEEN_IN_REPORT:][:UNSEEN_IN_DEV], topics[UNSEEN_IN_REPORT + UNSEEN_IN_DEV :]
    validation, rows = read_rows(clinc / "val.csv.gz", "text", "intent"), read_rows(clinc / "train.csv.gz", "text", "intent")
    own = strange(read_rows(clinc / "oos_train_plus.csv.gz", "text", "intent") + read_rows(clinc / "oos_train.csv.gz", "text", "intent"))
    rng.shuffle(own)
    report_outside = strange(read_rows(clinc / "oos_val.csv.gz", "text", "intent")) + [t for t, i in validation if i in hidden]
    report_outside += [t for t, i in validation if i in shown][::20]
    kept = {normal(t) for t in report_outside}

    def sample(wanted: list[str], each: int) -> list[str]:
        out: list[str] = []
        for topic in wanted:
            found = [t for t, i in rows if i == topic and normal(t) not in kept]
            out += rng.sample(found, min(each, len(found)))
        return out

    parts["report"] += [(t, OOS) for t in report_outside]
    parts["dev"] += [(t, OOS) for t in own[:40] + sample(dev_only, 20)]
    parts["train"] += [(t, OOS) for t in own[40:] + sample(shown, OOS_PER_TOPIC)]
    index = {n: i for i, n in enumerate(names)}

    def part(name: str) -> Rows:
        return Rows([t for t, _ in parts[name]], [index[label] for _, label in parts[name]])

    used = {normal(t) for name in parts for t, _ in parts[name]}
    questions = read_column(folder / "llmrouter" / "train.csv.gz", "question")
    # Topics hidden for the report stay hidden here too.
    other = [t for t, i in rows if i not in hidden and i not in dev_only] + [q for q in questions if len(q.split()) <= 25]
    unlabelled = [t for t in dict.fromkeys(other) if len(t) > 2 and normal(t) not in used]
    return Data(names, part("train"), part("dev"), part("report"), unlabelled)


# The out-of-scope report rows in their order: CLINC150's own, topics that training never saw, topics that it saw.
OUTSIDE_PARTS = {"own": 95, "unseen_topics": 360, "seen_topics": 78}
SPLIT = "997 held-out rows of BANKING77 train, 533 of CLINC150 val and oos_val"
TASK = TextTask(HERE, load)
