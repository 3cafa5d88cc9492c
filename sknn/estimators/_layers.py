"""The parameters of hidden layers, which families with built-in layers share."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sknn._documentation import paragraph
from sknn._parameters import declares_parameters, parameter
from sknn._validation import BELOW_ONE, POSITIVE_INTEGER
from sknn.nn import ACTIVATIONS, describe_activations, per_layer

from ._base import NeuralEstimator
from ._training_parameters import refuse_with_lbfgs

HIDDEN_LAYER_SIZES_CONSTRAINTS: list[Any] = [
    "array-like",
    POSITIVE_INTEGER,
]


@declares_parameters
class LayerParameters(NeuralEstimator):
    """Base class of the estimators whose hidden layers are described one by one.

    Parameters
    ----------
    {parameters}
    """

    hidden_layer_sizes: int | Sequence[int] | None = parameter(
        default=(100,),
        constraints=HIDDEN_LAYER_SIZES_CONSTRAINTS,
        doc="""int or array-like of int
        Units of each hidden layer. An empty tuple is a linear model.""",
    )
    activation: Any = parameter(
        default="relu",
        constraints=[StrOptions(set(ACTIVATIONS)), callable, list, tuple],
        doc="str, callable or sequence of them\n"
        + paragraph(
            f"""Activation function of the hidden layers: {describe_activations()}. A sequence
            has one for each hidden layer."""
        ),
    )
    dropout: float | Sequence[float] = parameter(
        default=0.0,
        constraints=[BELOW_ONE, "array-like"],
        doc="""float or sequence of float
        Probability with which a hidden unit is set to zero in training; a sequence has one for
        each hidden layer.""",
    )
    normalization: str | None = parameter(
        default=None,
        constraints=[StrOptions({"batch", "layer"}), None],
        doc="""{"batch", "layer"} or None
        Normalization before each hidden activation: over the batch (Ioffe and Szegedy, 2015) or
        over the layer's units (Ba et al., 2016).""",
    )


def dropout_rates(estimator: Any, n_layers: int, layers: str = "hidden layers") -> list[float]:
    """Return the dropout of each layer; `layers` is what they are called in errors."""
    rates = per_layer("dropout", estimator.dropout, n_layers, layers)
    for rate in rates:
        if not isinstance(rate, int | float | np.number) or not 0 <= rate < 1:
            raise ValueError(f"dropout must be in [0, 1), got {rate!r}.")
    if any(rates):
        refuse_with_lbfgs(estimator._solver, "dropout", off=0)
    return rates


def positive_integers(name: str, value: Any) -> list[int]:
    """Return a parameter that is a positive integer or a sequence of them as a list."""
    numbers = list(value) if hasattr(value, "__iter__") else [value]
    if not all(isinstance(number, Integral) for number in numbers):
        raise ValueError(f"{name} must be a whole number or a list of them, got {value!r}.")
    if any(number <= 0 for number in numbers):
        raise ValueError(f"{name} must be > 0, got {numbers}.")
    return [int(number) for number in numbers]
