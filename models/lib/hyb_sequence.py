"""Owns a NumPy reference run of .hyb files whose text goes through word pieces and a transformer encoder. FORMAT.md has the operators."""

from __future__ import annotations

import numpy as np

from .hyb import activate

Tensors = dict[str, np.ndarray]


def product(x: np.ndarray, weights: np.ndarray, scales: np.ndarray, shared: bool) -> np.ndarray:
    """Quantized to eight bits, each row with a scale of its own or all with one."""
    axis = None if shared else 1
    low, high = np.minimum(x.min(axis, keepdims=True), 0), np.maximum(x.max(axis, keepdims=True), 0)
    scale = ((high - low) / np.float32(255)).astype(np.float32)
    scale[high - low < 1e-30] = 1
    zero = np.rint(-low / scale)
    q = np.clip(np.rint(x / scale) + zero, 0, 255) - zero
    return ((q @ weights.T.astype(np.float64)) * scale * scales).astype(np.float32)


def attention(x: np.ndarray, heads: int) -> np.ndarray:
    q, k, v = (part.reshape(len(x), heads, -1).transpose(1, 0, 2) for part in np.split(x, 3, 1))
    scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(q.shape[2]))
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(x), -1)


def run(header: dict, tensors: Tensors, ids: list[int]) -> np.ndarray:
    """The last operator's values for the pieces of one text."""
    x, kept = np.zeros((0, 0), np.float32), []
    for op in header["graph"]:
        kind = op["op"]
        if kind == "token_embedding":
            x = tensors[op["weights"]][ids].astype(np.float32) * tensors[op["scales"]][ids][:, None]
            x = x + tensors[op["positions"]][: len(ids)] if "positions" in op else x
        elif kind == "dense":
            rows, weights, scales = np.atleast_2d(x), tensors[op["weights"]], tensors[op["scales"]]
            arithmetic = op.get("arithmetic", "f32")
            out = rows @ weights.T.astype(np.float32) * scales if arithmetic == "f32" else product(rows, weights, scales, arithmetic == "int8_shared")
            out = out + tensors[op["bias"]]
            x = activate(out if x.ndim == 2 else out[0], op["activation"])
        elif kind == "layer_norm":
            centred = x - x.mean(-1, keepdims=True)
            x = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + op["epsilon"]) * tensors[op["gamma"]] + tensors[op["beta"]]
        elif kind == "attention":
            x = attention(x, op["heads"])
        elif kind == "residual_start":
            kept.append(x)
        elif kind == "residual_add":
            x = x + kept.pop()
        elif kind == "sequence_pool":
            x = x.mean(0) if op["pool"] == "mean" else x[0]
        elif kind == "l2_normalize":
            norm = float(np.sqrt((x.astype(np.float64) ** 2).sum()))
            x = (x / norm if norm >= 1e-12 else np.zeros_like(x)).astype(np.float32)
        else:
            raise ValueError(f"operator {kind} has no reference here")
    return x
