"""Owns asking the TypeScript side: compiling an ONNX file to a .hyb one, and the scores the worker's engine gives. Leaves out the format itself.

Needs `npm ci` in the repository's root.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "node_modules" / ".bin" / "node"


def node(*arguments: str | Path) -> str:
    """What a script prints; paths are relative to the repository's root."""
    done = subprocess.run([NODE, *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise RuntimeError(f"node {' '.join(map(str, arguments))}: {done.stderr or done.stdout}")
    return done.stdout


def compile_encoder(source: Path, target: Path, card: dict, labels: list[str], variant: str, vocab: Path, temperature: float, max_tokens: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "labels.txt"
        names.write_text("\n".join(labels) + "\n", encoding="utf-8")
        options = ["--name", card["name"], "--variant", variant, "--model-version", card["version"], "--labels", names, "--out-of-scope", labels[-1]]
        options += ["--tokenizer", vocab.resolve(), "--max-chars", str(card["input"]["max_chars"]), "--max-tokens", str(max_tokens)]
        options += ["--table-bits", "4", "--calibration", str(temperature), "--out", target.resolve()]
        node("cli/hybrid.ts", "models", "compile", source.resolve(), *options)


def logits(file: Path, texts: list[str]) -> np.ndarray:
    """Or vectors, where the file embeds."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "texts.ndjson"
        inputs.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="ascii")
        answers = node("cli/hybrid.ts", "models", "answer", file.resolve(), "--inputs", inputs).splitlines()
    return np.array([a.get("logits", a.get("vector")) for a in map(json.loads, answers)], np.float32)


def latency_ms(file: Path) -> dict:
    return json.loads(node("test/bench/engine-latency.ts", file.resolve()))
