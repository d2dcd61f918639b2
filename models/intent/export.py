"""Owns the committed files of the model: variants, their calibration, card.json, golden vectors. Leaves out training.

python models/intent/export.py --work DIR --out DIR2        models trained without the dev rows: fits calibration
python models/intent/export.py --work DIR --calibration DIR2/calibration.json --final large micro
DIR holds large-PART.pt, base-PART.pt and micro-PART.npz of the training scripts; PART is `final` for the variants
named by --final, else `choose`.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from intent.card_text import CARD, TRAINING, FORMATS  # noqa: E402
from intent.data import OOS, load  # noqa: E402
from intent.variants import NAMES, Variants  # noqa: E402
from lib import hyb, onnx_encoder  # noqa: E402
from lib.calibration import figures, fit_temperature  # noqa: E402
from lib.encoder import Classifier  # noqa: E402
from lib.wordpiece import WordPiece  # noqa: E402

HERE = Path(__file__).resolve().parent


def encoder(path: Path, vocab: int, classes: int) -> Classifier:
    state = {k: v.float() for k, v in torch.load(path)["state"].items()}
    layers = 1 + max(int(k.split(".")[1]) for k in state if k.startswith("layers."))
    model = Classifier(vocab, classes, layers)
    model.load_state_dict(state)
    return model.eval()


def write_micro(source: Path, target: Path, labels: list[str], temperature: float, oos_bias: float) -> int:
    m = np.load(source)
    tensors = {
        "table": ("i4", m["table"]),
        "table.scales": ("f32", m["scales"]),
        "table.groups": ("f32", m["groups"]),
        "table.bias": ("f32", m["bias"]),
    }
    activation = str(m["activation"])
    bag = {"op": "embedding_bag", "weights": "table", "scales": "table.scales", "scale_axis": str(m["axis"]), "group_weights": "table.groups"}
    graph = [bag | {"pool_power": float(m["power"]), "bias": "table.bias", "activation": activation}]
    for name in ("mid", "head"):
        if f"{name}_q" in m:
            bias = m[f"{name}_bias"].copy()
            if name == "head":
                bias[labels.index(OOS)] += oos_bias
            tensors |= {f"{name}": ("i8", m[f"{name}_q"]), f"{name}.scales": ("f32", m[f"{name}_scales"]), f"{name}.bias": ("f32", bias)}
            graph.append({"op": "dense", "weights": name, "scales": f"{name}.scales", "bias": f"{name}.bias", "activation": activation if name == "mid" else "none"})
    header = {
        "model": "intent",
        "variant": "micro",
        "version": CARD["version"],
        "task": CARD["task"],
        "labels": labels,
        "out_of_scope_label": OOS,
        "input": CARD["input"],
        "calibration": {"kind": "temperature", "temperature": temperature},
        "tokenizer": ast.literal_eval(str(m["spec"])),
        "graph": graph,
    }
    hyb.write(target, header, tensors)
    return sum(int(v.size) for _, v in tensors.values())


def write_files(work: Path, final: list[str], out: Path, labels: list[str], calibration: dict, floats: Path | None = None) -> dict[str, int]:
    parameters: dict[str, int] = {}
    part = {n: "final" if n in final else "choose" for n in NAMES}
    tokens = WordPiece(out / "vocab.txt")
    for name in ("base", "large"):
        model = encoder(work / f"{name}-{part[name]}.pt", tokens.size, len(labels))
        with torch.no_grad():
            model.head.bias[labels.index(OOS)] += calibration.get(name, {}).get("oos_bias", 0.0)
        onnx_encoder.save(model, out / f"{name}.onnx", True, f"intent-{name}")
        if floats:
            onnx_encoder.save(model, floats / f"{name}.onnx", False, f"intent-{name}")
        parameters[name] = sum(p.numel() for p in model.parameters())
    c = calibration.get("micro", {})
    parameters["micro"] = write_micro(work / f"micro-{part['micro']}.npz", out / "micro.hyb", labels, c.get("temperature", 1.0), c.get("oos_bias", 0.0))
    return parameters


def fit(folder: Path, texts: list[str], gold: np.ndarray, oos: int) -> dict:
    """Temperature and out-of-scope bias of each variant's quantized files on the dev rows.

    The bias is the smallest with the best recall among those that cost at most 0.1 points of in-scope accuracy.
    """
    variants, out = Variants(folder), {}
    for name in NAMES:
        logits, best = variants.logits(name, texts), None
        for bias in np.arange(0.0, 2.51, 0.25):
            moved = logits.copy()
            moved[:, oos] += bias
            f = figures(moved, gold, oos)
            unmoved = figures(logits, gold, oos)["accuracy_in_scope"]
            if best is None or (f["oos_recall"] > best[0] and f["accuracy_in_scope"] >= unmoved - 0.00101):
                best = (f["oos_recall"], float(bias), moved)
        assert best is not None
        t = round(fit_temperature(best[2], gold), 4)
        out[name] = {"temperature": t, "oos_bias": best[1], "dev": figures(best[2], gold, oos, t), "dev_without_bias": figures(logits, gold, oos, t)}
        print(name, json.dumps(out[name]), flush=True)
    return out


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--data", type=Path, default=HERE.parents[2] / "shared" / "data")
    a.add_argument("--work", type=Path, required=True)
    a.add_argument("--out", type=Path, default=HERE)
    a.add_argument("--calibration", type=Path)
    a.add_argument("--float", type=Path, help="also put float32 files of base and large there")
    a.add_argument("--final", nargs="*", default=[], choices=NAMES)
    args = a.parse_args()
    torch.set_num_threads(1)
    data = load(args.data)
    for folder in filter(None, (args.out, args.float)):
        folder.mkdir(exist_ok=True, parents=True)
        if folder != HERE:
            (folder / "vocab.txt").write_bytes((HERE / "vocab.txt").read_bytes())
    if args.calibration is None:
        write_files(args.work, args.final, args.out, data.names, {})
        calibration = fit(args.out, data.dev.texts, np.array(data.dev.labels), data.names.index(OOS))
        (args.out / "calibration.json").write_text(json.dumps(calibration, indent=1) + "\n")
    else:
        calibration = json.loads(args.calibration.read_text())
    parameters = write_files(args.work, args.final, args.out, data.names, calibration, args.float)
    card = CARD | {"labels": data.names, "out_of_scope_label": OOS, "reference_variant": "large", "variants": {}}
    for name in NAMES:
        file = args.out / ("micro.hyb" if name == "micro" else f"{name}.onnx")
        raw = file.read_bytes()
        entry = {"file": file.name, "runtime": "engine" if name == "micro" else "onnx"}
        if name != "micro":
            entry["tokenizer"] = {"kind": "wordpiece", "vocab": "vocab.txt", "lowercase": True, "max_tokens": 64}
        c = calibration[name]
        fitted = "1,550 rows held out of train (10 per class, 50 out of scope), on the quantized files of "
        fitted += "a twin trained by the same recipe without those rows" if name in args.final else "this model"
        entry |= {"format": FORMATS[name], "size_bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "parameters": parameters[name]}
        entry |= {"calibration": {"kind": "temperature", "temperature": c["temperature"], "fitted_on": fitted, "oos_bias_folded_in": c["oos_bias"]}}
        entry |= {"metrics": {}, "latency_ms": None, "training": TRAINING[name]}
        card["variants"][name] = entry
    (args.out / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
