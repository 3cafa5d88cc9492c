"""Objects in a file: dataclasses, modules and what has a `__dict__`, checked by their classes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from torch import nn

from ._checking import Checker, Sorts
from ._kinds import PLAIN, Kind, One, Values
from ._known import SortedClass, field_names, is_ours
from ._schema import FREE, attribute_kind, is_of_class, part_kinds
from ._values import Node

# What is no parameter, no constant and no annotation of a module, and yet its attribute.
MODULE_ATTRIBUTES = {
    "_all_weights", "_flat_weights_names", "_keys", "_qkv_same_embed_dim", "_size",
    "activation_relu_or_gelu", "head_dim", "head_size", "n_clusters", "shortlist_size",
    "use_nested_tensor",
}  # fmt: skip
# Compiled code counts in these numbers, and need not notice when they wrap.
MODULE_STATE = Values(
    *(PLAIN.sorts - {"array", "tensor"}), "module", "activation", "trusted", largest=2**31 - 1
)

MODULE_NAMES = {*dir(nn.Module), *vars(nn.Module())}
OUR_MODULE_STATE = Values(*PLAIN.sorts, *MODULE_STATE.sorts, "module class", "factory", "function")

GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}
MODULE_KEYS = {
    "class", "state", "parameters", "buffers", "modules", "trainable", "transient", "training",
}  # fmt: skip


def check_object(checker: Checker, node: Node, place: str) -> Sorts:
    """Check an object by what its class says that it holds."""
    if type(node) is not dict or type(node.get("class")) is not str:
        raise checker.refuse(place, "is no object")
    found = checker.class_of(node["class"], place)
    if "fields" in node:
        _check_fields(checker, node, found, place)
    elif "parameters" in node:
        _check_module(checker, node, found, place)
    elif set(node) == {"class", "state"}:
        if found.cls is not None and ("module" in found.sorts or field_names(found.cls)):
            raise checker.refuse(place, f"is no {found.cls.__name__}")
        check_attributes(checker, found, node["state"], place)
    else:
        raise checker.refuse(place, "is no object")
    return found.sorts


def check_attributes(checker: Checker, found: SortedClass, attributes: Any, place: str) -> None:
    """Check the attributes of an object."""
    for name, each in _names(checker, attributes, place):
        kind = attribute_kind(checker, found, name, place)
        kind(checker, each, f"{place}.{name}")


def _names(checker: Checker, attributes: Any, place: str) -> list[tuple[str, Node]]:
    if type(attributes) is not dict:
        raise checker.refuse(place, "has no attributes")
    for name in attributes:
        checker.attribute_name(name, place)
    return list(attributes.items())


def _check_fields(checker: Checker, node: Node, found: SortedClass, place: str) -> None:
    """Check plain data: a dataclass or a named tuple."""
    cls = found.cls
    expected = None if cls is None else field_names(cls)
    if set(node) != {"class", "fields"} or (cls is not None and expected is None):
        raise checker.refuse(place, "has no fields")
    kinds = part_kinds(cls) if cls is not None and found.is_known else {}
    for name, each in _names(checker, node["fields"], place):
        if expected is not None and name not in expected:
            raise checker.refuse(place, f"has no field {name!r}")
        kind = kinds.get(name, PLAIN if found.is_known else FREE)
        kind(checker, each, f"{place}.{name}")


def _check_module(checker: Checker, node: Node, found: SortedClass, place: str) -> None:
    """Check a module: tensors where tensors are, modules where modules are, and plain data."""
    if set(node) != MODULE_KEYS or not ("module" in found.sorts or found.cls is None):
        raise checker.refuse(place, "is no module")
    for part, kind in MODULE_PARTS.items():
        for name, each in _member_names(checker, node[part], found, place):
            kind(checker, each, f"{place}.{name}")
    for part, whole in (("trainable", "parameters"), ("transient", "buffers")):
        names = checker.exactly(node[part], None, place)
        if any(type(name) is not str or name not in node[whole] for name in names):
            raise checker.refuse(place, f"has {part} {whole} that it lacks")
    if type(node["training"]) is not bool:
        raise checker.refuse(place, "is neither in training nor in evaluation mode")
    for name, each in _names(checker, node["state"], place):
        kind = _module_attribute_kind(checker, found, name, place)
        kind(checker, each, f"{place}.{name}")
    if found.cls is not None and issubclass(found.cls, nn.RNNBase):
        check_recurrent(checker, found.cls, node, place)
    if found.cls is not None and issubclass(found.cls, nn.MultiheadAttention):
        check_attention(checker, node, place)


MODULE_PARTS: Mapping[str, Kind] = {
    "modules": One("module", "none"),
    "parameters": One("tensor", "none"),
    "buffers": One("tensor", "none"),
}


def _member_names(
    checker: Checker, members: Any, found: SortedClass, place: str
) -> list[tuple[str, Node]]:
    """Return a module's members; their names may hold what names of attributes may not."""
    if type(members) is not dict:
        raise checker.refuse(place, "is no module")
    for name in members:
        if not name or "." in name or name.startswith("__") or len(name) > 1000:
            raise checker.refuse(place, f"has a member {name[:60]!r}")
        if found.cls is not None and is_of_class(found.cls, name):
            raise checker.refuse(place, f"has a member {name!r}, which its class defines")
    return list(members.items())


def _module_attribute_kind(checker: Checker, found: SortedClass, name: str, place: str) -> Kind:
    if found.cls is None:
        return FREE
    if name in MODULE_NAMES or is_of_class(found.cls, name):
        raise checker.refuse(place, f"has an attribute {name!r}, which its class defines")
    if not found.is_known:
        return FREE
    bases = [each for each in found.cls.__mro__ if each.__module__.startswith("torch.nn.modules")]
    if is_ours(found.cls) and bases == [nn.Module]:
        return OUR_MODULE_STATE
    if name not in _module_names(found.cls):
        raise checker.refuse(place, f"has an attribute {name!r}, which its class does not have")
    return MODULE_STATE


@cache
def _module_names(cls: type) -> frozenset[str]:
    """Return the attributes that objects of a class of torch's have."""
    names = set(MODULE_ATTRIBUTES)
    for each in cls.__mro__:
        if each in (nn.Module, object):
            continue
        names |= set(inspect.signature(each.__init__).parameters)  # type: ignore[misc]
        names |= set(getattr(each, "__constants__", ())) | set(
            vars(each).get("__annotations__", {})
        )
    return frozenset(names - {"self", "args", "kwargs"})


def check_recurrent(checker: Checker, cls: type, node: Node, place: str) -> None:
    """Check the weights of a recurrent layer, which compiled code takes as its numbers say."""
    state, parameters = node["state"], node["parameters"]
    gates = next((n for base, n in GATES.items() if issubclass(cls, base)), None)
    names = ("input_size", "hidden_size", "num_layers", "proj_size")
    sizes = [state.get(name, 0) for name in names]
    flags = [state.get(name) for name in ("bias", "bidirectional")]
    modes = {4: ("LSTM",), 3: ("GRU",), 1: ("RNN_TANH", "RNN_RELU")}.get(gates or 0, ())
    if (
        any(type(size) is not int or size < 0 for size in sizes)
        or any(type(flag) is not bool for flag in flags)
        or state.get("mode") not in modes
        or not 0 < sizes[2] <= len(parameters)
    ):
        raise checker.refuse(place, "is no recurrent layer")
    assert gates is not None
    expected = recurrent_shapes(gates, *sizes, *flags)
    if set(expected) != set(parameters):
        raise checker.refuse(place, "has other weights than its numbers say")
    for name, shape in expected.items():
        if parameters[name] is None or checker.info(parameters[name], place).shape != shape:
            raise checker.refuse(f"{place}.{name}", "has another shape than its layer says")
    if len({checker.info(weight, place).dtype for weight in parameters.values()}) != 1:
        raise checker.refuse(place, "has weights of several types")
    listed = checker.exactly(state.get("_all_weights"), None, place)
    names_of_layers = [name for each in listed for name in checker.exactly(each, None, place)]
    if not list(expected) == names_of_layers == state.get("_flat_weights_names"):
        raise checker.refuse(place, "has other weights than its numbers say")


def check_attention(checker: Checker, node: Node, place: str) -> None:
    """Check the numbers of an attention layer, by which compiled code divides."""
    width, n_heads, head = (node["state"].get(k) for k in ("embed_dim", "num_heads", "head_dim"))
    if any(type(n) is not int or n < 1 for n in (width, n_heads, head)) or width != n_heads * head:
        raise checker.refuse(place, "is no attention layer")
    for name, shape in (("in_proj_weight", (3 * width, width)), ("in_proj_bias", (3 * width,))):
        weight = node["parameters"].get(name)
        if weight is not None and checker.info(weight, place).shape != shape:
            raise checker.refuse(f"{place}.{name}", "has another shape than its layer says")


def recurrent_shapes(
    gates: int, n_in: int, hidden: int, n_layers: int, projection: int, bias: bool, both: bool
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a recurrent layer's weights by their names, in torch's order."""
    shapes: dict[str, tuple[int, ...]] = {}
    out = projection or hidden
    for layer in range(n_layers):
        width = n_in if layer == 0 else out * (1 + both)
        for suffix in ("", "_reverse")[: 1 + both]:
            end = f"l{layer}{suffix}"
            shapes[f"weight_ih_{end}"] = (gates * hidden, width)
            shapes[f"weight_hh_{end}"] = (gates * hidden, out)
            if bias:
                shapes[f"bias_ih_{end}"] = shapes[f"bias_hh_{end}"] = (gates * hidden,)
            if projection:
                shapes[f"weight_hr_{end}"] = (projection, hidden)
    return shapes
