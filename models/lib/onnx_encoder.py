"""Owns the ONNX form of lib/encoder.py: opset 17, standard operators only, float32 or int8 weights with dynamic activations.

int8: every matrix product of the layers is DynamicQuantizeLinear -> MatMulInteger with one scale per output channel;
the embedding table has one scale per row. Positions, norms, biases and the head stay float32.
Sentence encoders: int8 weights too, but float32 products, because one scale for a call's activations moves a vector far; a table of four bits, two to a byte.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from .encoder import EPSILON, Classifier


class Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.shared: dict[str, str] = {}

    def const(self, name: str, value: np.ndarray) -> str:
        if name not in self.shared:
            self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
            self.shared[name] = name
        return name

    def node(self, op: str, inputs: list[str], name: str, outputs: int = 1, **attributes: object) -> str:
        outs = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, outs, name=name, **attributes))
        return name


def quantize_rows(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric int8 with one scale per row."""
    scale = np.maximum(np.abs(w).max(1), 1e-12) / 127
    return np.clip(np.rint(w / scale[:, None]), -127, 127).astype(np.int8), scale.astype(np.float32)


Product = Callable[[Graph, str, torch.nn.Linear, str], str]


def linear(g: Graph, x: str, module: torch.nn.Linear, name: str, int8: bool) -> str:
    w, b = module.weight.detach().numpy(), module.bias.detach().numpy()
    bias = g.const(f"{name}.bias", b)
    if not int8:
        product = g.node("MatMul", [x, g.const(f"{name}.weight", w.T)], f"{name}.product")
    else:
        q, scale = quantize_rows(w)
        if f"{x}.q" not in g.shared:
            g.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], [f"{x}.q", f"{x}.scale", f"{x}.zero"], name=f"{x}.quantize"))
            g.shared[f"{x}.q"] = x
        whole = g.node("MatMulInteger", [f"{x}.q", g.const(f"{name}.weight", q.T), f"{x}.zero"], f"{name}.integer")
        real = g.node("Cast", [whole], f"{name}.cast", to=TensorProto.FLOAT)
        factor = g.node("Mul", [f"{x}.scale", g.const(f"{name}.scale", scale)], f"{name}.factor")
        product = g.node("Mul", [real, factor], f"{name}.product")
    return g.node("Add", [product, bias], name)


def stored_linear(g: Graph, x: str, module: torch.nn.Linear, name: str) -> str:
    """int8 in the file, float32 in the product: ONNX Runtime folds Cast and Mul of constants when it loads, but not DequantizeLinear."""
    q, scale = quantize_rows(module.weight.detach().numpy())
    real = g.node("Cast", [g.const(f"{name}.weight", q.T)], f"{name}.cast", to=TensorProto.FLOAT)
    weight = g.node("Mul", [real, g.const(f"{name}.scale", scale)], f"{name}.real")
    return g.node("Add", [g.node("MatMul", [x, weight], f"{name}.product"), g.const(f"{name}.bias", module.bias.detach().numpy())], name)


def quantize_rows_i4(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values -8..7 and the scale of each row that leaves the least squared error among a few."""
    largest = np.maximum(np.abs(w).max(1, keepdims=True), 1e-12)
    least, best = np.full(len(w), np.inf), [np.zeros_like(w), np.zeros((len(w), 1), w.dtype)]
    for share in np.arange(1.0, 0.49, -0.05):
        scale = share * largest / 7
        q = np.clip(np.rint(w / scale), -8, 7)
        error = ((q * scale - w) ** 2).sum(1)
        better = error < least
        least[better], best[0][better], best[1][better] = error[better], q[better], scale[better]
    return best[0].astype(np.int8), best[1].ravel().astype(np.float32)


def packed_table(g: Graph, table: np.ndarray) -> str:
    """Rows of `input_ids`. The low four bits of a row's bytes are its first half, the high ones its second; 8 stands for zero."""
    q, scale = quantize_rows_i4(table)
    u, half = (q + 8).astype(np.uint8), table.shape[1] // 2
    row = g.node("Gather", [g.const("words.weight", u[:, :half] | u[:, half:] << 4), "input_ids"], "words.row")
    real = g.node("Cast", [row], "words.cast", to=TensorProto.FLOAT)
    high = g.node("Floor", [g.node("Mul", [real, scalar(g, 1 / 16)], "words.sixteenth")], "words.high")
    low = g.node("Sub", [real, g.node("Mul", [high, scalar(g, 16.0)], "words.sixteens")], "words.low")
    levels = g.node("Sub", [g.node("Concat", [low, high], "words.both", axis=-1), scalar(g, 8.0)], "words.levels")
    return g.node("Mul", [levels, g.node("Gather", [g.const("words.scale", scale[:, None]), "input_ids"], "words.factor")], "words")


def norm(g: Graph, x: str, module: torch.nn.LayerNorm, name: str) -> str:
    gamma, beta = (g.const(f"{name}.{n}", p.detach().numpy()) for n, p in (("gamma", module.weight), ("beta", module.bias)))
    return g.node("LayerNormalization", [x, gamma, beta], name, axis=-1, epsilon=EPSILON)


def scalar(g: Graph, value: float) -> str:
    return g.const(f"scalar.{value:.9g}", np.array(value, np.float32))


def attention(g: Graph, x: str, mask: str, layer: torch.nn.Module, p: str, product: Product) -> str:
    dim, heads = layer.out.weight.shape[0], layer.heads
    g.node("Split", [product(g, x, layer.qkv, f"{p}.qkv")], f"{p}.part", outputs=3, axis=-1)
    shape = g.const("shape.heads", np.array([0, 0, heads, dim // heads], np.int64))
    turned = []
    for i, perm in enumerate(([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])):
        split = g.node("Reshape", [f"{p}.part.{i}", shape], f"{p}.split{i}")
        turned.append(g.node("Transpose", [split], f"{p}.head{i}", perm=perm))
    scores = g.node("MatMul", turned[:2], f"{p}.raw")
    scores = g.node("Mul", [scores, scalar(g, (dim // heads) ** -0.5)], f"{p}.scaled")
    scores = g.node("Add", [scores, mask], f"{p}.masked")
    weights = g.node("Softmax", [scores], f"{p}.weights", axis=-1)
    mixed = g.node("Transpose", [g.node("MatMul", [weights, turned[2]], f"{p}.mix")], f"{p}.back", perm=[0, 2, 1, 3])
    joined = g.node("Reshape", [mixed, g.const("shape.joined", np.array([0, 0, dim], np.int64))], f"{p}.joined")
    return product(g, joined, layer.out, f"{p}.out")


def gelu(g: Graph, x: str, p: str) -> str:
    erf = g.node("Erf", [g.node("Div", [x, scalar(g, 2**0.5)], f"{p}.div")], f"{p}.erf")
    gate = g.node("Mul", [x, g.node("Add", [erf, scalar(g, 1.0)], f"{p}.plus")], f"{p}.gate")
    return g.node("Mul", [gate, scalar(g, 0.5)], f"{p}.gelu")


def build(model: Classifier, int8: bool, name: str, embedding: bool = False) -> onnx.ModelProto:
    """`embedding`: a sentence encoder, whose output is the pooled vector at length one; the head is left out."""
    g = Graph()
    product: Product = stored_linear if embedding and int8 else partial(linear, int8=int8)
    table = model.words.weight.detach().numpy()
    if embedding and int8:
        words = packed_table(g, table)
    elif int8:
        q, scale = quantize_rows(table)
        row = g.node("Gather", [g.const("words.weight", q), "input_ids"], "words.row")
        real = g.node("Cast", [row], "words.cast", to=TensorProto.FLOAT)
        factor = g.node("Gather", [g.const("words.scale", scale[:, None]), "input_ids"], "words.factor")
        words = g.node("Mul", [real, factor], "words")
    else:
        words = g.node("Gather", [g.const("words.weight", table), "input_ids"], "words")
    size = g.node("Shape", ["input_ids"], "length", start=1, end=2)
    zero, axis = g.const("int.0", np.array([0], np.int64)), g.const("int.axis0", np.array([0], np.int64))
    places = g.node("Slice", [g.const("positions.weight", model.positions.weight.detach().numpy()), zero, size, axis], "positions")
    x = norm(g, g.node("Add", [words, places], "embedded"), model.norm, "norm")
    real = g.node("Cast", ["attention_mask"], "mask.real", to=TensorProto.FLOAT)
    hidden = g.node("Mul", [g.node("Sub", [real, scalar(g, 1.0)], "mask.minus"), scalar(g, 1e4)], "mask.bias")
    mask = g.node("Unsqueeze", [hidden, g.const("int.axes12", np.array([1, 2], np.int64))], "mask")
    for i, layer in enumerate(model.layers):
        p = f"layer{i}"
        x = norm(g, g.node("Add", [x, attention(g, x, mask, layer, f"{p}.attention", product)], f"{p}.sum1"), layer.norm1, f"{p}.norm1")
        up = gelu(g, product(g, x, layer.up, f"{p}.up"), p)
        x = norm(g, g.node("Add", [x, product(g, up, layer.down, f"{p}.down")], f"{p}.sum2"), layer.norm2, f"{p}.norm2")
    weight = g.node("Unsqueeze", [real, g.const("int.axis2", np.array([2], np.int64))], "pool.weight")
    axis1 = g.const("int.axis1", np.array([1], np.int64))
    total = g.node("ReduceSum", [g.node("Mul", [x, weight], "pool.masked"), axis1], "pool.total", keepdims=0)
    count = g.node("ReduceSum", [weight, axis1], "pool.count", keepdims=0)
    pooled = g.node("Div", [total, count], "pooled")
    head = model.head
    output, size = ("embedding", head.in_features) if embedding else ("logits", head.out_features)
    if embedding:
        length = g.node("Max", [g.node("ReduceL2", [pooled], "pool.length", axes=[1], keepdims=1), scalar(g, 1e-12)], "pool.at_least")
        g.node("Div", [pooled, length], output)
    else:
        g.node("Gemm", [pooled, g.const("head.weight", head.weight.detach().numpy()), g.const("head.bias", head.bias.detach().numpy())], output, transB=1)
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"]) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", size])]
    graph = helper.make_graph(g.nodes, name, inputs, outputs, g.weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="hybrid-models", ir_version=8)
    onnx.checker.check_model(proto)
    return proto


def save(model: Classifier, path: Path, int8: bool, name: str, embedding: bool = False) -> None:
    onnx.save(build(model.float().eval(), int8, name, embedding), path)
