"""Owns CARD.md of `embed`: its card written for people."""

WAYS = {"teacher": "teacher, all-MiniLM-L6-v2", "embed": "embed", "mean_of_contextless": "mean of the teacher's single-piece vectors, 384 float32", "mean_of_input_embeddings": "mean of the teacher's input embeddings, 384 float32"}


def percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def render(card: dict) -> str:
    v, m = card["variants"]["micro"], card["variants"]["micro"]["metrics"]
    out = [f"# {card['name']} {card['version']}", "", card["description"], "", "Generated from the card by models/embed/evaluate.py; edit models/embed/card_text.py.", ""]
    out += [f"Input: text, up to {card['input']['max_chars']} characters. Output: {v['dimensions']} float32 values of length one.", "", "## Data", ""]
    out += [f"- {k}: {x}" for k, x in card["data"].items()]
    out += ["", "## File", "", f"`{v['file']}`: {v['format']}; {v['pieces']:,} pieces, {v['size_bytes']:,} bytes, SHA-256 `{v['sha256'][:16]}...`", "", "## Figures", ""]
    out += ["| labelled pairs | AUC: QQP | AUC: MRPC | recall at 80 % precision: QQP | rank correlation with the teacher: QQP | same: MRPC |", "| --- | --- | --- | --- | --- | --- |"]
    for way, name in WAYS.items():
        q, r = m["qqp"][way], m["mrpc"][way]
        out.append(f"| {name} | {q['auc']:.4f} | {r['auc']:.4f} | {percent(q['recall_at_precision_80'])} | {q['spearman_teacher']:.4f} | {r['spearman_teacher']:.4f} |")
    out += ["", f"QQP: {m['qqp']['n']:,} pairs, MRPC: {m['mrpc']['n']:,} pairs. Rank correlation: Spearman's, of the cosines of the pairs.", ""]
    out += ["| 2,000 held-out texts, all pairs among them | rank correlation with the teacher | within each text's ten nearest | of the ten nearest, shared |", "| --- | --- | --- | --- |"]
    for way, f in m["held_out_texts"].items():
        out.append(f"| {WAYS[way]} | {f['spearman']:.4f} | {f['spearman_near']:.4f} | {percent(f['top_10_shared'])} |")
    out += ["", "## Training", "", v["training"], "", "## Limits", "", card["limits"], "", "## Pretrained encoder", "", card["pretrained"]]
    return "\n".join(out) + "\n"
