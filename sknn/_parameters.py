"""Parameters declared once: default, constraint and documentation in one place.

:func:`parameter` declares one, as a dataclass field; :func:`declares_parameters` makes the class:
``__init__`` with an honest signature (which is all that ``get_params`` and ``clone`` need),
``_parameter_constraints`` for scikit-learn's validation, and the docstring's list of parameters,
inherited ones included, in place of the line ``{parameters}``.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from numbers import Integral
from typing import Any, TypeVar, dataclass_transform

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError, StrOptions

from sknn._hints import did_you_mean, explains_calls

Class = TypeVar("Class", bound=type)

# Stands, with the family's own `_family_attributes`, for {attributes} in the docstring of each
# estimator.
FITTED_ATTRIBUTES = inspect.cleandoc(
    """
    module_ : torch.nn.Module
        The trained network.
    history_ : list of dict
        For each epoch `train_loss`, `train_score` (accuracy or R2, measured while training),
        `valid_loss` and `valid_score` if there are validation data, `learning_rate` at its
        start, and `dur`, its seconds.
    loss_ : float
        Training loss of the last epoch, penalty included.
    loss_curve_ : list of float
        Training loss of each epoch.
    best_loss_ : float or None
        Smallest training loss; None with early stopping.
    validation_scores_ : list of float or None
        Validation score of each epoch; None without validation data.
    best_validation_score_ : float or None
        Largest validation score; None without validation data.
    n_iter_ : int
        Epochs of the last call of `fit` or `partial_fit` (iterations for "lbfgs").
    n_outputs_ : int
        Number of network outputs.
    n_parameters_ : int
        Number of trainable parameters.
    out_activation_ : str
        Output activation: "softmax", "logistic", "identity", "exp" or "expm1".
    t_ : int
        Number of samples seen in training, repetitions included.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has string column names.
    """
)


def parameter(*, default: Any, constraints: list[Any], doc: str, kw_only: bool = True) -> Any:
    """Declare a constructor parameter.

    Parameters
    ----------
    default : object
        The default value.
    constraints : list
        In the form of scikit-learn's ``_parameter_constraints``.
    doc : str
        Numpydoc text: the type on the first line, then the description.
    kw_only : bool, default=True
        False for a positional parameter.

    Returns
    -------
    dataclasses.Field
    """
    return dataclasses.field(
        default=default,
        kw_only=kw_only,
        metadata={"constraints": constraints, "doc": inspect.cleandoc(doc)},
    )


def inherited(cls: type, name: str, *, default: Any, kw_only: bool = True) -> Any:
    """Declare an inherited parameter anew, with another default or as a positional one.

    Parameters
    ----------
    cls : type
        The class that declares it.
    name : str
        Its name.
    default : object
        The default value.
    kw_only : bool, default=True
        False for a positional parameter.

    Returns
    -------
    dataclasses.Field
    """
    (field,) = (field for field in dataclasses.fields(cls) if field.name == name)
    return dataclasses.field(
        default=default,
        kw_only=kw_only,
        metadata=field.metadata,
    )


@dataclass_transform(
    eq_default=False, kw_only_default=True, field_specifiers=(parameter, inherited)
)
def declares_parameters(cls: Class) -> Class:
    """Turn a class with :func:`parameter` fields into a scikit-learn estimator class.

    Parameters
    ----------
    cls : type
        The class.

    Returns
    -------
    type
        The same class, with ``__init__``, ``_parameter_constraints`` and its docstring filled.
    """
    dataclasses.dataclass(eq=False, repr=False)(cls)
    fields = [field for field in dataclasses.fields(cls) if "constraints" in field.metadata]
    cls._parameter_constraints = {  # type: ignore[attr-defined]
        field.name: field.metadata["constraints"] for field in fields
    }
    fields = _own_first(cls, fields)
    init = inspect.signature(cls.__init__)  # type: ignore[misc]
    cls.__init__.__signature__ = init.replace(  # type: ignore[misc]
        parameters=[init.parameters[name] for name in ("self", *(field.name for field in fields))]
    )
    if cls.__doc__ and sys.flags.optimize < 2:
        described = "\n\n".join(_describe_parameter(field) for field in fields)
        own = inspect.cleandoc(getattr(cls, "_family_attributes", ""))
        cls.__doc__ = (
            inspect.cleandoc(cls.__doc__)
            .replace("{parameters}", described)
            .replace("{attributes}", f"{own}\n{FITTED_ATTRIBUTES}".strip())
        )
    return explains_calls(cls)


class ExplainedParameters(BaseEstimator):
    """Says of a parameter's value that is not allowed which one may be meant."""

    def _validate_params(self) -> None:
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            hint = self._hint(str(error))
            if not hint:
                raise
            raise InvalidParameterError(f"{error}{hint}") from None
        loss = getattr(self, "loss", None)
        if isinstance(loss, type):
            raise InvalidParameterError(
                f"The 'loss' parameter of {type(self).__name__} is the class {loss.__name__}; an "
                f"instance is needed, such as loss={loss.__name__}(reduction='none')."
            )

    def _hint(self, message: str) -> str:
        """Return what may be meant, with a space before it."""
        found = re.match(r"The '(\w+)' parameter", message)
        if found is None:
            return ""
        name = found[1]
        value = getattr(self, name)
        is_size = isinstance(value, Integral | list | tuple)
        if name == "loss" and is_size and hasattr(self, "hidden_layer_sizes"):
            return (
                " The first positional parameter is the loss, as in MLPRegressor: pass "
                f"hidden_layer_sizes={value!r} by its name."
            )
        if name == "solver" and isinstance(value, torch.optim.Optimizer):
            return f" Pass the class, solver=torch.optim.{type(value).__name__}."
        constraints = self._parameter_constraints[name]
        options = [c.options for c in constraints if isinstance(c, StrOptions)]
        return did_you_mean(value, set().union(*options))


def _own_first(cls: type, fields: list[dataclasses.Field[Any]]) -> list[dataclasses.Field[Any]]:
    """Order parameters: positional ones, those of the class, then those of its bases in turn."""
    origins = [vars(base).get("__annotations__", {}) for base in reversed(cls.__mro__)]

    def rank(field: dataclasses.Field[Any]) -> tuple[bool, int]:
        if not field.kw_only:
            return False, 0
        return True, -next(place for place, names in enumerate(origins) if field.name in names)

    return sorted(fields, key=rank)


def _describe_parameter(field: dataclasses.Field[Any]) -> str:
    kind, _, description = field.metadata["doc"].partition("\n")
    kind = " ".join(kind.split())
    default = f'"{field.default}"' if isinstance(field.default, str) else repr(field.default)
    lines = [f"{field.name} : {kind}, default={default}"]
    lines += [f"    {line}" if line else "" for line in description.splitlines()]
    return "\n".join(lines)
