"""What each class may hold, and of what kind: the schema that files are checked against.

Of an object, each attribute has a kind: that of its name in the tables below, else the one that its
class has for all others. No attribute may take the place of a method or a property, and none is a
dunder, so an object does what its class says, with data of the file's. What our own plain data
hold is in `sknn.storage._known.DATA`.
"""

from __future__ import annotations

import inspect
import re
from functools import cache

import torch
from sklearn.base import BaseEstimator

from ._checking import CONTAINERS, DEVICE, Checker
from ._encoding import FOLDERS
from ._kinds import PLAIN, Choice, Kind, One, Record, Table, Text, Values, Whole, text_and_digest
from ._known import DATA, SortedClass, is_ours, name_of
from ._values import Node


class Settings:
    """Values of parameters by their names, nested ones included; with `many`, several for each."""

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


def owner(checker: Checker, node: Node, place: str) -> None:
    """Check the estimator of a metadata request, which may be the one that holds it."""
    tag, value = checker.tag(node, place)
    if tag == "object" and checker.is_open(value):
        return
    One("estimator", "text", "none")(checker, node, place)


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

# str.format fills it in.
TEMPLATE = re.compile(r"[^{}]*(\{\w+\}[^{}]*)*", re.ASCII)
# What scikit-learn's callbacks leave in an estimator while it is fitted.
CALLBACK_CONTEXTS = (
    "_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks", "_skl_callbacks_to_teardown",
)  # fmt: skip

# Parameters, of whatever estimator, that not every value may be given to.
PARAMETERS: dict[str, Kind] = {
    **dict.fromkeys(
        ("chain_method", "predict_method", "response_method", "stack_method"), RESPONSE
    ),
    "callbacks": Values("none", "text", "trusted"),
    "checkpoint": One("none", "text", "path"),  # which is not taken over, see `Decoder`
    "device": Text(DEVICE, "device"),
    "func": One("none", "function", "trusted"),
    "input": Choice("content", "file"),  # not the names of files, which steps before may choose
    "hyperparameters": Settings(many=True),
    "importance_getter": Text(re.compile(r"[a-z][A-Za-z0-9_]*(\.[a-z][A-Za-z0-9_]*)*"), "trusted"),
    "inverse_func": One("none", "function", "trusted"),
    "memory": NOTHING,
    "param_distributions": Settings(many=True),
    "param_grid": Settings(many=True),
    "pre_dispatch": Text(re.compile(r"all|(\d{1,3} ?\* ?)?n_jobs"), "none", "number"),
    "scoring": Values("none", "text", "scorer", "trusted", "function"),
    "verbose_feature_names_out": Text(TEMPLATE, "number", "trusted"),
}
# Fitted attributes of scikit-learn's estimators that not every value may be given to.
FITTED: dict[str, Kind] = {
    **dict.fromkeys(CALLBACK_CONTEXTS, Values("none", "trusted", "foreign")),
    **dict.fromkeys(("_response_method", "chain_method_", "stack_method_"), RESPONSE),
    "_metadata_request": One("request"),
    "_n_threads": Whole(1, 1024),  # OpenMP ends the process for a number below
    "_sklearn_output_config": Table(Choice("default", "pandas", "polars")),
    "best_params_": Settings(many=False),
    "named_estimators_": Table(One("estimator", "text", "none")),
    "scorer_": Table(One("scorer", "trusted"), "scorer", "trusted", "function", "none"),
    "calibrated_classifiers_": Values("calibrator"),
}
# Of our own estimators.
OUR_FITTED: dict[str, Kind] = FITTED | {
    "module_": One("module"),
    "out_activation_": Choice("identity", "softmax", "logistic", "exp", "expm1", "gaussian"),
    "_calibration": One("data", "none"),
    "_compute_dtype": One("torch type", "none"),
    "_fold": One("data", "none"),
    **dict.fromkeys(
        ("_format", "_intervals", "_model", "_panel", "_recent"), Values("data", "none")
    ),
    "_given_parameters": Settings(many=False),
    "_loss": One("loss"),
    "_members": Values("estimator", "none"),
    "_portable": NOTHING,
    "_row_memory": One("data"),
    "_state": One("state"),
    "_targets": One("data", "none"),
    "_work": One("data"),
}

# Attributes of losses and of what scikit-learn's estimators consist of, by class.
PARTS: dict[str, dict[str, Kind]] = {
    "CallableLoss": {"function": One("trusted", "module")},
    "MetadataRequest": {"owner": owner},
    "MethodMetadataRequest": {"owner": owner},
    "_CalibratedClassifier": {"estimator": ESTIMATOR, "calibrators": Values("estimator")},
    "_MultimetricScorer": {"_scorers": Table(One("scorer", "trusted"))},
    "_PassthroughScorer": {"_estimator": ESTIMATOR},
    "_Scorer": {
        "_score_func": One("function", "trusted"),
        "_kwargs": Table(PLAIN),
        "_response_method": RESPONSE,
        "_metadata_request": One("request"),
    },
}
# For the attributes that the tables do not name.
REST: dict[str, Kind] = {
    "MetadataRequest": One("request"),
    "splitter": Values(*PLAIN.sorts, "generator", "splitter class"),
}

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


def attribute_kind(checker: Checker, found: SortedClass, name: str, place: str) -> Kind:
    """Return of what kind an attribute is."""
    cls = found.cls
    if cls is None:
        return FREE
    if name == "estimator_params":  # are handed on to the members of an ensemble
        return Choice(*parameter_names(cls), "criterion", "max_features")  # of all forests
    if name in parameter_names(cls):
        return PARAMETERS.get(name, ARGUMENT if found.is_known else FREE)
    fitted = OUR_FITTED if is_ours(cls) else FITTED
    if name in fitted and "estimator" in found.sorts:
        return fitted[name]
    if is_of_class(cls, name):
        raise checker.refuse(place, f"has an attribute {name!r}, which its class defines")
    if not found.is_known:
        return FREE
    if name in part_kinds(cls):
        return part_kinds(cls)[name]
    if "estimator" in found.sorts:
        if not (name.startswith("_") or name.endswith("_")):
            raise checker.refuse(place, f"has an attribute {name!r}, which its class does not have")
        return OUR_ARGUMENT if is_ours(cls) else ARGUMENT
    if "splitter" in found.sorts:
        return REST["splitter"]
    return REST.get(cls.__name__, PLAIN)


@cache
def part_kinds(cls: type) -> dict[str, Kind]:
    """Return the kinds of a part's attributes that are more than plain data."""
    held: dict[str, Kind] = {}
    for name, sorts in DATA.get(name_of(cls), {}).items():
        is_one = not sorts.startswith("many ")
        held[name] = One(*sorts.split()) if is_one else Values(*sorts.split()[1:])
    return PARTS.get(cls.__name__, {}) | held


@cache
def parameter_names(cls: type) -> frozenset[str]:
    """Return the parameters of an estimator, those that base classes set included."""
    if not issubclass(cls, BaseEstimator):
        return frozenset()
    names: set[str] = set()
    for each in cls.__mro__:
        if "__init__" in vars(each) and each is not object:
            names |= set(inspect.signature(each.__init__).parameters)  # type: ignore[misc]
    return frozenset(names - {"self", "args", "kwargs"})


def is_of_class(cls: type, name: str) -> bool:
    """Say whether a class defines something of a name, default values of other data aside."""
    definer = next((each for each in cls.__mro__ if name in vars(each)), None)
    if definer is None:
        return False
    package = definer.__module__.partition(".")[0]
    if package == "sklearn" or (package == "sknn" and issubclass(cls, BaseEstimator)):
        return True
    plain = (str, int, float, bool, type(None), tuple, torch.dtype)
    return not isinstance(vars(definer)[name], plain)
