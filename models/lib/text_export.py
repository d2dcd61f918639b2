"""Owns the committed files of a text model: its variants, their calibration, card.json without figures. Leaves out training.

SCRIPT --work DIR --out DIR2        models trained without the dev rows: fits calibration
SCRIPT --work DIR --out DIR3 --calibration DIR2/calibration.json --final large micro
DIR holds large-PART.pt, base-PART.pt and micro-PART.npz of the training scripts; PART is `final` for the variants
named by --final, else `choose`. small.hyb is compiled from base.onnx or large.onnx.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from . import engine, hyb, onnx_encoder
from .calibration import figures, fit_temperature
from .text_data import OOS, TextTask
from .text_label import load_model
from .text_variants import FILES, NAMES, Variants


WORD_PIECES = 64  # of base, large and small; longer texts are cut


@dataclass(frozen=True)
class Words:
    """The prose of a card."""

    card: dict
    formats: dict[str, str]
    training: dict[str, str]  # "{large}" and so on become "; this file also on ..." in files trained on the dev rows too
    fitted_on: str  # the rows that temperature and bias were fitted on


def write_micro(source: Path, target: Path, card: dict, labels: list[str], temperature: float, oos_bias: float) -> int:
    m = np.load(source)
    bias = m["head_bias"].copy()
    bias[labels.index(OOS)] += oos_bias
    tensors = {"table": ("i4", m["table"]), "table.scales": ("f32", m["scales"]), "table.groups": ("f32", m["groups"]), "table.bias": ("f32", m["bias"])}
    tensors |= {"tags": ("u8", m["tags"])} if "tags" in m else {}
    tensors |= {"head": ("i8", m["head_q"]), "head.scales": ("f32", m["head_scales"]), "head.bias": ("f32", bias)}
    bag = {"op": "embedding_bag", "weights": "table", "scales": "table.scales", "scale_axis": "column", "group_weights": "table.groups"}
    bag |= {"pool_power": float(m["power"]), "bias": "table.bias", "activation": "gelu"}
    head = {"op": "dense", "weights": "head", "scales": "head.scales", "bias": "head.bias", "activation": "none"}
    header = {
        "model": card["name"],
        "variant": "micro",
        "version": card["version"],
        "task": card["task"],
        "labels": labels,
        "out_of_scope_label": OOS,
        "input": card["input"],
        "calibration": {"kind": "temperature", "temperature": temperature},
        "tokenizer": json.loads(str(m["tokenizer"])),
        "graph": [bag, head],
    }
    hyb.write(target, header, tensors)
    return sum(int(v.size) for _, v in tensors.values())


def write_files(
    work: Path, part: dict[str, str], out: Path, card: dict, labels: list[str], calibration: dict, floats: Path | None, small_of: str
) -> dict[str, int]:
    """Returns each variant's number of parameters."""
    parameters: dict[str, int] = {}
    for name in ("base", "large"):
        model = load_model(work / f"{name}-{part[name]}.pt")
        with torch.no_grad():
            model.head.bias[labels.index(OOS)] += calibration.get(name, {}).get("oos_bias", 0.0)
        onnx_encoder.save(model, out / f"{name}.onnx", True, f"{card['name']}-{name}")
        if floats:
            onnx_encoder.save(model, floats / f"{name}.onnx", False, f"{card['name']}-{name}")
        parameters[name] = sum(p.numel() for p in model.parameters())
    temperature = calibration.get("small", {}).get("temperature", 1.0)
    engine.compile_encoder(out / FILES[small_of], out / FILES["small"], card, labels, "small", out / "vocab.txt", temperature, WORD_PIECES)
    parameters["small"] = parameters[small_of]
    c = calibration.get("micro", {})
    source = work / f"micro-{part['micro']}.npz"
    parameters["micro"] = write_micro(source, out / "micro.hyb", card, labels, c.get("temperature", 1.0), c.get("oos_bias", 0.0))
    return parameters


BiasRule = Callable[[np.ndarray, np.ndarray, int], float]  # logits and labels of the dev rows, out-of-scope class -> bias of that class


def with_bias(logits: np.ndarray, oos: int, bias: float) -> np.ndarray:
    moved = logits.copy()
    moved[:, oos] += bias
    return moved


def best_accuracy(logits: np.ndarray, gold: np.ndarray, oos: int) -> float:
    """The bias with the best accuracy over all rows; of equals, the best in scope, then the smallest."""

    def merit(bias: float) -> tuple[float, float]:
        f = figures(with_bias(logits, oos, bias), gold, oos)
        return f["accuracy"], f["accuracy_in_scope"]

    return float(max(sorted(np.arange(-1.0, 2.51, 0.25), key=abs), key=merit))


def best_recall(logits: np.ndarray, gold: np.ndarray, oos: int) -> float:
    """The smallest bias with the best recall among those that cost at most 0.1 points of in-scope accuracy."""
    least = figures(logits, gold, oos)["accuracy_in_scope"] - 0.00101
    found = [(bias, figures(with_bias(logits, oos, bias), gold, oos)) for bias in np.arange(0.0, 2.51, 0.25)]
    return float(max((x for x in found if x[1]["accuracy_in_scope"] >= least), key=lambda x: x[1]["oos_recall"])[0])


def fit(variants: Variants, texts: list[str], gold: np.ndarray, oos: int, rule: BiasRule, small_of: str) -> dict:
    """Temperature and out-of-scope bias of each variant's quantized files on the dev rows."""
    out = {}
    for name in ("micro", "base", "large", "small"):
        logits = variants.logits(name, texts)
        # `small` is compiled from a file whose head holds the bias.
        bias = out[small_of]["oos_bias"] if name == "small" else rule(logits, gold, oos)
        moved = with_bias(logits, oos, bias)
        t = round(fit_temperature(moved, gold), 4)
        out[name] = {"temperature": t, "oos_bias": bias, "dev": figures(moved, gold, oos, t), "dev_without_bias": figures(logits, gold, oos, t)}
        print(name, json.dumps(out[name]), flush=True)
    return out


def main(task: TextTask, words: Words, rule: BiasRule = best_accuracy, small_of: str = "base") -> None:
    """`small_of`: the variant that is compiled for the edge engine as `small`."""
    a = task.arguments()
    a.add_argument("--work", type=Path, required=True)
    a.add_argument("--out", type=Path, default=task.folder)
    a.add_argument("--calibration", type=Path)
    a.add_argument("--float", type=Path, help="also put float32 files of base and large there")
    a.add_argument("--final", nargs="*", default=[], choices=NAMES)
    args = a.parse_args()
    torch.set_num_threads(1)
    data = task.load(args.data)
    final = {*args.final, *(["small"] if small_of in args.final else [])}
    part = {n: "final" if n in final else "choose" for n in NAMES}
    for folder in filter(None, (args.out, args.float)):
        folder.mkdir(exist_ok=True, parents=True)
        if folder != task.folder:
            (folder / "vocab.txt").write_bytes(task.vocab.read_bytes())
    if args.calibration is None:
        write_files(args.work, part, args.out, words.card, data.names, {}, None, small_of)
        variants = Variants(args.out, words.card["input"]["max_chars"])
        calibration = fit(variants, data.dev.texts, np.array(data.dev.labels), data.oos, rule, small_of)
        (args.out / "calibration.json").write_text(json.dumps(calibration, indent=1) + "\n")
    else:
        calibration = json.loads(args.calibration.read_text())
    parameters = write_files(args.work, part, args.out, words.card, data.names, calibration, args.float, small_of)
    card = words.card | {"labels": data.names, "out_of_scope_label": OOS, "reference_variant": "large", "variants": {}}
    for name in NAMES:
        file = args.out / FILES[name]
        raw, c = file.read_bytes(), calibration[name]
        entry: dict = {"file": file.name, "runtime": "engine" if file.suffix == ".hyb" else "onnx"}
        if file.suffix == ".onnx":
            entry["tokenizer"] = {"kind": "wordpiece", "vocab": "vocab.txt", "lowercase": True, "max_tokens": WORD_PIECES}
        fitted = f"{words.fitted_on}, on the quantized files of " + ("a twin trained by the same recipe without those rows" if name in final else "this model")
        entry |= {"format": words.formats[name], "size_bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "parameters": parameters[name]}
        entry |= {"calibration": {"kind": "temperature", "temperature": c["temperature"], "fitted_on": fitted, "oos_bias_folded_in": c["oos_bias"]}}
        training = words.training[name].replace("{" + name + "}", "; this file also on the dev rows and texts made from them" if name in final else "")
        card["variants"][name] = entry | {"metrics": {}, "latency_ms": None, "training": training}
    (args.out / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
