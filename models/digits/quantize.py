"""Digits micro variant: batch norm folded, weights to int8 per output channel, and a reference run of what the file holds.

Owns the numbers in micro.hyb; the file's layout is models/lib/hyb.py, its meaning models/FORMAT.md.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import hyb  # noqa: E402

Tensors = dict[str, tuple[str, np.ndarray]]


def fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return convolution.weight * factor[:, None, None, None], norm.bias - norm.running_mean * factor


def to_int8(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One scale an output (first axis), symmetric."""
    flat = weights.reshape(len(weights), -1)
    scales = np.maximum(np.abs(flat).max(1), 1e-12).astype(np.float32) / np.float32(127)
    quantized = np.clip(np.rint(flat / scales[:, None]), -127, 127).astype(np.int8)
    return quantized.reshape(weights.shape), scales


def compile_micro(model: nn.Sequential) -> tuple[list[dict], Tensors]:
    """The graph and its tensors, in NHWC order."""
    graph: list[dict] = []
    tensors: Tensors = {}
    layers = list(model)
    image_shape: tuple[int, int, int] = (1, 28, 28)

    def add(op: dict, weights: torch.Tensor, bias: torch.Tensor) -> None:
        name = f"layer{len(graph)}"
        quantized, scales = to_int8(weights.detach().numpy())
        tensors[f"{name}.weights"] = ("i8", quantized)
        tensors[f"{name}.scales"] = ("f32", scales)
        tensors[f"{name}.bias"] = ("f32", bias.detach().numpy().astype(np.float32))
        graph.append({**op, "weights": f"{name}.weights", "scales": f"{name}.scales", "bias": f"{name}.bias"})

    for i, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            weights, bias = fold(layer, layers[i + 1])
            same = layer.padding[0] == layer.kernel_size[0] // 2
            assert same or layer.padding[0] == 0
            assert isinstance(layers[i + 2], nn.ReLU)
            add(
                {"op": "conv2d", "stride": list(layer.stride), "padding": "same" if same else "valid",
                 "depthwise": False, "activation": "relu"},
                weights.permute(0, 2, 3, 1), bias,
            )
            probe = layer(torch.zeros(1, *image_shape))
            image_shape = tuple(probe.shape[1:])
        elif isinstance(layer, nn.MaxPool2d):
            graph.append({"op": "max_pool2d", "size": [2, 2], "stride": [2, 2]})
            image_shape = (image_shape[0], image_shape[1] // 2, image_shape[2] // 2)
        elif isinstance(layer, nn.Flatten):
            graph.append({"op": "flatten"})
        elif isinstance(layer, nn.Linear):
            weights = layer.weight.reshape(-1, *image_shape).permute(0, 2, 3, 1).reshape(len(layer.weight), -1)
            add({"op": "dense", "activation": "none"}, weights, layer.bias)
        else:
            assert isinstance(layer, (nn.BatchNorm2d, nn.ReLU, nn.Dropout)), layer
    return graph, tensors


def run(graph: list[dict], tensors: dict[str, np.ndarray], images: torch.Tensor) -> np.ndarray:
    """Logits of [B,1,28,28] from the quantized tensors alone, as any reader of the file must get them."""

    def weights_of(op: dict) -> torch.Tensor:
        quantized = torch.from_numpy(np.array(tensors[op["weights"]], np.float32))
        scales = torch.from_numpy(np.array(tensors[op["scales"]]))
        return quantized * scales.reshape(-1, *[1] * (quantized.dim() - 1))

    x = images
    for op in graph:
        if op["op"] == "conv2d":
            kernel = weights_of(op).permute(0, 3, 1, 2)
            padding = kernel.shape[-1] // 2 if op["padding"] == "same" else 0
            x = F.conv2d(x, kernel, torch.from_numpy(np.array(tensors[op["bias"]])), op["stride"], padding)
        elif op["op"] == "max_pool2d":
            x = F.max_pool2d(x, op["size"], op["stride"])
        elif op["op"] == "flatten":
            x = x.permute(0, 2, 3, 1).flatten(1)
        elif op["op"] == "dense":
            x = x @ weights_of(op).T + torch.from_numpy(np.array(tensors[op["bias"]]))
        else:
            raise ValueError(f"operator {op['op']} has no reference here")
        if op.get("activation") == "relu":
            x = torch.relu(x)
    return x.numpy()


def write(path: Path, header: dict, graph: list[dict], tensors: Tensors) -> bytes:
    return hyb.write(path, header | {"graph": graph}, tensors)
