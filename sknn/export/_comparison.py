"""An exported model beside the estimator that it was made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from sknn._optional import require

from ._fitted import FittedModel
from ._inputs import InputFormat, runtime_inputs
from ._quiet import quiet

# How far numbers may be apart, as a share of the largest of them (of 1, if that is larger). More
# than rounding makes of them in all but very deep networks, and less than a wrong graph would.
TOLERANCES = {"float32": 1e-3, "float64": 1e-6}


class ExportError(RuntimeError):
    """The exported model does not do what the estimator does."""


def compare(model: FittedModel, given: InputFormat, content: bytes, precision: str) -> None:
    """Run an ONNX model; raise ExportError unless its answers for X are the estimator's."""
    X = given.sample
    answers = _run(content, runtime_inputs(model, given))
    numbers, labels = _expected(model, X)
    found = answers[-1]
    scale = max(1.0, float(np.abs(numbers).max()))
    tolerance = TOLERANCES[precision] * scale
    # NaN and infinity are equal where both have them
    if found.shape != numbers.shape or not np.allclose(
        found, numbers, rtol=0.0, atol=tolerance, equal_nan=True
    ):
        raise ExportError(
            f"the exported model's answers, of shape {found.shape}, are not those of the "
            f"estimator, of shape {numbers.shape}, within {tolerance:g}. No file was written."
        )
    if labels is None:
        return
    sure = _sure(model, X, tolerance)
    if not np.array_equal(answers[0][sure], labels[sure]):
        raise ExportError(
            f"the exported model's labels {answers[0][sure]} are not those of the estimator, "
            f"{labels[sure]}. No file was written."
        )


def _run(content: bytes, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    onnxruntime = require("onnxruntime", extra="export")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised; they need not be printed too
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return session.run(None, inputs)
    except Exception as error:
        raise ExportError(
            f"onnxruntime cannot run the exported model: {error}. No file was written. If it "
            "lacks an operator in float64, fit with precision='float32'."
        ) from error


def _expected(model: FittedModel, X: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the estimator's answers: numbers, and labels if it is a classifier."""
    estimator = model.estimator
    with quiet():  # columns have lost their names
        given = model.transform(X)
        if not model.is_classifier:
            return estimator.predict(given), None
        numbers = (
            estimator.predict_proba if model.has_probabilities else estimator.decision_function
        )
        return numbers(given), estimator.predict(given)


def _sure(model: FittedModel, X: np.ndarray, tolerance: float) -> Any:
    """Say for which samples (and labels) rounding cannot change the decision."""
    with quiet():
        logits = model.estimator.decision_function(model.transform(X))
    if model.parts.targets.task != "multiclass":
        return np.abs(logits) > tolerance
    second, first = np.sort(logits, 1)[:, -2:].T
    return first - second > tolerance
