"""What each class may hold, and of what kind: the schema that files are checked against.

A kind is called with a checker, a node and its place, and raises `RefusedError` if the node is of
another kind. Of an object, each attribute has a kind: that of its name in the tables below, else
the one that its class has for all others. No attribute may take the place of a method or a
property, and none is a dunder, so an object does what its class says, with data of the file's.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from sklearn.base import BaseEstimator
from torch import nn

from ._checking import CONTAINERS, DEVICE, Checker, Node
from ._encoding import FOLDERS, field_names
from ._known import SortedClass

Kind = Callable[[Checker, Node, str], None]

# Of what patterns are compared with.
LONGEST_TEXT = 1000


class Values:
    """Values of some sorts, and lists, tuples, sets, dicts and arrays of them.

    Parameters
    ----------
    *sorts : str
        What :meth:`Checker.leaf` calls them.
    largest : int or None, default=None
        Of whole numbers, and of their negatives. Whole numbers in arrays are refused then.
    """

    def __init__(self, *sorts: str, largest: int | None = None) -> None:
        self.sorts = frozenset(sorts) | {"any"}
        self.largest = largest

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is of another kind."""
        tag, value = checker.tag(node, place)
        if tag in CONTAINERS and tag != "bunch":
            for where, each in checker.members(tag, value, place):
                self(checker, each, where)
            return
        sorts = frozenset({"bunch"}) if tag == "bunch" else checker.leaf(tag, value, place)
        if not sorts & self.sorts:
            raise checker.refuse(place, f"is of kind {min(sorts)!r}, which is not allowed there")
        if self.largest is not None:
            self._compare(checker, tag, value, place, self.largest)

    def _compare(self, checker: Checker, tag: str, value: Any, place: str, largest: int) -> None:
        """Refuse large numbers, and those that are not known before they are read."""
        if tag in ("ints", "element"):
            raise checker.refuse(place, f"is of kind {tag!r}, which is not allowed there")
        number = value[1] if tag == "scalar" else value
        if tag in ("number", "scalar") and type(number) is int and abs(number) > largest:
            raise checker.refuse(place, f"is larger than {largest}")
        if tag == "torch.Size" and any(length > largest for length in value):
            raise checker.refuse(place, f"is larger than {largest}")


class One(Values):
    """One value of some sorts."""

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is of another kind."""
        tag, _ = checker.tag(node, place)
        if tag in CONTAINERS:
            raise checker.refuse(place, f"is of kind {tag!r}, which is not allowed there")
        super().__call__(checker, node, place)


class Choice:
    """One of some values, or a list or tuple of them.

    Parameters
    ----------
    *options : object
        What JSON holds as it is.
    """

    def __init__(self, *options: Any) -> None:
        self.options = options

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none of them."""
        tag, value = checker.tag(node, place)
        if tag in ("list", "tuple"):
            for each in checker.exactly(value, None, place):
                self(checker, each, place)
        elif not any(type(value) is type(option) and value == option for option in self.options):
            raise checker.refuse(place, f"is {str(value)[:40]!r}, which is not allowed there")


class Text:
    """A text of some pattern, or a value of other sorts.

    Parameters
    ----------
    pattern : re.Pattern
        What the whole text has to match.
    *sorts : str
        What may stand there instead.
    """

    def __init__(self, pattern: re.Pattern[str], *sorts: str) -> None:
        self.pattern = pattern
        self.other = One(*sorts)

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none."""
        if type(node) is not str:
            self.other(checker, node, place)
        elif len(node) > LONGEST_TEXT or not self.pattern.fullmatch(node):
            raise checker.refuse(place, f"is {node[:40]!r}, which is not allowed there")


class Whole:
    """A whole number within limits.

    Parameters
    ----------
    least, most : int
        The limits.
    """

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none."""
        if type(node) is not int or not self.least <= node <= self.most:
            raise checker.refuse(place, f"is no number from {self.least} to {self.most}")


class Table:
    """A dict with texts as keys, or a Bunch.

    Parameters
    ----------
    kind : kind
        Of its values.
    *others : str
        Sorts that may stand there instead.
    """

    def __init__(self, kind: Kind, *others: str) -> None:
        self.kind = kind
        self.other = One(*others)

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none."""
        tag, value = checker.tag(node, place)
        if tag not in ("dict", "bunch"):
            self.other(checker, node, place)
            return
        for key, each in checker.text_keys({"dict": value}, place).items():
            if key.startswith("__"):
                raise checker.refuse(place, f"has a key {key[:60]!r}")
            self.kind(checker, each, f"{place}.{key[:40]}")


class Record:
    """A dict with certain keys.

    Parameters
    ----------
    **kinds : kind
        Of the values, by key.
    """

    def __init__(self, **kinds: Kind) -> None:
        self.kinds = kinds

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is none."""
        values = checker.text_keys(node, place)
        if set(values) != set(self.kinds):
            raise checker.refuse(place, f"has other keys than {', '.join(self.kinds)}")
        for name, each in values.items():
            self.kinds[name](checker, each, f"{place}.{name}")


def text_and_digest(checker: Checker, node: Node, place: str) -> None:
    """Raise RefusedError if a node is no tuple of two texts.

    Parameters
    ----------
    checker : Checker
        Of the document.
    node : node
        What is checked.
    place : str
        Where it stands.
    """
    tag, value = checker.tag(node, place)
    if tag != "tuple" or any(type(each) is not str for each in checker.exactly(value, 2, place)):
        raise checker.refuse(place, "is no text and digest")


class Settings:
    """Values of parameters by their names, as searches have them, nested names included.

    Parameters
    ----------
    many : bool
        Whether each value is a list of values, or a distribution.
    """

    def __init__(self, *, many: bool) -> None:
        self.many = many

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if a parameter has a value that it cannot have."""
        tag, value = checker.tag(node, place)
        if tag == "none":
            return
        if tag in ("list", "tuple"):
            for each in checker.exactly(value, None, place):
                self(checker, each, place)
            return
        for name, each in checker.text_keys(node, place).items():
            last = name.rpartition("__")[2]
            kind = NOTHING if last in FOLDERS else PARAMETERS.get(last, ARGUMENT)
            where = f"{place}.{name[:60]}"
            tag, value = checker.tag(each, where)
            if self.many and tag in CONTAINERS:
                for inner, candidate in checker.members(tag, value, where):
                    kind(checker, candidate, inner)
            elif self.many and last in PARAMETERS:  # texts in an array would not be looked at
                One("distribution", "number")(checker, each, where)
            else:
                kind(checker, each, where)


class Owner:
    """The estimator that a metadata request belongs to, which may be the one that holds it."""

    def __call__(self, checker: Checker, node: Node, place: str) -> None:
        """Raise RefusedError if the node is no estimator and no text."""
        tag, value = checker.tag(node, place)
        if tag == "object" and checker.is_open(value):
            return
        One("estimator", "text", "none")(checker, node, place)


PLAIN = Values(
    "none", "number", "text", "bytes", "array", "tensor", "type", "torch type", "device", "size",
    "slice",
)  # fmt: skip
# What an object of a class takes as the value of a parameter or has as a fitted attribute.
OBJECTS = (
    "estimator", "module", "loss", "splitter", "scorer", "generator", "distribution", "function",
    "factory", "module class", "solver class", "loss class", "estimator class", "splitter class",
    "trusted", "foreign", "enum",
)  # fmt: skip
ARGUMENT = Values(*PLAIN.sorts, *OBJECTS)
OUR_ARGUMENT = Values(*ARGUMENT.sorts, "data")
SETTING = Values(*PLAIN.sorts, "module class", "solver class", "trusted")
# Attributes of what the user trusts.
FREE = Values(
    *ARGUMENT.sorts, "path", "history", "bunch", "request", "calibrator", "state", "data",
)  # fmt: skip

NOTHING = Choice(None)
ESTIMATOR = One("estimator")
ARCHIVED = One("estimator", "foreign")
METHODS = ("auto", "default", "predict", "predict_proba", "predict_log_proba", "decision_function",
           "transform")  # fmt: skip
RESPONSE = Choice(None, *METHODS)
SCORER = Table(One("scorer", "trusted"), "scorer", "trusted", "function", "none")
SCORING = Values("none", "text", "scorer", "trusted", "function")
CALLBACKS = Values("none", "text", "trusted")

# str.format fills it in.
TEMPLATE = re.compile(r"[^{}]*(\{\w+\}[^{}]*)*", re.ASCII)
# sklearn.callback's, between the calls of `fit`.
CONTEXT = Values("none", "trusted", "foreign")

# Parameters, of whatever estimator, that not every value may be given to.
PARAMETERS: dict[str, Kind] = {
    "callbacks": CALLBACKS,
    "chain_method": RESPONSE,
    "checkpoint": One("none", "text", "path"),  # which is not taken over, see `Decoder`
    "device": Text(DEVICE, "device"),
    "func": One("none", "function", "trusted"),
    "input": Choice("content", "file"),  # not the names of files, which steps before may choose
    "importance_getter": Text(re.compile(r"[a-z][A-Za-z0-9_]*(\.[a-z][A-Za-z0-9_]*)*"), "trusted"),
    "inverse_func": One("none", "function", "trusted"),
    "memory": NOTHING,
    "param_distributions": Settings(many=True),
    "param_grid": Settings(many=True),
    "pre_dispatch": Text(re.compile(r"all|(\d{1,3} ?\* ?)?n_jobs"), "none", "number"),
    "predict_method": RESPONSE,
    "response_method": RESPONSE,
    "scoring": SCORING,
    "stack_method": RESPONSE,
    "verbose_feature_names_out": Text(TEMPLATE, "number", "trusted"),
}
# Fitted attributes of scikit-learn's estimators that not every value may be given to.
FITTED: dict[str, Kind] = {
    "_callback_fit_ctx": CONTEXT,
    "_metadata_request": One("request"),
    "_n_threads": Whole(1, 1024),  # OpenMP ends the process for a number below
    "_response_method": RESPONSE,
    "_parent_callback_ctx": CONTEXT,
    "_skl_callbacks": CONTEXT,
    "_skl_callbacks_to_teardown": CONTEXT,
    "_sklearn_output_config": Table(Choice("default", "pandas", "polars")),
    "best_params_": Settings(many=False),
    "chain_method_": RESPONSE,
    "named_estimators_": Table(One("estimator", "text", "none")),
    "scorer_": SCORER,
    "stack_method_": RESPONSE,
    "calibrated_classifiers_": Values("calibrator"),
}
# Of our own estimators.
OUR_FITTED: dict[str, Kind] = FITTED | {
    "module_": One("module"),
    "out_activation_": Choice("identity", "softmax", "logistic", "exp", "expm1"),
    "_compute_dtype": One("torch type", "none"),
    "_format": Values("data", "none"),
    "_given_parameters": Settings(many=False),
    "_intervals": Values("data", "none"),
    "_loss": One("loss"),
    "_members": Values("estimator", "none"),
    "_portable": NOTHING,
    "_model": Values("data", "none"),
    "_recent": Values("data", "none"),
    "_row_memory": One("data"),
    "_state": One("state"),
    "_targets": One("data", "none"),
    "_work": One("data"),
}

# Attributes of other objects, by the name of their class.
PARTS: dict[str, dict[str, Kind]] = {
    "CallableLoss": {"function": One("trusted", "module")},
    "MetadataRequest": {"owner": Owner()},
    "MethodMetadataRequest": {"owner": Owner()},
    "_CalibratedClassifier": {"estimator": ESTIMATOR, "calibrators": Values("estimator")},
    "_MultimetricScorer": {"_scorers": Table(One("scorer", "trusted"))},
    "_PassthroughScorer": {"_estimator": ESTIMATOR},
    "_Scorer": {
        "_score_func": One("function", "trusted"),
        "_kwargs": Table(PLAIN),
        "_response_method": RESPONSE,
        "_metadata_request": One("request"),
    },
    "ConformalIntervals": {"models": Values("data")},
    "TrainingState": {
        "history": One("history"),
        "plateau": One("data", "none"),
        "random_state": One("generator"),
    },
    "WindowModel": {"estimator": ESTIMATOR, "scaling": One("data")},
}
# For the attributes that the tables do not name.
REST: dict[str, Kind] = {
    "MetadataRequest": One("request"),
    "splitter": Values(*PLAIN.sorts, "generator", "splitter class"),
}

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

# Parts of files; others hold whatever they like.
PART_KINDS: dict[str, Kind] = {
    "estimator": ESTIMATOR,
    "fit": Record(
        estimator=One("text"),
        parameters=Table(text_and_digest),
        data=Table(One("text", "none")),
        start=One("text", "none"),
        weights=One("text"),
        random_state=One("generator", "none"),
    ),
    "progress": Table(Values(*PLAIN.sorts, "generator", "state")),
}

MODULE_NAMES = {*dir(nn.Module), *vars(nn.Module())}
OUR_MODULE_STATE = Values(*PLAIN.sorts, *MODULE_STATE.sorts, "module class", "factory", "function")

GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}
MODULE_KEYS = {
    "class", "state", "parameters", "buffers", "modules", "trainable", "transient", "training",
}  # fmt: skip


def check_object(checker: Checker, node: Node, place: str) -> frozenset[str]:
    """Check an object by what its class says that it holds.

    Parameters
    ----------
    checker : Checker
        Of the document.
    node : node
        Class and attributes.
    place : str
        Where the object stands.

    Returns
    -------
    frozenset of str
        What the object is.
    """
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
    """Check the attributes of an object.

    Parameters
    ----------
    checker : Checker
        Of the document.
    found : SortedClass
        The object's class.
    attributes : dict of str to node
        Its attributes.
    place : str
        Where it stands.
    """
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
    kinds = PARTS.get(cls.__name__, {}) if cls is not None and found.is_known else {}
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
        if found.cls is not None and _is_of_class(found.cls, name):
            raise checker.refuse(place, f"has a member {name!r}, which its class defines")
    return list(members.items())


def _module_attribute_kind(checker: Checker, found: SortedClass, name: str, place: str) -> Kind:
    if found.cls is None:
        return FREE
    if name in MODULE_NAMES or _is_of_class(found.cls, name):
        raise checker.refuse(place, f"has an attribute {name!r}, which its class defines")
    if not found.is_known:
        return FREE
    bases = [each for each in found.cls.__mro__ if each.__module__.startswith("torch.nn.modules")]
    if is_ours(found.cls) and bases == [nn.Module]:
        return OUR_MODULE_STATE
    if name not in _module_names(found.cls):
        raise checker.refuse(place, f"has an attribute {name!r}, which its class does not have")
    return MODULE_STATE


def attribute_kind(checker: Checker, found: SortedClass, name: str, place: str) -> Kind:
    """Return of what kind an attribute is.

    Parameters
    ----------
    checker : Checker
        Of the document.
    found : SortedClass
        The object's class.
    name : str
        The attribute.
    place : str
        Where the object stands.

    Returns
    -------
    kind
    """
    cls = found.cls
    if cls is None:
        return FREE
    if name == "estimator_params":  # are handed on to the members of an ensemble
        return Choice(*_parameter_names(cls), "criterion", "max_features")  # of all forests
    if name in _parameter_names(cls):
        return PARAMETERS.get(name, ARGUMENT if found.is_known else FREE)
    fitted = OUR_FITTED if is_ours(cls) else FITTED
    if name in fitted and "estimator" in found.sorts:
        return fitted[name]
    if _is_of_class(cls, name):
        raise checker.refuse(place, f"has an attribute {name!r}, which its class defines")
    if not found.is_known:
        return FREE
    if cls.__name__ in PARTS and name in PARTS[cls.__name__]:
        return PARTS[cls.__name__][name]
    if "estimator" in found.sorts:
        if not (name.startswith("_") or name.endswith("_")):
            raise checker.refuse(place, f"has an attribute {name!r}, which its class does not have")
        return OUR_ARGUMENT if is_ours(cls) else ARGUMENT
    if "splitter" in found.sorts:
        return REST["splitter"]
    return REST.get(cls.__name__, PLAIN)


@cache
def _parameter_names(cls: type) -> frozenset[str]:
    """Return the parameters of an estimator, those that base classes set included."""
    if not issubclass(cls, BaseEstimator):
        return frozenset()
    names: set[str] = set()
    for each in cls.__mro__:
        if "__init__" in vars(each) and each is not object:
            names |= set(inspect.signature(each.__init__).parameters)  # type: ignore[misc]
    return frozenset(names - {"self", "args", "kwargs"})


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


def is_ours(cls: type) -> bool:
    """Say whether a class is one of ours, or made of one."""
    return any(each.__module__.startswith("sknn.") for each in cls.__mro__)


def _is_of_class(cls: type, name: str) -> bool:
    """Say whether a class defines something of a name, default values of other data aside."""
    definer = next((each for each in cls.__mro__ if name in vars(each)), None)
    if definer is None:
        return False
    package = definer.__module__.partition(".")[0]
    if package == "sklearn" or (package == "sknn" and issubclass(cls, BaseEstimator)):
        return True
    plain = (str, int, float, bool, type(None), tuple, torch.dtype)
    return not isinstance(vars(definer)[name], plain)


def check_recurrent(checker: Checker, cls: type, node: Node, place: str) -> None:
    """Check the weights of a recurrent layer, which compiled code takes as its numbers say.

    Parameters
    ----------
    checker : Checker
        Of the document.
    cls : type
        The layer's class.
    node : node
        The layer.
    place : str
        Where it stands.
    """
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
    """Check the numbers of an attention layer, by which compiled code divides.

    Parameters
    ----------
    checker : Checker
        Of the document.
    node : node
        The layer.
    place : str
        Where it stands.
    """
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
    """Return the shapes of a recurrent layer's weights by their names, in torch's order.

    Parameters
    ----------
    gates : int
        Of a cell.
    n_in, hidden, n_layers, projection : int
        Channels of the input and of the state, layers, and what the state is projected to or 0.
    bias, both : bool
        Whether there are biases and a backward direction.

    Returns
    -------
    dict of str to tuple of int
    """
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
