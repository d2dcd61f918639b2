"""Trains scikit-learn's own example and lays it out for the servers; prints inputs and scikit-learn's own probabilities."""

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

folder = Path(sys.argv[1]) / "iris"
folder.mkdir(parents=True, exist_ok=True)
data = load_iris()
model = LogisticRegression(max_iter=500).fit(data.data, data.target)
joblib.dump(model, folder / "model.joblib")
settings = {
    "name": "iris",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": "./model.joblib", "version": "v1"},
}
(folder / "model-settings.json").write_text(json.dumps(settings))
rows = data.data[::10].tolist()
print(json.dumps({"labels": data.target_names.tolist(), "rows": rows, "expected": model.predict_proba(rows).tolist()}))
