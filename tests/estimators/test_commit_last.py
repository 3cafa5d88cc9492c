"""Fits commit last: whatever a call refuses, the estimator is as it was before the call.

Each estimator is brought into each state, and then gets every call that it has to refuse, one
after the other. A refused fit is about other data than the fit before (other columns, other
classes), so that whatever it learns from them shows.
"""

import copy
import functools
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor, nn

import sknn
import sknn.forecasting
import sknn.sequences
from sknn import NeuralClassifier, NeuralRegressor
from sknn.forecasting import DirectForecaster, RecursiveForecaster, WindowTransformer
from sknn.sequences import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
    StepClassifier,
    StepRegressor,
)
from sknn.text import Tokenizer
from tests.helpers import Snapshot, global_generators, representatives

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

N = 24
rng = np.random.default_rng(0)


# ------------------------------------------------------------------------------------ the data


class Data:
    """Samples and targets to fit, others of another format, and some that are wrong.

    Attributes
    ----------
    X, y
        What is fitted first.
    other_X, other_y
        What the refused calls are about.
    bad_X, bad_y : dict
        What no fit takes, by the reason.
    unknown_y
        Targets that do not go with `y` nor `other_y`, for validation data and warm starts.
    unfit_X : dict
        What does not fit a model of X, by the reason.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        other_X: Any,
        other_y: Any,
        bad_X: dict[str, Any],
        bad_y: dict[str, Any],
        unknown_y: Any,
        unfit_X: dict[str, Any] | None = None,
    ) -> None:
        self.X, self.y, self.other_X, self.other_y = X, y, other_X, other_y
        self.bad_X, self.bad_y, self.unknown_y = bad_X, bad_y, unknown_y
        self.unfit_X = {"columns": other_X} | (unfit_X or {})


def spoiled(array: Any, value: Any) -> Any:
    """Return a copy with one value replaced."""
    if isinstance(array, list):
        return [*array[:3], spoiled(array[3], value), *array[4:]]
    array = array.astype(float)
    array.flat[3] = value
    return array


X = rng.normal(size=(N, 9))
BAD_X: dict[str, Any] = {
    "NaN": spoiled(X[:, :4], np.nan),
    "infinity": spoiled(X[:, :4], np.inf),
    "none": X[:0, :4],
    "one dimension": X[:, 0],
    "dimensions": X[:, :4].reshape(N, 2, 2, 1, 1),
    "texts": X[:, :4].astype(str).astype(object) + "!",
    "generator": iter(X),
    "file": "X.npy",
}
LABELS, KINDS = np.arange(N) % 3, np.array(["new", "old"])[np.arange(N) % 2]
CLASSIFIED = Data(
    X,
    LABELS,
    X[:, :4],
    KINDS,
    BAD_X,
    {
        "none": None,
        "lengths": KINDS[1:],
        "one class": KINDS[:1].repeat(N),
        "continuous": X[:, 0],
        "NaN": spoiled(LABELS, np.nan),
        "infinity": spoiled(LABELS, np.inf),
        "several columns of classes": np.column_stack([LABELS, LABELS]),
        "dimensions": KINDS.reshape(4, 3, 2),
    },
    unknown_y=np.arange(N) % 5 + 7,
)
VALUES = X[:, 0] + 1
REGRESSED = Data(
    X,
    VALUES,
    X[:, :4],
    X[:, 4:6],
    BAD_X,
    {
        "none": None,
        "lengths": X[1:, 0],
        "NaN": spoiled(VALUES, np.nan),
        "infinity": spoiled(VALUES, np.inf),
        "dimensions": X[:, :8].reshape(N, 4, 2),
        "texts": KINDS,
    },
    unknown_y=X[:, :3],
)

SERIES = rng.normal(size=(N, 6, 2))
RAGGED = [series[: 3 + i % 4] for i, series in enumerate(SERIES[..., :1])]
BAD_SERIES: dict[str, Any] = {
    "NaN": spoiled(RAGGED, np.nan),
    "none": [],
    "channels": [*RAGGED[:-1], np.ones((4, 2))],
    "no steps": [*RAGGED[:-1], np.ones((0, 1))],
    "texts": ["one", "two"],
    "dimensions": SERIES[..., None, None],
}
STEP_LABELS = [np.array(["rest", "move"])[np.arange(len(each)) % 2] for each in RAGGED]
STEP_VALUES = [each[:, 0] for each in RAGGED]
STEPS_CLASSIFIED = Data(
    SERIES,
    np.arange(N * 6).reshape(N, 6) % 3,
    RAGGED,
    STEP_LABELS,
    BAD_SERIES,
    {
        "none": None,
        "lengths": STEP_LABELS[1:],
        "steps": [*STEP_LABELS[:-1], STEP_LABELS[-1][1:]],
        "one class": [np.full(len(each), "rest") for each in STEP_LABELS],
        "continuous": STEP_VALUES,
    },
    unknown_y=[np.full(len(each), "fly") for each in STEP_LABELS],
)
STEPS_REGRESSED = Data(
    SERIES,
    SERIES.sum(2),
    RAGGED,
    [each.repeat(2, 1) for each in RAGGED],
    BAD_SERIES,
    {
        "none": None,
        "lengths": STEP_VALUES[1:],
        "steps": [*STEP_VALUES[:-1], STEP_VALUES[-1][1:]],
        "NaN": spoiled(STEP_VALUES, np.nan),
        "texts": STEP_LABELS,
    },
    unknown_y=[each.repeat(3, 1) for each in RAGGED],
)
DECODED_LABELS = Data(
    SERIES,
    [np.arange(i % 4) % 3 for i in range(N)],
    RAGGED,
    STEP_LABELS,
    BAD_SERIES,
    {
        "none": None,
        "lengths": STEP_LABELS[1:],
        "no labels": [np.array([])] * N,
        "continuous": STEP_VALUES,
        "unsortable": [np.array([1, "a", None], dtype=object)] * N,
    },
    unknown_y=[np.full(2, "fly")] * N,
)
DECODED_VALUES = Data(
    SERIES,
    SERIES.sum(2)[:, :3],
    RAGGED,
    SERIES[:, :2],
    BAD_SERIES,
    {
        "none": None,
        "lengths": SERIES[1:, :2],
        "steps": STEP_VALUES,
        "NaN": spoiled(SERIES[:, :2], np.nan),
        "texts": np.full((N, 2), "move"),
    },
    unknown_y=SERIES[:, :5],
)
TOKENS = [np.arange(2 + i % 4) % 5 for i in range(N)]
GENERATED = Data(
    TOKENS,
    None,
    [each % 3 for each in TOKENS],
    None,
    {
        "none": [],
        "numbers": RAGGED,
        "negative": [*TOKENS[:-1], np.array([-1, 2])],
        "texts": ["one", "two"],
        "dimensions": SERIES,
    },
    {},
    unknown_y=None,
    unfit_X={"columns": [*TOKENS, np.array([9])]},
)

# Numbers and a category. Others are refused by what they are: NaN and texts are taken.
TABLE = pd.DataFrame(X[:, :3]).assign(kind=np.array(["low", "high", "mid"])[np.arange(N) % 3])
TABLE.columns = ["first", "second", "third", "kind"]
OTHER_TABLE = TABLE[["first", "kind"]]
BAD_TABLES: dict[str, Any] = {
    "infinity": TABLE.assign(second=np.inf),
    "none": TABLE[:0],
    "no columns": TABLE[[]],
    "lists": TABLE.assign(second=[[1.0]] * N),
    "numbers among texts": TABLE.assign(second=[*"abc", *range(N - 3)]),
    **{name: BAD_X[name] for name in ("one dimension", "dimensions", "generator", "file")},
}
UNFIT_TABLES: dict[str, Any] = {
    "order": TABLE[["second", "first", "third", "kind"]],
    "names": TABLE.rename(columns={"second": "2nd"}),
    "texts": TABLE.assign(second="x"),
}
TABLES_CLASSIFIED = Data(
    TABLE,
    LABELS,
    OTHER_TABLE,
    KINDS,
    BAD_TABLES,
    CLASSIFIED.bad_y,
    CLASSIFIED.unknown_y,
    UNFIT_TABLES,
)
TABLES_REGRESSED = Data(
    TABLE,
    VALUES,
    OTHER_TABLE,
    X[:, 4:6],
    BAD_TABLES,
    REGRESSED.bad_y,
    REGRESSED.unknown_y,
    UNFIT_TABLES,
)

# ------------------------------------------------------------------------------- the estimators

QUICK: dict[str, Any] = {"max_iter": 2, "batch_size": 12}
SMALL: dict[str, Any] = {"hidden_size": 4, **QUICK}
ESTIMATORS: dict[str, tuple[Any, Data]] = {
    "NeuralClassifier": (NeuralClassifier((4,), **QUICK), CLASSIFIED),
    "NeuralRegressor": (NeuralRegressor(hidden_layer_sizes=(4,), **QUICK), REGRESSED),
    "NeuralClassifier, 3 networks": (
        NeuralClassifier((4,), n_estimators=3, **QUICK),
        CLASSIFIED,
    ),
    "NeuralRegressor, 3 networks": (
        NeuralRegressor(hidden_layer_sizes=(4,), n_estimators=3, **QUICK),
        REGRESSED,
    ),
    "NeuralRegressor, lbfgs": (
        NeuralRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=2),
        REGRESSED,
    ),
    "NeuralRegressor, embeddings": (
        NeuralRegressor(
            hidden_layer_sizes=(4,), numerical_embedding=("piecewise_linear", "periodic"), **QUICK
        ),
        REGRESSED,
    ),
    "TabularClassifier": (
        sknn.TabularClassifier(hidden_layer_sizes=(4,), n_estimators=3, warm_start=True, **QUICK),
        TABLES_CLASSIFIED,
    ),
    "TabularRegressor": (
        sknn.TabularRegressor(hidden_layer_sizes=(4,), n_estimators=1, warm_start=True, **QUICK),
        TABLES_REGRESSED,
    ),
    "ConvClassifier": (sknn.ConvClassifier(filters=(2,), **QUICK), CLASSIFIED),
    "ConvRegressor": (sknn.ConvRegressor(filters=(2,), **QUICK), REGRESSED),
    "ConvSeriesClassifier": (
        sknn.ConvSeriesClassifier(n_features=84, n_estimators=1, solver="adam", **QUICK),
        CLASSIFIED,
    ),
    "ConvSeriesRegressor": (
        sknn.ConvSeriesRegressor(n_features=84, n_estimators=1, solver="adam", **QUICK),
        REGRESSED,
    ),
    "RecurrentClassifier": (sknn.RecurrentClassifier(filters=(2,), **SMALL), CLASSIFIED),
    "RecurrentRegressor": (sknn.RecurrentRegressor(filters=(2,), **SMALL), REGRESSED),
    "AttentionClassifier": (sknn.AttentionClassifier(n_heads=2, n_layers=1, **SMALL), CLASSIFIED),
    "AttentionRegressor": (sknn.AttentionRegressor(n_heads=2, n_layers=1, **SMALL), REGRESSED),
    "StepClassifier": (StepClassifier(**SMALL), STEPS_CLASSIFIED),
    "StepRegressor": (StepRegressor(**SMALL), STEPS_REGRESSED),
    "EncoderDecoderClassifier": (EncoderDecoderClassifier(**SMALL), DECODED_LABELS),
    "EncoderDecoderRegressor": (EncoderDecoderRegressor(**SMALL), DECODED_VALUES),
    "SequenceGenerator": (SequenceGenerator(embedding_size=3, **SMALL), GENERATED),
}
STATES = ("never fitted", "fitted", "warm start", "partly fitted")


def first_classes(estimator: Any, y: Any) -> dict[str, Any]:
    """Return what the first call of `partial_fit` needs beside X and y."""
    if not is_classifier(estimator):
        return {}
    return {"classes": np.unique(np.concatenate(y) if isinstance(y, list) else y)}


@functools.cache
def brought_into(state: str, name: str) -> Any:
    """Return an estimator in a state; `warm start` is the one that has been fitted."""
    template, data = ESTIMATORS[name]
    model = clone(template).set_params(random_state=np.random.RandomState(0))
    if state == "partly fitted":
        model.partial_fit(data.X, data.y, **first_classes(model, data.y))
    elif state != "never fitted":
        model.fit(data.X, data.y)
    return model


# -------------------------------------------------------------------------------- what is refused


class RefusalError(Exception):
    """What a user's function raises."""


def raises(n_outputs: int) -> Any:
    torch.rand(3)
    raise RefusalError("no such network")


def returns_seven() -> Any:
    return 7


class Outputs(nn.Module):
    """As many outputs as it is told, whatever the input."""

    def __init__(self, n_rows: int | None = None, width: int = 11) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.rand(width))
        self.n_rows = n_rows

    def forward(self, X: Tensor, *others: Tensor) -> Tensor:
        return self.bias.repeat(len(X) if self.n_rows is None else self.n_rows, 1)


class RaisesForward(Outputs):
    def forward(self, X: Tensor, *others: Tensor) -> Tensor:
        raise RefusalError("no such input")


class WrongSolver(torch.optim.SGD):
    def __init__(self, parameters: Any, lr: float) -> None:
        raise RefusalError("no such solver")


def no_solver(parameters: Any, lr: float) -> None:
    """Return nothing."""


Call = tuple[dict[str, Any], Callable[[Any], Any]]


def parameters_refused(
    model: Any, folder: Path, *, goes_on: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name values of parameters that a fit refuses."""
    names = model.get_params(deep=False)
    values: dict[str, list[Any]] = {
        "activation": ["sine"],
        "alpha": [-1.0],
        "batch_size": [0],
        "callbacks": [[len]],
        "checkpoint": [Path(__file__), folder / "other fit", ""],
        "class_weight": ["even", {"nobody": 2.0}],
        "device": ["cuda:77", "abacus"],
        "dropout": [1.5],
        "filters": [(0,)],
        "hidden_layer_sizes": [(0,)],
        "hidden_size": [0],
        "learning_rate": ["random"],
        "loss": ["lost"],
        "hyperparameters": [{"alpha": []}, {"alphas": [1.0]}],
        "max_iter": [0],
        "module": [raises, returns_seven, nn.Identity, nn.Identity(), Outputs, RaisesForward],
        "n_estimators": [0],
        "n_layers": [0],
        "numerical_embedding": [["cosine"]],
        "precision": ["exact"],
        "random_state": ["dice"],
        "solver": ["guess", WrongSolver, no_solver],
        "tol": [-1.0],
        "window": [0],
    }
    if goes_on:  # with the network that there is
        for name in (
            "filters",
            "hidden_layer_sizes",
            "hidden_size",
            "module",
            "n_layers",
            "numerical_embedding",
        ):
            del values[name]
    for name, refused in values.items():
        for value in refused if name in names else []:
            shown = getattr(value, "__name__", value)
            yield f"{name}={shown!r}", {name: value}
    # folds need no fraction, and in a warm start rows stay where they were
    has_folds = "validation" in names and (goes_on or model.n_estimators > 1)
    if model.solver != "lbfgs" and not has_folds:
        yield "no validation part", {"early_stopping": True, "validation_fraction": 0.0}
    yield "checkpoint of lbfgs", {"solver": "lbfgs", "checkpoint": folder / "new"}
    if "n_estimators" in names:
        of_others = "one network" if model.n_estimators > 1 else "ensemble"
        yield "checkpoint of other networks", {"checkpoint": folder / of_others}


def fits_refused(model: Any, data: Data, state: str, folder: Path) -> Iterator[tuple[str, Call]]:
    """Name calls of `fit` that have to be refused, with the parameters that they need."""
    goes_on = state == "warm start"
    X, y = (data.X, data.y) if goes_on else (data.other_X, data.other_y)
    n, supervised = len(X), y is not None
    labelled = {"y": y} if supervised else {}

    def fit(**arguments: Any) -> Callable[[Any], Any]:
        return called("fit", **{"X": X, **labelled, **arguments})

    for reason, value in data.bad_X.items():
        yield f"X: {reason}", ({}, fit(X=value))
        yield f"X_val: {reason}", ({}, fit(X_val=value, **validated(y)))
    for reason, value in data.bad_y.items():
        if not (goes_on and reason == "no labels"):
            yield f"y: {reason}", ({}, fit(y=value))
        if reason not in ("one class", "no labels"):
            yield f"y_val: {reason}", ({}, fit(X_val=X, y_val=value))
    for name, of_whom in (
        ("sample_weight", {}),
        ("sample_weight_val", {"X_val": X, **validated(y)}),
    ):
        if name == "sample_weight_val" and not supervised:
            continue
        for reason, weights in {
            "negative": -np.ones(n),
            "zero": np.zeros(n),
            "NaN": np.full(n, np.nan),
            "length": np.ones(n - 1),
            "texts": np.full(n, "heavy"),
        }.items():
            if (name, reason) != ("sample_weight_val", "zero"):
                yield f"{name}: {reason}", ({}, fit(**of_whom, **{name: weights}))
    unfit_X = data.unfit_X["columns"] if goes_on else data.X
    yield "X_val: columns", ({}, fit(X_val=unfit_X, **validated(y)))
    if supervised:
        yield "X_val without y_val", ({}, fit(X_val=X))
        yield "y_val without X_val", ({}, fit(y_val=y))
        yield "sample_weight_val alone", ({}, fit(sample_weight_val=np.ones(n)))
        yield "y_val: unknown", ({}, fit(X_val=X, y_val=data.unknown_y))
    yield "unknown argument", ({}, fit(incremental=True))
    for reason, parameters in parameters_refused(model, folder, goes_on=goes_on):
        yield reason, (parameters, fit())
    if goes_on:
        for reason, value in data.unfit_X.items():
            yield f"warm start with other X: {reason}", ({}, fit(X=value))
        if supervised:
            yield "warm start with other y", ({}, fit(y=data.unknown_y))
        if getattr(model, "n_estimators", 1) > 1:
            yield "warm start with fewer networks", ({"n_estimators": 2}, fit())


def validated(y: Any) -> dict[str, Any]:
    return {} if y is None else {"y_val": y}


def partial_fits_refused(model: Any, data: Data, state: str) -> Iterator[tuple[str, Call]]:
    """Name calls of `partial_fit` that have to be refused."""
    goes_on = state != "never fitted"
    X, y = (data.X, data.y) if goes_on else (data.other_X, data.other_y)
    first = first_classes(model, y)

    def partial_fit(**arguments: Any) -> Callable[[Any], Any]:
        return called("partial_fit", **{"X": X, "y": y, **first, **arguments})

    for reason, value in data.bad_X.items():
        yield f"partial X: {reason}", ({}, partial_fit(X=value))
    for reason, value in data.bad_y.items():
        if reason != "one class":
            yield f"partial y: {reason}", ({}, partial_fit(y=value))
    for reason, weights in {"negative": -np.ones(len(X)), "length": np.ones(len(X) - 1)}.items():
        yield f"partial sample_weight: {reason}", ({}, partial_fit(sample_weight=weights))
    for name, value in {
        "callbacks": [len],
        "device": "cuda:77",
        "early_stopping": True,
        "solver": WrongSolver,
    }.items():
        yield f"partial fit with {name}={value!r}", ({name: value}, partial_fit())
    if goes_on:
        for reason, value in data.unfit_X.items():
            yield f"partial fit of other X: {reason}", ({}, partial_fit(X=value))
        yield "partial fit of other y", ({}, partial_fit(y=data.unknown_y))
    if first:
        yield "one class", ({}, partial_fit(classes=first["classes"][:1]))
        if goes_on:
            yield "other classes", ({}, partial_fit(classes=[7, 8, 9]))
        else:
            yield "no classes", ({}, partial_fit(classes=None))
            yield "classes that y has not", ({}, partial_fit(classes=[7, 8, 9]))
        yield "balanced", ({"class_weight": "balanced"}, partial_fit())


def predictions_refused(model: Any, data: Data, state: str) -> Iterator[tuple[str, Call]]:
    """Name predictions that have to be refused."""
    methods = ("predict", "predict_proba", "decision_function", "score", "perplexity", "sample")
    wrong = data.bad_X | data.unfit_X
    for method in methods:
        if not hasattr(model, method) and not (method == "predict_proba" and is_classifier(model)):
            continue
        if state == "never fitted":
            wrong = wrong | {"unfitted": data.X}
        for reason, value in wrong.items():
            extra = {"y": data.y} if method == "score" and data.y is not None else {}
            if method == "sample":
                value, reason = {"prompt": [9, -1]}, "prompt"
            else:
                value = {"X": value, **extra}
            yield f"{method}: {reason}", ({}, called(method, **value))


def called(method: str, **arguments: Any) -> Callable[[Any], Any]:
    """Return a function that calls a method of a model."""
    return lambda model: getattr(model, method)(**arguments)


# ------------------------------------------------------------------------------------- the tests


def what_refusals_change(model: Any, calls: Iterable[tuple[str, Call]]) -> dict[str, Any]:
    """Call one after the other; return what has changed by those that changed anything."""
    changed: dict[str, Any] = {}
    before, drawn = Snapshot(model), global_generators()
    parameters = model.get_params(deep=False)
    for reason, (values, call) in calls:
        model.set_params(**values)
        try:
            call(model)
        except Exception:
            changes = [each for each in values if getattr(model, each) is not values[each]]
        else:
            changes = ["not refused"]
        model.set_params(**{name: parameters[name] for name in values})
        after, drawn_after = Snapshot(model), global_generators()
        changes += before.changes(after)
        if drawn_after != drawn:
            changes.append("the global generators")
        if changes:
            changed[reason] = changes
        before, drawn = after, drawn_after
    return changed


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with folders of checkpoints: of another fit, of one network, of several."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, n_estimators in {"other fit": 1, "one network": 1, "ensemble": 3}.items():
        model = NeuralClassifier((2,), max_iter=1, n_estimators=n_estimators, random_state=0)
        with pytest.warns(match="."):
            model.set_params(checkpoint=folder / name).fit(X, LABELS)
    return folder


# Every estimator in the two states that differ most, some in all.
IN_ALL_STATES = (
    "NeuralClassifier",
    "NeuralRegressor, 3 networks",
    "ConvClassifier",
    "RecurrentRegressor",
)
KEPT = [
    (name, state)
    for name, state in product(ESTIMATORS, STATES)
    if name in IN_ALL_STATES or state in ("never fitted", "warm start")
]


@pytest.mark.parametrize(("name", "state"), representatives(product(ESTIMATORS, STATES), *KEPT))
def test_a_refused_call_leaves_the_estimator_as_it_was(
    name: str, state: str, checkpoints: Path
) -> None:
    template, data = ESTIMATORS[name]
    has_batches = hasattr(template, "partial_fit")
    if state == "partly fitted" and not has_batches:
        pytest.skip("it has no partial_fit")
    model = copy.deepcopy(brought_into(state, name))
    model.warm_start = state == "warm start"
    untouched = copy.deepcopy(model)
    calls = [*fits_refused(model, data, state, checkpoints)]
    if has_batches:
        calls += partial_fits_refused(model, data, state)
    calls += predictions_refused(model, data, state)
    assert what_refusals_change(model, calls) == {}
    if state != "never fitted":
        np.testing.assert_array_equal(answers_of(model, data), answers_of(untouched, data))
    for each in (model, untouched):
        if has_batches and state != "warm start":
            each.partial_fit(data.X, data.y, **first_classes(each, data.y))
        else:
            each.fit(data.X, *(() if data.y is None else (data.y,)))
    np.testing.assert_array_equal(answers_of(model, data), answers_of(untouched, data))


def answers_of(model: Any, data: Data) -> np.ndarray:
    """Return predictions as one array."""
    if isinstance(model, SequenceGenerator):
        return np.array([model.score(data.X)])
    answers = model.predict_proba(data.X) if hasattr(model, "predict_proba") else None
    answers = model.predict(data.X) if answers is None else answers
    return np.concatenate([np.asarray(each).ravel() for each in answers])


def test_classes_and_network_are_of_one_fit() -> None:
    """The example of three classes, then two and validation data of other columns."""
    X, y = load_iris(return_X_y=True)
    model = NeuralClassifier((5,), max_iter=2, random_state=0).fit(X, y)
    before, answers = Snapshot(model), model.predict_proba(X)
    two = y < 2
    with pytest.raises(ValueError, match="X_val"):
        model.fit(X[two], np.array(["a", "b"])[y[two]], X_val=X[:9, :3], y_val=["a"] * 9)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X).shape == (150, 3)
    np.testing.assert_array_equal(model.predict_proba(X), answers)
    assert before.changes(Snapshot(model)) == []


def test_a_fit_that_stops_early_goes_on_after_a_refused_one_as_without_it() -> None:
    """The rows that were trained on are remembered, and not those of the refused fit."""
    for n_estimators in (1, 2):
        model = NeuralClassifier(
            (4,),
            n_estimators=n_estimators,
            max_iter=2,
            warm_start=True,
            early_stopping=True,
            validation_fraction=0.2,
            random_state=3,
        ).fit(X, LABELS)
        other = copy.deepcopy(model)
        with pytest.raises(ValueError, match="X_val"):
            model.fit(X, LABELS, X_val=X[:, :4], y_val=LABELS)
        for each in (model, other):
            each.fit(X, LABELS)
        np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))


# ----------------------------------------------------------- forecasters, windows and tokenizers

WAVE = np.sin(np.arange(60.0))
HOLIDAYS = np.arange(60.0)[:, None] % 7 < 1
FORECASTS = {
    "no y": called("fit", X=None, y=None),
    "y: NaN": called("fit", X=None, y=spoiled(WAVE, np.nan)),
    "y: dimensions": called("fit", X=None, y=np.ones((60, 1, 1))),
    "y: short": called("fit", X=None, y=WAVE[:4]),
    "lengths": called("fit", X=HOLIDAYS, y=WAVE[:50]),
    "X: NaN": called("fit", X=spoiled(HOLIDAYS, np.nan), y=WAVE),
    "X: one dimension": called("fit", X=WAVE, y=WAVE),
    "X: texts": called("fit", X=HOLIDAYS.astype(str) + "!", y=WAVE),
    "observe: columns": called("observe", X=np.ones((3, 2)), y=WAVE[:3]),
    "observe: no columns": called("observe", X=None, y=WAVE[:3]),
    "observe: series": called("observe", X=HOLIDAYS[:3], y=np.ones((3, 2))),
    "observe: NaN": called("observe", X=HOLIDAYS[:3], y=np.full(3, np.nan)),
    "observe: lengths": called("observe", X=HOLIDAYS[:3], y=WAVE[:4]),
    "predict: columns": called("predict", X=np.ones((3, 2))),
    "predict: none": called("predict", X=None),
    "predict: NaN": called("predict", X=np.full((3, 1), np.nan)),
    "forecast": called("forecast", n_steps=3),
    "forecast_interval": called("forecast_interval", n_steps=3),
    "predict_interval": called("predict_interval", X=np.ones((30, 1))),
    "score": called("score", X=np.ones((3, 2)), y=WAVE[:3]),
}
NETWORK = NeuralRegressor(hidden_layer_sizes=(2,), max_iter=1, random_state=0)
FORECASTS_WITH: dict[str, dict[str, Any]] = {
    "estimator": {"estimator": LogisticRegression()},
    "estimator's parameter": {"estimator": clone(NETWORK).set_params(alpha=-1.0)},
    "estimator's module": {"estimator": clone(NETWORK).set_params(module=raises)},
    "past": {"past": 59, "scale": "window"},
    "scale": {"scale": "map"},
    "covariates": {"covariates": "some"},
    "interval": {"interval": 0.99, "scale": "window"},
    "calibration_fraction": {"interval": 0.8, "calibration_fraction": 0.01, "scale": "window"},
}
WINDOWS = {
    "NaN": called("fit", X=spoiled(WAVE, np.nan)),
    "short": called("fit", X=np.ones((2, 2))),
    "dimensions": called("fit", X=np.ones((60, 1, 1))),
    "none": called("fit", X=None),
    "texts": called("fit", X=WAVE.astype(str) + "!"),
    "transform: channels": called("transform", X=np.ones((60, 2))),
    "transform: short": called("transform", X=np.ones((2, 1))),
    "pairs: channels": called("pairs", X=np.ones((60, 2))),
}
TEXTS = {
    "one text": called("fit", raw_documents="one text"),
    "none": called("fit", raw_documents=[]),
    "numbers": called("fit", raw_documents=["one", 2]),
    "no token": called("fit", raw_documents=["", " "]),
    "transform: numbers": called("transform", raw_documents=[1]),
    "inverse_transform: numbers": called("inverse_transform", X=[[0.5]]),
    "inverse_transform: unknown": called("inverse_transform", X=[[1000]]),
}
# An estimator, its first fit, refused calls, and parameters that `again` is refused with.
OF_SERIES: dict[str, tuple[Any, Any, dict[str, Any], dict[str, dict[str, Any]], Any]] = {
    "RecursiveForecaster": (
        RecursiveForecaster(NETWORK, past=5, interval=0.8, interval_steps=3),
        called("fit", X=HOLIDAYS, y=WAVE),
        FORECASTS,
        FORECASTS_WITH,
        called("fit", X=None, y=WAVE[:, None] + [0.0, 1.0]),
    ),
    "DirectForecaster": (
        DirectForecaster(NETWORK, past=5, horizon=3, interval=0.5),
        called("fit", X=HOLIDAYS, y=WAVE),
        FORECASTS,
        FORECASTS_WITH
        | {
            "without quantiles": {"estimator": Ridge(), "interval": 0.5, "scale": "window"},
            "horizon": {"horizon": 58},
        },
        called("fit", X=None, y=WAVE[:, None] + [0.0, 1.0]),
    ),
    "WindowTransformer": (
        WindowTransformer(past=3),
        called("fit", X=WAVE),
        WINDOWS,
        {"past": {"past": 0}, "stride": {"stride": 0}, "horizon": {"horizon": 0.5}},
        called("fit", X=WAVE[:, None] + [0.0, 1.0]),
    ),
    "Tokenizer": (
        Tokenizer(),
        called("fit", raw_documents=["one two", "two three"]),
        TEXTS,
        {
            "unit": {"unit": "sentence"},
            "token_pattern": {"token_pattern": "("},
            "groups": {"token_pattern": "(a)(b)"},
            "vocabulary": {"vocabulary": ["a", "a"]},
            "gaps": {"vocabulary": {"a": 1, "b": 3}},
            "min_count": {"min_count": 9},
        },
        called("fit", raw_documents=["four five"]),
    ),
}


@pytest.mark.parametrize("name", OF_SERIES)
def test_a_refused_call_leaves_forecasters_and_transformers_as_they_were(name: str) -> None:
    template, fit, refused, parameters, again = OF_SERIES[name]
    calls = [(reason, ({}, call)) for reason, call in refused.items()]
    calls += [(reason, (values, again)) for reason, values in parameters.items()]
    unfitted, fitted = clone(template), fit(clone(template))
    assert what_refusals_change(unfitted, calls) == {}
    assert what_refusals_change(fitted, calls) == {}


def test_a_refused_fit_transform_leaves_the_tokenizer_as_it_was() -> None:
    tokenizer = Tokenizer().fit(["one two", "two three"])
    call = called("fit_transform", raw_documents=["four five", 6])
    assert what_refusals_change(tokenizer, [("a number", ({}, call))]) == {}


def test_every_public_estimator_is_tried() -> None:
    public = [*vars(sknn).values(), *vars(sknn.sequences).values()]
    public += vars(sknn.forecasting).values()
    classes = {each for each in public if isinstance(each, type) and hasattr(each, "get_params")}
    tried = {type(model) for model, _ in ESTIMATORS.values()}
    assert tried | {type(model) for model, *_ in OF_SERIES.values()} == classes | {Tokenizer}
