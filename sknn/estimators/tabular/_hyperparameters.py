"""Parameters that the networks of one fit differ in, drawn from ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils._param_validation import validate_parameter_constraints

# What networks may differ in whose answers are averaged and compared.
DRAWN = frozenset(
    {
        "activation",
        "alpha",
        "batch_size",
        "beta_1",
        "beta_2",
        "dropout",
        "embedding_size",
        "epsilon",
        "frequency_scale",
        "hidden_layer_sizes",
        "label_smoothing",
        "learning_rate",
        "learning_rate_init",
        "max_grad_norm",
        "max_iter",
        "max_onehot",
        "momentum",
        "n_bins",
        "n_iter_no_change",
        "nesterovs_momentum",
        "normalization",
        "numerical_embedding",
        "scaling",
        "solver",
        "tol",
    }
)


def check_ranges(ranges: Mapping[str, Any], estimator: Any) -> None:
    """Refuse what is no parameter that networks may differ in, or nothing to draw from."""
    allowed = DRAWN.intersection(estimator.get_params(deep=False))
    for name, values in ranges.items():
        if name not in allowed:
            raise ValueError(
                f"hyperparameters has {name!r}, which is not a parameter that the networks of a "
                f"fit may differ in; those are {sorted(allowed)}."
            )
        if not hasattr(values, "rvs") and (
            not isinstance(values, list | tuple | np.ndarray) or not len(values)
        ):
            raise ValueError(
                f"hyperparameters[{name!r}] is {values!r}; it takes a list of values, or a "
                "distribution with a method rvs, such as scipy.stats.loguniform(1e-4, 1e-2)."
            )
        for value in () if hasattr(values, "rvs") else values:
            check_values({name: _plain(value)}, estimator)


def check_values(drawn: Mapping[str, Any], estimator: Any) -> None:
    """Refuse a value that its parameter does not take."""
    constraints = {name: estimator._parameter_constraints[name] for name in drawn}
    caller = f"{type(estimator).__name__}, which hyperparameters has values for,"
    validate_parameter_constraints(constraints, drawn, caller_name=caller)


def draw(ranges: Mapping[str, Any], number: int, seed: int) -> dict[str, Any]:
    """Return the drawing with this number: a value for each parameter."""
    random_state = np.random.RandomState((seed + number) % 2**32)
    drawn = {}
    for name in sorted(ranges):
        values = ranges[name]
        if hasattr(values, "rvs"):
            value = values.rvs(random_state=random_state)
        else:
            value = values[random_state.randint(len(values))]
        drawn[name] = _plain(value)
    return drawn


def _plain(value: Any) -> Any:
    """Return a number of Python's own type."""
    return value.item() if isinstance(value, np.generic) else value
