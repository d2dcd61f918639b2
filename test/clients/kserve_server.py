"""KServe's Python server over the model that iris_model.py trained; answers in bytes where bytes are asked."""

import sys
from pathlib import Path

import joblib
import numpy
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Iris(Model):
    def __init__(self, folder: Path) -> None:
        super().__init__("iris")
        self.classifier = joblib.load(folder / "iris" / "model.joblib")
        self.ready = True

    def predict(self, payload: InferRequest, headers: dict[str, str] | None = None) -> InferResponse:
        shares = self.classifier.predict_proba(payload.inputs[0].as_numpy()).astype(numpy.float32)
        output = InferOutput(name="predict_proba", shape=list(shares.shape), datatype="FP32")
        asked = payload.request_outputs or []
        is_binary = any((one.parameters or {}).get("binary_data") for one in asked)
        output.set_data_from_numpy(shares, binary_data=is_binary)
        return InferResponse(response_id=payload.id or "none", model_name=self.name, infer_outputs=[output])


if __name__ == "__main__":
    ModelServer(http_port=int(sys.argv[2]), enable_grpc=False, workers=1).start([Iris(Path(sys.argv[1]))])
