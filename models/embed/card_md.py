"""Owns CARD.md of `embed`: its card written for people."""


def percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def render(card: dict) -> str:
    variants = card["variants"]
    out = [f"# {card['name']} {card['version']}", "", card["description"], "", "Generated from card.json by models/embed/evaluate.py; edit models/embed/card_text.py.", ""]
    out += [f"Input: text, up to {card['input']['max_chars']} characters. Reference variant: `{card['reference_variant']}`.", "", "## Data", ""]
    out += [f"- {k}: {x}" for k, x in card["data"].items()]
    out += ["", "## Variants", "", "| | " + " | ".join(variants) + " |", "| --- |" + " --- |" * len(variants)]
    rows = {
        "file": lambda v: f"`{v['file']}`",
        "runs in": lambda v: {"engine": "the edge worker's engine", "onnx": "ONNX Runtime"}[v["runtime"]],
        "format": lambda v: v["format"],
        "dimensions": lambda v: v["dimensions"],
        "size, bytes": lambda v: f"{v['size_bytes']:,}",
        "latency p50 / p95, ms": lambda v: f"{v['latency_ms']['p50']} / {v['latency_ms']['p95']} ({v['latency_ms']['where']})",
        "SHA-256": lambda v: f"`{v['sha256'][:16]}...`",
    }
    out += [f"| {name} | " + " | ".join(str(cell(v)) for v in variants.values()) + " |" for name, cell in rows.items()]
    out += ["", "## Figures", ""]
    out += ["| | same intent as its nearest | AUC: QQP | AUC: MRPC | recall at 80 % precision: QQP | rank correlation with the teacher: QQP | same: MRPC |"]
    out += ["| --- | --- | --- | --- | --- | --- | --- |"]
    ways = {f"`{n}`": v["metrics"] for n, v in variants.items()} | {"all-MiniLM-L6-v2, float32, whole vocabulary": card["teacher"]}
    for name, m in ways.items():
        q, r = m["qqp"], m["mrpc"]
        out.append(f"| {name} | {percent(m['accuracy'])} | {q['auc']:.4f} | {r['auc']:.4f} | {percent(q['recall_at_precision_80'])} | {q['spearman_teacher']:.4f} | {r['spearman_teacher']:.4f} |")
    m = card["teacher"]
    out += ["", f"First column: {m['n']:,} rows, {m['split']}. QQP: {m['qqp']['n']:,} pairs, MRPC: {m['mrpc']['n']:,} pairs. Rank correlation: Spearman's, of the cosines of the pairs."]
    out += ["", "## Training", ""] + [f"- {n}: {v['training']}" for n, v in variants.items()]
    out += ["", "## Limits", "", card["limits"], "", "## Pretrained encoder", "", card["pretrained"]]
    return "\n".join(out) + "\n"
