"""From X to answers as one module, and the traced program of that."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as shapes

from sknn.nn import Loss
from sknn.storage import atomic_write

from ._fitted import FittedModel, take_apart
from ._inputs import InputFormat, find_format
from ._quiet import quiet
from ._traceable import traceable, with_own_operations


class Deployed(nn.Module):
    """Preprocessing, input layer and network of a fitted estimator."""

    output_names: tuple[str, ...]

    def __init__(self, model: FittedModel) -> None:
        super().__init__()
        parts = model.parts
        self.preprocessing = model.preprocessing()
        self.input = parts.format.input_module(parts.compute_dtype)
        self.network = traceable(parts.predictor)
        self.loss: Loss = parts.loss

    def outputs(self, X: Tensor) -> Tensor:
        """Return the network's raw outputs."""
        return self.network(self.input(self.preprocessing(X)))


class DeployedClassifier(Deployed):
    """Labels, and probabilities or decisions."""

    def __init__(self, model: FittedModel) -> None:
        super().__init__(model)
        self.task = model.parts.targets.task
        self.decide = model.parts.decide
        calibration = model.parts.calibration
        self.temperature = 1.0 if calibration is None else calibration.temperature
        self.has_probabilities = model.has_probabilities
        second = "probabilities" if self.has_probabilities else "decision"
        self.output_names = ("label", second)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return class indices or the indicator matrix, and probabilities or decisions."""
        outputs = self.outputs(X)
        if self.temperature != 1:
            outputs = outputs / self.temperature
        labels = self.decide(outputs).long()
        numbers = self.loss.activate(outputs) if self.has_probabilities else outputs
        if self.task != "binary":
            return labels, numbers
        if self.has_probabilities:
            return labels[:, 0], torch.cat([1 - numbers, numbers], 1)
        return labels[:, 0], numbers[:, 0]


class DeployedRegressor(Deployed):
    """Predicted values."""

    output_names = ("prediction",)

    def __init__(self, model: FittedModel) -> None:
        super().__init__(model)
        calibration = model.parts.calibration
        shift = None if calibration is None else calibration.quantile_shift
        self.answer = model.parts.targets.output_module(model.parts.loss, shift)

    def forward(self, X: Tensor) -> Tensor:
        """Return values of shape (batch, ...) or (batch, n_outputs, ...)."""
        values = self.answer(self.outputs(X))
        return values[:, 0] if values.shape[1] == 1 else values


class OfTable(nn.Module):
    """A module for a table whose columns come one by one, since they differ in type."""

    def __init__(self, module: Deployed, places: list[int]) -> None:
        super().__init__()
        self.module = module
        self.output_names = module.output_names
        self.places = places

    def forward(self, *columns: Tensor) -> Any:
        """Map columns of shape (batch, 1) to answers."""
        given = dict(zip(self.places, columns, strict=True))
        unused = torch.zeros_like(columns[0], dtype=torch.float64)
        table = [given.get(i, unused).double() for i in range(max(self.places) + 1)]
        return self.module(torch.cat(table, 1))


def deployed(model: FittedModel, found: InputFormat) -> Any:
    """Return a module from X to answers, in evaluation mode."""
    kind = DeployedClassifier if model.is_classifier else DeployedRegressor
    module = kind(model)
    if found.column_types is None:
        return module.eval()
    return OfTable(module, list(found.column_types)).eval()


def export_torch(
    estimator: Any, path: str | os.PathLike[str] | None = None, X: Any = None
) -> ExportedProgram:
    """Export a fitted estimator as a program that torch runs without this package.

    The program takes X as a tensor, with any number of samples, and holds all that `predict`
    does with it: preprocessing, the way into the network, the network, and what the loss makes of
    its outputs. Regressors return the predictions. Classifiers return two tensors: the indices of
    the labels in ``classes_`` (for multilabel problems the indicator matrix), and the
    probabilities, or the decision values where the loss defines no probabilities.

    Parameters
    ----------
    estimator : estimator, Pipeline or search
        As in :func:`sknn.export_onnx`, but for columns of text before an encoder, which torch does
        not have. Of a table that a TabularClassifier or TabularRegressor takes, the program gets
        float64 (n, n_columns): numbers as in ONNX models, and strings as codes, 0 for a level that
        training had not, 1 for a missing one, 2, 3, ... for the levels in alphabetical order, or
        in that of an ordered category.
    path : str or os.PathLike or None, default=None
        Where :func:`torch.export.save` writes the program, by custom a name that ends in
        ``.pt2``. The file is replaced as a whole or not at all. None writes nothing.
    X : array-like or None, default=None
        As in :func:`sknn.export_onnx`.

    Returns
    -------
    torch.export.ExportedProgram
        ``program.module()`` is what can be called.

    Raises
    ------
    TypeError
        If the estimator or a step before it cannot be exported.
    ValueError
        If the network cannot be traced, or X is not what the estimator takes.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    OSError
        If the file cannot be written; what was there before is still there.

    See Also
    --------
    sknn.export_onnx : For programs without torch.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier
    >>> from sknn import export_torch
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = NeuralClassifier(solver="lbfgs", alpha=0.1, max_iter=1000).fit(X, y)
    >>> indices, probabilities = export_torch(classifier).module()(torch.tensor(X[:4]))
    >>> indices
    tensor([0, 0, 0, 0])
    >>> probabilities.shape
    torch.Size([4, 3])
    """
    model = take_apart(estimator)
    if model.lookups and model.table is None:
        raise TypeError(
            "estimator takes columns of text, and torch has no strings: use export_onnx, or encode "
            "them before the pipeline."
        )
    found = find_format(model, X, by_columns=False)
    program = with_own_operations(trace(model, deployed(model, found), found))
    if path is not None:
        buffer = io.BytesIO()
        with quiet():
            torch.export.save(program, buffer)
        with atomic_write(path) as file:
            file.write(buffer.getbuffer())
    return program


def trace(model: FittedModel, module: nn.Module, found: InputFormat) -> ExportedProgram:
    """Trace the module of an estimator for any number of samples, and of steps where possible."""
    # of one sample torch would conclude that there is always one
    sample = torch.from_numpy(found.sample).repeat_interleave(2, 0)[:2]
    inputs: tuple[Tensor, ...] = (sample,)
    if found.column_types is not None:
        inputs = tuple(
            sample[:, [i]].to(
                torch.int64 if i in model.lookups else torch.from_numpy(np.empty(0, dtype)).dtype
            )
            for i, dtype in found.column_types.items()
        )
    sizes: dict[int, Any] = {0: Dim("n")}
    if found.fewest_steps is not None:
        # a module of the user's may be made for one number of steps
        own = model.estimator.module is None
        sizes[1] = Dim("n_steps", min=found.fewest_steps) if own else Dim.AUTO
    # without it, torch takes samples for special where one of their sizes is 1
    general = shapes.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    try:
        with quiet(), torch.no_grad(), general, _any_layout():
            dynamic: Any = (sizes,) * len(inputs)
            if found.column_types is not None:  # `forward` takes any number of inputs
                dynamic = (dynamic,)
            return torch.export.export(module, inputs, dynamic_shapes=dynamic, strict=False)
    except Exception as error:
        raise ValueError(
            f"estimator has a network that torch.export cannot trace: {_first_line(error)} "
            "Modules of your own must not fix the number of samples, nor branch on numbers."
        ) from error


@contextmanager
def _any_layout() -> Iterator[None]:
    """Keep convolutions from fixing how images lie in memory, which needs two of them at least."""
    name = "_conv_determine_backend_memory_format"
    determine = getattr(torch._C, name)
    setattr(torch._C, name, lambda *_: torch.contiguous_format)
    try:
        yield
    finally:
        setattr(torch._C, name, determine)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
