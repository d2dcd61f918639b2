"""Digits networks as ONNX: opset 17, standard operators only, batch norm folded, pixels normalised inside the graph.

Owns the graph of base.onnx and large.onnx; several networks in one file answer with their mean log-probability.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import nets
import quantize


class Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, name: str, value) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name


def add_network(graph: Graph, model: nn.Sequential, prefix: str) -> str:
    x, layers = "image", list(model)
    for i, layer in enumerate(layers):
        name = f"{prefix}.{i}"
        if isinstance(layer, nets.Normalise):
            shifted = graph.node("Sub", [x, graph.constant(f"{name}.mean", nets.MEAN)], f"{name}.shifted")
            x = graph.node("Div", [shifted, graph.constant(f"{name}.deviation", nets.DEVIATION)], name)
        elif isinstance(layer, nn.Conv2d):
            weights, bias = quantize.fold(layer, layers[i + 1])
            inputs = [graph.constant(f"{name}.{part}", value.detach().numpy()) for part, value in (("weight", weights), ("bias", bias))]
            kernel, padding = list(layer.kernel_size), list(layer.padding)
            x = graph.node("Conv", [x, *inputs], name, kernel_shape=kernel, pads=padding * 2, strides=list(layer.stride))
        elif isinstance(layer, nn.ReLU):
            x = graph.node("Relu", [x], name)
        elif isinstance(layer, nn.MaxPool2d):
            x = graph.node("MaxPool", [x], name, kernel_shape=[2, 2], strides=[2, 2])
        elif isinstance(layer, nn.AdaptiveAvgPool2d):
            x = graph.node("GlobalAveragePool", [x], name)
        elif isinstance(layer, nn.Flatten):
            x = graph.node("Flatten", [x], name, axis=1)
        elif isinstance(layer, nn.Linear):
            inputs = [graph.constant(f"{name}.{part}", getattr(layer, part).detach().numpy()) for part in ("weight", "bias")]
            x = graph.node("Gemm", [x, *inputs], name, transB=1)
        else:
            assert isinstance(layer, (nn.BatchNorm2d, nn.Dropout)), layer
    return x


def save(models: list[nn.Sequential], path: Path) -> None:
    graph = Graph()
    outputs = [add_network(graph, model, f"net{i}") for i, model in enumerate(models)]
    if len(outputs) == 1:
        graph.node("Identity", outputs, "logits")
    else:
        graph.node("Mean", [graph.node("LogSoftmax", [one], f"{one}.log", axis=1) for one in outputs], "logits")
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 28, 28])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])
    whole = helper.make_graph(graph.nodes, f"digits-{path.stem}", [image], [logits], graph.weights)
    opset = helper.make_opsetid("", 17)
    proto = helper.make_model(whole, opset_imports=[opset], producer_name="hybrid-models", ir_version=8)
    onnx.checker.check_model(proto)
    onnx.save(proto, path)
