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
from typing import Any, ClassVar, TypeVar, dataclass_transform

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

from sknn._documentation import links_to_documentation
from sknn._hints import did_you_mean, explains_calls

Class = TypeVar("Class", bound=type)


def parameter(*, default: Any, constraints: list[Any], doc: str, kw_only: bool = True) -> Any:
    """Declare a constructor parameter.

    `doc` has the type on its first line, then the description.
    """
    return dataclasses.field(
        default=default,
        kw_only=kw_only,
        metadata={"constraints": constraints, "doc": inspect.cleandoc(doc)},
    )


def inherited(cls: type, name: str, *, default: Any, kw_only: bool = True) -> Any:
    """Declare an inherited parameter anew, with another default or as a positional one."""
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
    """Give a class with :func:`parameter` fields its ``__init__``, constraints and docstring."""
    dataclasses.dataclass(eq=False, repr=False)(cls)
    fields = [field for field in dataclasses.fields(cls) if "constraints" in field.metadata]
    cls._parameter_constraints = {  # type: ignore[attr-defined]
        field.name: field.metadata["constraints"] for field in fields
    }
    cls._parameter_defaults = {  # type: ignore[attr-defined]
        field.name: field.default for field in fields
    }
    fields = _own_first(cls, fields)
    init = inspect.signature(cls.__init__)  # type: ignore[misc]
    cls.__init__.__signature__ = init.replace(  # type: ignore[misc]
        parameters=[init.parameters[name] for name in ("self", *(field.name for field in fields))]
    )
    if cls.__doc__ and sys.flags.optimize < 2:
        described = "\n\n".join(_describe_parameter(field) for field in fields)
        names = ("_family_attributes", "_common_attributes")
        attributes = (inspect.cleandoc(getattr(cls, name, "")) for name in names)
        cls.__doc__ = (
            inspect.cleandoc(cls.__doc__)
            .replace("{parameters}", described)
            .replace("{attributes}", "\n".join(attributes).strip())
        )
    return explains_calls(cls)


@links_to_documentation
class ExplainedParameters(BaseEstimator):
    """Says of a parameter's value that is not allowed which one may be meant."""

    _parameter_defaults: ClassVar[dict[str, Any]]

    def _validate_params(self) -> None:
        try:
            # defaults are valid; to find so takes longer than an epoch
            constraints, defaults = self._parameter_constraints, self._parameter_defaults
            values = {name: getattr(self, name, defaults.get(name)) for name in sorted(constraints)}
            changed = {
                name: value
                for name, value in values.items()
                if name not in defaults or value is not defaults[name]
            }
            validate_parameter_constraints(constraints, changed, caller_name=type(self).__name__)
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
