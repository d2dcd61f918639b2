"""Owns calibration and the figures of a card: temperature, out-of-scope bias, accuracy, calibration error, selective coverage."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    z = logits.astype(np.float64) / temperature
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def fit_temperature(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    w = np.ones(len(labels)) if weights is None else weights

    def loss(log_t: float) -> float:
        p = softmax(logits, float(np.exp(log_t)))[np.arange(len(labels)), labels]
        return float(-(w * np.log(p + 1e-12)).sum() / w.sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 2), method="bounded").x))


def ece(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error over equal-width bins."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(sum(abs(confidence[which == b].mean() - correct[which == b].mean()) * (which == b).mean() for b in range(bins) if (which == b).any()))


def coverage_at(confidence: np.ndarray, correct: np.ndarray, accuracy: float = 0.97) -> float:
    """Largest share that can be answered, most confident first, with at least this accuracy."""
    order = np.argsort(-confidence, kind="stable")
    running = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    good = np.nonzero(running >= accuracy)[0]
    return float((good[-1] + 1) / len(order)) if len(good) else 0.0


def figures(logits: np.ndarray, labels: np.ndarray, oos: int | None, temperature: float = 1.0) -> dict[str, float]:
    p = softmax(logits, temperature)
    predicted, confidence = p.argmax(1), p.max(1)
    correct = predicted == labels
    out = {"accuracy": float(correct.mean())}
    if oos is not None:
        inside = labels != oos
        out["accuracy_in_scope"] = float(correct[inside].mean())
        out["oos_recall"] = float(correct[~inside].mean())
        out["coverage_at_97_in_scope"] = coverage_at(confidence[inside], correct[inside])
        out["coverage_at_97"] = coverage_at(confidence, correct)
    out["ece"] = ece(confidence, correct)
    return {k: round(v, 4) for k, v in out.items()} | {"n": len(labels)}
