"""Owns writing, reading and a NumPy reference run of .hyb files with embedding_bag, dense and l2_normalize operators. FORMAT.md has the format."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from pathlib import Path

import numpy as np

MAGIC = b"HYBM"
ALIGN = 64
KINDS = {"i8": np.int8, "f32": "<f4", "u8": np.uint8}


def pad_to(data: bytes, fill: bytes) -> bytes:
    return data + fill * (-len(data) % ALIGN)


def pack_i4(q: np.ndarray) -> bytes:
    """Two values a byte, low nibble first, two's complement; rows have an even length."""
    assert q.shape[-1] % 2 == 0 and q.min() >= -8 and q.max() <= 7
    u = q.astype(np.int8).view(np.uint8).reshape(-1, 2) & 15
    return (u[:, 0] | u[:, 1] << 4).astype(np.uint8).tobytes()


def unpack_i4(data: bytes, shape: list[int]) -> np.ndarray:
    b = np.frombuffer(data, np.uint8)
    v = np.stack([b & 15, b >> 4], 1).astype(np.int8)
    return np.where(v > 7, v - 16, v).astype(np.int8).reshape(shape)


def write(path: Path, header: dict, tensors: dict[str, tuple[str, np.ndarray]]) -> bytes:
    """`tensors`: name -> ("i8" | "i4" | "f32" | "u8", values). Offsets are filled into the header here."""
    payload, table = b"", {}
    for name, (dtype, value) in tensors.items():
        raw = pack_i4(value) if dtype == "i4" else value.astype(KINDS[dtype]).tobytes()
        payload = pad_to(payload, b"\0")
        table[name] = {"dtype": dtype, "shape": list(value.shape), "offset": len(payload), "bytes": len(raw)}
        payload += raw
    text = json.dumps(header | {"tensors": table}, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text = pad_to(text, b" ")  # the fixed part is 64 bytes, so the header ends on a multiple of 64
    digest = hashlib.sha256(text + payload).digest()
    data = MAGIC + struct.pack("<III", 1, len(text), len(payload)) + digest + bytes(16) + text + payload
    path.write_bytes(data)
    return data


def read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    data = path.read_bytes()
    version, header_bytes, payload_bytes = struct.unpack("<III", data[4:16])
    body = data[64:]
    if data[:4] != MAGIC or version != 1 or len(body) != header_bytes + payload_bytes or hashlib.sha256(body).digest() != data[16:48]:
        raise ValueError(f"{path} is not an intact .hyb file")
    header = json.loads(body[:header_bytes])
    tensors = {}
    for name, t in header["tensors"].items():
        raw = body[header_bytes + t["offset"] : header_bytes + t["offset"] + t["bytes"]]
        tensors[name] = unpack_i4(raw, t["shape"]) if t["dtype"] == "i4" else np.frombuffer(raw, KINDS[t["dtype"]]).reshape(t["shape"])
    return header, tensors


def activate(x: np.ndarray, kind: str) -> np.ndarray:
    if kind == "relu":
        return np.maximum(x, 0)
    if kind == "tanh":
        return np.tanh(x)
    if kind == "gelu":
        return (0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))).astype(np.float32)
    if kind == "relu6":
        return np.clip(x, 0, 6)
    if kind == "sigmoid":
        return (1 / (1 + np.exp(-x))).astype(np.float32)
    if kind == "silu":
        return (x / (1 + np.exp(-x))).astype(np.float32)
    if kind == "hard_swish":
        return (x * np.clip(x + 3, 0, 6) / 6).astype(np.float32)
    return x


def run_text(header: dict, tensors: dict[str, np.ndarray], groups: list[list[int]]) -> np.ndarray:
    """Logits, or the unit vector, of one tokenized text."""
    x = np.zeros(0, np.float32)
    for op in header["graph"]:
        if op["op"] == "embedding_bag":
            table, scales = tensors[op["weights"]], tensors[op["scales"]]
            x = np.zeros(table.shape[1], np.float32)
            for g, ids in enumerate(groups):
                if ids:
                    rows = table[ids].astype(np.float32)
                    rows = rows * (scales[ids][:, None] if op["scale_axis"] == "row" else scales)
                    x += tensors[op["group_weights"]][g] * rows.sum(0) / len(ids) ** op["pool_power"]
            if "bias" in op:
                x = x + tensors[op["bias"]]
        elif op["op"] == "dense":
            x = (tensors[op["weights"]].astype(np.float32) @ x) * tensors[op["scales"]] + tensors[op["bias"]]
        elif op["op"] == "l2_normalize":
            norm = float(np.sqrt((x.astype(np.float64) ** 2).sum()))
            x = (x / norm).astype(np.float32) if norm >= 1e-12 else np.zeros_like(x)
        else:
            raise ValueError(f"operator {op['op']} has no reference here")
        x = activate(x, op.get("activation", "none"))
    return x
