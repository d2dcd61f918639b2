"""tritonclient[http], unmodified, with binary tensors on and off."""

import sys

import numpy
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from checks import run_checks

client = triton.InferenceServerClient(url=sys.argv[1].removeprefix("http://"))


def describes() -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("intent")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert client.get_model_metadata("intent")["inputs"][0]["name"] == "text"


def texts(is_binary: bool) -> None:
    values = numpy.array([b"wake me up at seven", "caf\u00e9 near me".encode()], dtype=numpy.object_)
    wanted = triton.InferInput("text", [2], "BYTES")
    wanted.set_data_from_numpy(values, binary_data=is_binary)
    outputs = [triton.InferRequestedOutput(name, binary_data=is_binary) for name in ("label", "confidence")]
    result = client.infer("intent", [wanted], outputs=outputs, request_id="mine")
    labels = [label.decode() if isinstance(label, bytes) else label for label in result.as_numpy("label")]
    assert labels[0] == "alarm", labels
    confidence = result.as_numpy("confidence")
    assert confidence.dtype == numpy.float32 and confidence.shape == (2,)
    assert result.get_response()["id"] == "mine"


def images(is_binary: bool) -> None:
    wanted = triton.InferInput("image", [3, 28, 28, 1], "FP32")
    wanted.set_data_from_numpy(numpy.zeros((3, 28, 28, 1), dtype=numpy.float32), binary_data=is_binary)
    result = client.infer("digits", [wanted])
    assert result.as_numpy("label").shape == (3,)


def embeddings() -> None:
    wanted = triton.InferInput("text", [1], "BYTES")
    wanted.set_data_from_numpy(numpy.array([b"good morning"], dtype=numpy.object_))
    vector = client.infer("embed", [wanted]).as_numpy("embedding")[0]
    assert abs(float(numpy.linalg.norm(vector)) - 1) < 1e-3


def refuses() -> None:
    wanted = triton.InferInput("text", [1], "FP32")
    wanted.set_data_from_numpy(numpy.zeros((1,), dtype=numpy.float32))
    try:
        client.infer("intent", [wanted])
    except InferenceServerException as error:
        assert "datatype" in str(error), error
    else:
        raise AssertionError("numbers were taken for texts")


run_checks(
    "tritonclient",
    {
        "reads health and metadata": describes,
        "sends texts, binary": lambda: texts(True),
        "sends texts, JSON": lambda: texts(False),
        "sends images, binary": lambda: images(True),
        "sends images, JSON": lambda: images(False),
        "reads embeddings": embeddings,
        "is told what is wrong": refuses,
    },
)
