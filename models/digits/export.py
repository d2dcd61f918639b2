"""Digits export: checkpoints -> micro.hyb, base.onnx, large.onnx, report-sample, golden vectors and card.json.

Owns every number in the card (its words are card_text.py): each is measured here on the written files, never on the checkpoints.
Run after train.py: python models/digits/export.py --data ../shared/data --work WORK_DIR
"""

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

import card_text
import data
import nets
import onnx_cnn
import quantize
import train

from lib import calibration, hyb  # noqa: E402  (quantize puts models/ on the path)
from lib.card import render  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DISTORTION_SEED = 9
SPLIT = "report: images 7200..7999 of mnist-8k, used for nothing else"
FITTED_ON = "choose: images 6400..7199 of mnist-8k"


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_onnx(path: Path, x: np.ndarray) -> np.ndarray:
    one = session(path)
    return np.concatenate([one.run(["logits"], {"image": part})[0] for part in np.array_split(x, 8)])


def onnx_latency(path: Path, x: np.ndarray) -> dict:
    one = session(path)
    times = []
    for i in range(600):
        started = time.perf_counter()
        one.run(["logits"], {"image": x[i % len(x)][None]})
        times.append((time.perf_counter() - started) * 1000)
    return percentiles(times[100:], "onnxruntime, 1 thread, batch 1, shared x86-64 server core")


def engine_latency(path: Path) -> dict:
    """The edge engine itself, in Node; without it the card says null."""
    script = ROOT / "test" / "bench" / "engine-latency.ts"
    try:
        out = subprocess.run([ROOT / "node_modules/.bin/node", script, path], capture_output=True, text=True, check=True)
        return json.loads(out.stdout.splitlines()[-1])
    except (OSError, subprocess.CalledProcessError) as problem:
        print(f"no engine latency: {problem}", file=sys.stderr)
        return {"p50": None, "p95": None, "where": "not measured"}


def percentiles(times: list[float], where: str) -> dict:
    p50, p95 = np.percentile(times, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "where": where}


def metrics(logits: np.ndarray, labels: np.ndarray, temperature: float) -> dict:
    probabilities = calibration.softmax(logits, temperature)
    correct = probabilities.argmax(1) == labels
    return {
        "accuracy": round(float(correct.mean()), 4),
        "ece": round(calibration.ece(probabilities.max(1), correct), 4),
        "errors": int((~correct).sum()),
        "n": len(labels),
        "split": SPLIT,
    }


def golden_images(images: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Report images, and inputs nobody drew: whatever is put in, TypeScript and Python must say the same."""
    random = np.random.default_rng(5)
    named = [(f"report-{i}", images[data.REPORT][i, 0]) for i in range(0, 800, 17)]
    ramp = np.tile(np.arange(28) * 9, (28, 1))
    named += [
        ("empty", np.zeros((28, 28))),
        ("full", np.full((28, 28), 255)),
        ("ramp", ramp),
        ("ramp-down", ramp.T[::-1]),
        ("checkers", np.indices((28, 28)).sum(0) % 2 * 255),
        ("corner", np.pad([[255]], ((0, 27), (0, 27)))),
        ("last-corner", np.pad([[255]], ((27, 0), (27, 0)))),
        ("upside-down", images[data.REPORT][3, 0][::-1]),
        ("inverted", 255 - images[data.REPORT][4, 0]),
        *((f"noise-{i}", random.integers(0, 256, (28, 28))) for i in range(4)),
    ]
    return [(name, np.ascontiguousarray(pixels, dtype=np.uint8)) for name, pixels in named]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    raw = data.read_idx(options.data / "mnist-8k" / "images-idx3-ubyte.gz")[:, None]
    images, labels = data.load(options.data)
    x, y = images.numpy(), labels.numpy()

    def checkpoint(model: torch.nn.Module, name: str) -> torch.nn.Module:
        model.load_state_dict(torch.load(options.work / f"{name}.pt"))
        return model.eval()

    golden = golden_images(raw)
    golden_x = np.stack([pixels for _, pixels in golden])[:, None].astype(np.float32) / np.float32(255)
    # Four distorted copies of each report image: the plain ones are too easy to tell the variants apart.
    generator = torch.Generator().manual_seed(DISTORTION_SEED)
    distorted_x = torch.cat([data.augment(images[data.REPORT], generator) for _ in range(4)]).numpy()
    distorted_y = np.tile(y[data.REPORT], 4)
    answers: dict[str, np.ndarray] = {}
    golden_logits: dict[str, list] = {}
    variants: dict[str, dict] = {}

    def describe(name: str, path: Path, logits_of, **fields) -> None:
        logits = logits_of(x[data.CHOOSE.start :])
        chosen, reported = logits[:800], logits[800:]
        temperature = fields.pop("temperature", None) or fit_temperature(chosen, y[data.CHOOSE])
        distorted = logits_of(distorted_x).argmax(1) == distorted_y
        content = path.read_bytes()
        answers[name] = reported.argmax(1)
        golden_logits[name] = np.round(logits_of(golden_x).astype(np.float64), 4).tolist()
        variants[name] = {
            "file": path.name,
            **{key: fields[key] for key in ("runtime", "format")},
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "parameters": fields["parameters"],
            "calibration": {"kind": "temperature", "temperature": temperature, "fitted_on": FITTED_ON},
            "metrics": metrics(reported, y[data.REPORT], temperature)
            | {
                "accuracy_distorted": round(float(distorted.mean()), 4),
                "accuracy_choose": round(float((chosen.argmax(1) == y[data.CHOOSE]).mean()), 4),
            },
            "latency_ms": fields["latency"](),
            "training": fields["training"],
        }
        print(name, json.dumps(variants[name]["metrics"]), f"{len(content)} bytes", variants[name]["latency_ms"])

    micro_path = HERE / "micro.hyb"
    graph, tensors = quantize.compile_micro(checkpoint(nets.micro(), "micro"))
    plain = {name: value for name, (_, value) in tensors.items()}
    temperature = fit_temperature(quantize.run(graph, plain, images[data.CHOOSE]), y[data.CHOOSE])
    header = {
        "model": "digits", "variant": "micro", "version": card_text.VERSION, "task": "image_classification",
        "labels": data.LABELS, "out_of_scope_label": None,
        "input": {"kind": "image", "height": 28, "width": 28, "channels": 1},
        "calibration": {"kind": "temperature", "temperature": temperature},
        "image": {"height": 28, "width": 28, "channels": 1},
    }
    quantize.write(micro_path, header, graph, tensors)
    read_header, read_tensors = hyb.read(micro_path)
    describe(
        "micro", micro_path, lambda part: quantize.run(read_header["graph"], read_tensors, torch.from_numpy(part)),
        temperature=temperature, runtime="engine", format="int8 weights per output channel, float32 activations",
        parameters=sum(value.size for value in plain.values() if value.dtype == np.int8),
        latency=lambda: engine_latency(micro_path), training=train.describe("micro"),
    )
    members = list(train.ensemble(options.work, "polished-").members)
    for name, models in (("base", [checkpoint(nets.base(), "polished-base")]), ("large", members)):
        path = HERE / f"{name}.onnx"
        onnx_cnn.save(models, path)
        describe(
            name, path, lambda part, path=path: run_onnx(path, part), runtime="onnx", format="float32 ONNX, opset 17",
            parameters=sum(p.numel() for model in models for p in model.parameters()), latency=lambda path=path: onnx_latency(path, x),
            training=train.describe(name),
        )

    for name, variant in variants.items():
        variant["metrics"]["agreement"] = round(float((answers[name] == answers["large"]).mean()), 4)

    sample = HERE / "report-sample"
    sample.mkdir(exist_ok=True)
    data.write_idx(sample / "images-idx3-ubyte.gz", raw[data.REPORT][:, 0])
    data.write_idx(sample / "labels-idx1-ubyte.gz", y[data.REPORT].astype(np.uint8))
    write_golden(golden, golden_logits)
    card = card_text.card_of(variants)
    (HERE / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (HERE / "CARD.md").write_text(render(card), encoding="utf-8")


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    return round(calibration.fit_temperature(logits, labels), 4)


def write_golden(golden: list[tuple[str, np.ndarray]], logits: dict[str, list]) -> None:
    path = ROOT / "test" / "fixtures" / "digits-golden.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "name": name,
            "pixels_base64": base64.b64encode(pixels.tobytes()).decode(),
            "logits": {variant: values[i] for variant, values in logits.items()},
        }
        for i, (name, pixels) in enumerate(golden)
    ]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    path.write_text(f'{{"model":"digits","height":28,"width":28,\n"rows":[\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
