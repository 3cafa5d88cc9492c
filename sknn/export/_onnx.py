"""Fitted estimators as ONNX models."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from sknn._optional import require
from sknn.storage import atomic_write

from ._comparison import ExportError, compare
from ._fitted import FittedModel, take_apart
from ._graph import compute_in_float32, label_tensor, look_up_labels, look_up_texts, tidy
from ._inputs import find_format
from ._operators import translations
from ._program import deployed, trace
from ._quiet import quiet

# The oldest opset that torch writes without conversion. onnxruntime has run it since 1.14.
OPSET = 18
NEWEST_OPSET = 23

# A file of protocol buffers is smaller than this.
MAX_BYTES = 2**31 - 1


def export_onnx(
    estimator: Any, path: str | os.PathLike[str], X: Any = None, *, opset: int = 18
) -> None:
    """Write a fitted estimator as an ONNX model, with all that `predict` does before and after.

    The model has one input, ``X``, with any number of samples. A table with columns of text has
    an input of shape (n, 1) for each column, named as the column, and so has any table with names
    that a TabularClassifier or TabularRegressor was fitted with: of numbers (float64, NaN where
    missing), strings (empty where missing), dates (seconds since 1970) and durations (seconds).
    A classifier's outputs are
    ``label``, with the labels of ``classes_`` (for multilabel problems the indicator matrix), and
    ``probabilities`` as `predict_proba` has them, or ``decision`` as `decision_function` has it
    where the loss defines no probabilities. A regressor's output is ``prediction``.

    Before the file is written, :mod:`onnxruntime` computes some answers, which are compared with
    the estimator's.

    Parameters
    ----------
    estimator : estimator, Pipeline or search
        A fitted classifier or regressor of the package :mod:`sknn`; a pipeline that ends in
        one, all of whose other steps are StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler,
        SimpleImputer, OneHotEncoder, OrdinalEncoder, a ColumnTransformer of these, or
        "passthrough"; or a search whose ``best_estimator_`` is one of these.
    path : str or os.PathLike
        The file, by custom with a name that ends in ``.onnx``. It is replaced as a whole or not
        at all.
    X : array-like or None, default=None
        Some samples as the model is to take them: their type and their dimensions become those of
        the input, and they are what answers are compared for. So images of bytes (``uint8``)
        are exported with ``X=images[:10]``, and an estimator for tables for columns of int64, bool
        and float32 with ``X=table[:10]``. None makes random ones up, with the dimensions of
        the training data and in the network's type; tokens are int64, columns float64.
    opset : int, default=18
        Version of ONNX's operators, from 18 to 23.

    Raises
    ------
    TypeError
        If the estimator, a step before it or the type of its labels cannot be exported.
    ValueError
        If the network cannot be traced or is larger than 2 GB, or X is not what the estimator
        takes.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    sknn.export.ExportError
        If the ONNX model does not do what the estimator does.
    ImportError
        If onnx, onnxruntime or onnxscript is missing.
    OSError
        If the file cannot be written; what was there before is still there.

    See Also
    --------
    sknn.export_torch : For programs that have torch.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import onnxruntime
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier
    >>> from sknn import export_onnx
    >>> iris = load_iris()
    >>> names = iris.target_names[iris.target]
    >>> classifier = NeuralClassifier(solver="lbfgs", alpha=0.1, max_iter=1000).fit(
    ...     iris.data, names
    ... )
    >>> path = Path(tempfile.mkdtemp(), "iris.onnx")
    >>> export_onnx(classifier, path)
    >>> session = onnxruntime.InferenceSession(path)
    >>> label, probabilities = session.run(None, {"X": iris.data[[0, 50, 100]]})
    >>> label.tolist()
    ['setosa', 'versicolor', 'virginica']
    >>> probabilities.shape
    (3, 3)
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require(package, extra="export")
    if opset not in range(OPSET, NEWEST_OPSET + 1):
        raise ValueError(f"opset={opset!r} must be an integer from {OPSET} to {NEWEST_OPSET}.")
    model = take_apart(estimator)
    if model.is_classifier:
        label_tensor(model.estimator.classes_)  # refuses what ONNX cannot hold
    _check_size(model)
    found = find_format(model, X, by_columns=True)
    module = deployed(model, found)
    names = _input_names(model, module.output_names)
    proto = _translate(trace(model, module, found), names, module.output_names, int(opset))
    if model.lookups:
        look_up_texts(proto, {model.column_names[i]: each for i, each in model.lookups.items()})
    if model.is_classifier and model.parts.targets.task != "multilabel":
        look_up_labels(proto, model.estimator.classes_)
    is_double = model.parts.compute_dtype == torch.float64
    precision = "float64" if is_double and not compute_in_float32(proto) else "float32"
    tidy(proto)
    require("onnx", extra="export").checker.check_model(proto, full_check=True)
    content = proto.SerializeToString()
    compare(model, found, content, precision)
    with atomic_write(path) as file:
        file.write(content)


def _input_names(model: FittedModel, output_names: tuple[str, ...]) -> list[str]:
    """Return the names of the graph's inputs: one, or columns."""
    if not model.has_column_inputs:
        return ["X"]
    names = [model.column_names[i] for i in model.used_columns]
    taken = set(names) & set(output_names)
    if taken or len(set(names)) < len(names):
        raise ValueError(
            f"estimator was fitted with the columns {names}, which become the model's inputs: "
            f"their names have to differ from each other and from those of the outputs, "
            f"{list(output_names)}."
        )
    return names


def _check_size(model: FittedModel) -> None:
    """Refuse networks that one file cannot hold."""
    tensors: list[Tensor] = list(model.estimator.module_.state_dict().values())
    n_bytes = sum(tensor.nbytes for tensor in tensors)
    if n_bytes > MAX_BYTES:
        raise ValueError(
            f"estimator has a network of {n_bytes / 1e9:.1f} GB, and an ONNX file holds less than "
            f"{MAX_BYTES / 1e9:.1f} GB. Use export_torch, or a smaller network."
        )


def _translate(
    program: ExportedProgram, input_names: list[str], output_names: tuple[str, ...], opset: int
) -> Any:
    """Return a traced program as an ONNX model."""
    try:
        with quiet(), torch.no_grad():
            exported = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=input_names,
                output_names=output_names,
                opset_version=opset,
                custom_translation_table=translations(),
                external_data=False,
            )
        assert exported is not None
        proto = exported.model_proto
    except Exception as error:
        raise ExportError(f"torch cannot write the network as ONNX: {error}") from error
    found = {each.version for each in proto.opset_import if each.domain == ""}
    if found != {opset}:
        raise ExportError(f"torch cannot write the network in opset {opset}; use {OPSET}.")
    return proto
