"""Owns the .hyb form of the text encoders: the integers of an int8 file of lib/onnx_encoder.py, as the engine runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from .encoder import EPSILON, HEADS
from .hyb import write

Tensors = dict[str, tuple[str, np.ndarray]]


def convert(source: Path, vocab: Path, header: dict, path: Path) -> bytes:
    """`header`: model, variant, version, task, labels, out_of_scope_label, input, calibration."""
    values = {i.name: numpy_helper.to_array(i) for i in onnx.load(source).graph.initializer}
    layers = len({name.split(".")[0] for name in values if name.startswith("layer")})
    positions = values["positions.weight"]
    tensors: Tensors = {
        "vocabulary": ("u8", np.frombuffer(vocab.read_bytes().rstrip(b"\n"), np.uint8)),
        "words.weight": ("i8", values["words.weight"]),
        "words.scale": ("f32", values["words.scale"].reshape(-1)),
        "positions.weight": ("f32", positions),
    }
    graph: list[dict] = [{"op": "token_embedding", "weights": "words.weight", "scales": "words.scale", "positions": "positions.weight"}]

    def dense(name: str, activation: str = "none") -> None:
        weights, scales = values[f"{name}.weight"], values.get(f"{name}.scale")
        if scales is None:  # the head: float32 [out, in]
            scales = np.maximum(np.abs(weights).max(1), 1e-12) / 127
            weights = np.clip(np.rint(weights / scales[:, None]), -127, 127)
        else:
            weights = weights.T
        tensors[f"{name}.weight"] = ("i8", np.ascontiguousarray(weights))
        tensors[f"{name}.scale"] = ("f32", scales)
        tensors[f"{name}.bias"] = ("f32", values[f"{name}.bias"])
        op = {"op": "dense", "weights": f"{name}.weight", "scales": f"{name}.scale", "bias": f"{name}.bias", "activation": activation}
        graph.append(op if name == "head" else op | {"arithmetic": "int8"})

    def norm(name: str) -> None:
        for part in ("gamma", "beta"):
            tensors[f"{name}.{part}"] = ("f32", values[f"{name}.{part}"])
        graph.append({"op": "layer_norm", "gamma": f"{name}.gamma", "beta": f"{name}.beta", "epsilon": EPSILON})

    norm("norm")
    for i in range(layers):
        graph.append({"op": "residual_start"})
        dense(f"layer{i}.attention.qkv")
        graph.append({"op": "attention", "heads": HEADS})
        dense(f"layer{i}.attention.out")
        graph.append({"op": "residual_add"})
        norm(f"layer{i}.norm1")
        graph.append({"op": "residual_start"})
        dense(f"layer{i}.up", "gelu")
        dense(f"layer{i}.down")
        graph.append({"op": "residual_add"})
        norm(f"layer{i}.norm2")
    graph.append({"op": "sequence_pool", "pool": "mean"})
    dense("head")
    tokenizer = {"kind": "wordpiece", "version": 1, "vocabulary": "vocabulary", "lowercase": True, "max_tokens": len(positions)}
    return write(path, header | {"tokenizer": tokenizer, "graph": graph}, tensors)
