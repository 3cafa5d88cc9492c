"""Targets that are sequences, and what all estimators of sequences have in common."""

import copy
import inspect
import pickle
import random
import re
import signal
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit, cross_val_score
from sklearn.utils import get_tags
from skorch.callbacks import Callback as SkorchCallback

from sknn.estimators.targets._sequences import check_step_targets, join_targets
from sknn.sequences import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
    StepClassifier,
    StepRegressor,
)
from tests.helpers import case_name, class_doc, objects, weights_of

ESTIMATORS = [
    StepClassifier,
    StepRegressor,
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
]
N = 16
rng = np.random.default_rng(0)
SERIES = [rng.normal(size=3 + i % 5) for i in range(N)]
TOKENS = [rng.integers(0, 4, size=3 + i % 4) for i in range(N)]
TOKENS[0][:] = 3  # the largest
DATA: dict[Any, tuple[Any, Any]] = {
    StepClassifier: (SERIES, [np.where(each > 0, "up", "down") for each in SERIES]),
    StepRegressor: (SERIES, [each.cumsum() for each in SERIES]),
    EncoderDecoderClassifier: (TOKENS, [each[::-1] for each in TOKENS]),
    EncoderDecoderRegressor: (SERIES, np.array([each[:3] for each in SERIES])),
    SequenceGenerator: (TOKENS, None),
}
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS)
ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(estimator: Any, **parameters: Any) -> Any:
    small: dict[str, Any] = {
        "hidden_size": 4,
        "max_iter": 2,
        "batch_size": 6,
        "learning_rate_init": 0.01,
        "random_state": 0,
    }
    if estimator is EncoderDecoderClassifier:
        small["embedding_size"] = 4
    elif estimator is not SequenceGenerator:
        small["filters"] = (4,)
    return estimator(**(small | parameters))


def fit(model: Any) -> Any:
    return model.fit(*DATA[type(model)])


def answers(model: Any) -> list[Any]:
    X, _ = DATA[type(model)]
    if isinstance(model, SequenceGenerator):
        return [*model.sample(10, max_length=8, random_state=0), model.score(X)]
    return list(model.predict(X))


def assert_same_answers(one: Any, other: Any) -> None:
    for first, second in zip(answers(one), answers(other), strict=True):
        assert_array_equal(first, second)


def are_equal(one: Any, other: Any) -> bool:
    pairs = zip(weights_of(one), weights_of(other), strict=True)
    return all(np.array_equal(first, second) for first, second in pairs)


# ---------------------------------------------------------------------------------------- targets


LABELS: dict[str, Any] = {
    "array": np.array([[1, 2, 1], [2, 2, 1]]),
    "list of lists": [[1, 2, 1], [2, 2, 1]],
    "list of arrays": [np.array([1, 2, 1]), np.array([2, 2, 1])],
    "object array": objects(map(np.asarray, [[1, 2, 1], [2, 2, 1]])),
    "tuple of tuples": ((1, 2, 1), (2, 2, 1)),
}


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("numeric", [False, True])
def test_targets_of_equal_length_come_in_any_form(y: Any, numeric: bool) -> None:
    joined = join_targets(y, 2, numeric=numeric)
    assert joined.values.tolist() == [1, 2, 1, 2, 2, 1]
    assert joined.lengths.tolist() == [3, 3]


@pytest.mark.parametrize("form", [list, objects])
@pytest.mark.parametrize("numeric", [False, True])
def test_targets_of_different_lengths_are_lists_or_object_arrays(form: Any, numeric: bool) -> None:
    joined = join_targets(form([[1, 2, 1], [2]]), 2, numeric=numeric)
    assert joined.values.tolist() == [1, 2, 1, 2]
    assert joined.lengths.tolist() == [3, 1]


def test_targets_in_pandas() -> None:
    pd = pytest.importorskip("pandas")
    for y in (pd.DataFrame([[1, 2], [3, 4]]), pd.Series([np.array([1, 2]), np.array([3, 4])])):
        for numeric in (False, True):
            assert join_targets(y, 2, numeric=numeric).values.tolist() == [1, 2, 3, 4]


def test_labels_keep_their_type() -> None:
    words = join_targets([["a", "bcd"], ["ef"]], 2, numeric=False).values
    assert words.tolist() == ["a", "bcd", "ef"]
    assert words.dtype == np.dtype("U3")
    assert join_targets([[], [True]], 2, numeric=False).values.dtype == bool
    assert join_targets(np.array([[1], [2]], np.int8), 2, numeric=False).values.dtype == np.int8


def test_some_or_all_sequences_of_labels_may_be_empty() -> None:
    joined = join_targets([[], ["a", "b"], []], 3, numeric=False)
    assert joined.values.tolist() == ["a", "b"]
    assert joined.lengths.tolist() == [0, 2, 0]
    assert join_targets([[], []], 2, numeric=False).lengths.tolist() == [0, 0]


def test_values_may_have_several_columns() -> None:
    y = np.arange(12.0).reshape(2, 3, 2)
    for form in (y, list(y), [y[0].tolist(), y[1].tolist()]):
        joined = join_targets(form, 2, numeric=True)
        assert_array_equal(joined.values, y.reshape(6, 2))
        assert joined.lengths.tolist() == [3, 3]
    ragged = join_targets([y[0], y[1, :1]], 2, numeric=True)
    assert_array_equal(ragged.values, y.reshape(6, 2)[:4])
    assert ragged.lengths.tolist() == [3, 1]


@pytest.mark.parametrize(
    ("y", "numeric", "message"),
    [
        (None, True, "the target y is None"),
        ([1, 2], False, r"y has shape \(2,\); each series needs a sequence of targets"),
        (3.0, True, r"y has shape \(\)"),
        ([[1, 2], 3], True, "y holds sequences and numbers"),
        ([[1], [2], [3]], False, "y has targets for 3 series, but X has 2"),
        ([[1, 2], [1], [3]], True, "y has targets for 3 series, but X has 2"),
        ([], True, "y has targets for 0 series"),
        (["ab", "cd"], False, r"y\[0\] has shape \(\)"),
        (np.zeros((2, 3, 1)), False, r"y\[0\] has shape \(3, 1\); a series has a sequence of lab"),
        ([np.zeros(2), np.zeros((2, 2))], False, r"y\[1\] has shape \(2, 2\)"),
        ([[1, 2], ["a"]], False, "y has sequences of strings and others of numbers"),
        ([[1.0, np.nan], [1.0, 2.0]], True, r"y\[0\] contains NaN"),
        ([[1.0], [1.0, -np.inf]], True, r"y\[1\] contains infinity"),
        ([[1.0], [np.nan, 1.0]], False, r"y\[1\] contains NaN"),
        ([[np.inf], [1.0]], False, r"y\[0\] contains infinity"),
        ([["a"], ["b"]], True, r"y\[0\] has type <U1"),
        ([[1.0], []], True, r"y\[1\] has no steps"),
        ([np.zeros((2, 2)), np.zeros((2, 3))], True, r"y\[1\] has shape \(2, 3\), but y\[0\]"),
        (np.zeros((2, 3, 1, 1)), True, r"y\[0\] has shape \(3, 1, 1\)"),
    ],
    ids=case_name,
)
def test_targets_that_are_none_are_refused(y: Any, numeric: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        join_targets(y, 2, numeric=numeric)


@pytest.mark.parametrize("numeric", [False, True])
def test_each_step_needs_a_target(numeric: bool) -> None:
    y = [[1, 2], [1, 1, 2], [2]]
    found = check_step_targets(y, np.array([2, 3, 1]), numeric=numeric)
    assert found.values.tolist() == [1, 2, 1, 1, 2, 2]
    with pytest.raises(ValueError, match=r"y\[1\] has 3 targets, but X\[1\] has 4 steps"):
        check_step_targets(y, np.array([2, 4, 2]), numeric=numeric)


# --------------------------------------------------------------------------------- scikit-learn


def test_tags() -> None:
    for estimator in ESTIMATORS:
        tags = get_tags(make(estimator))
        # scikit-learn's checks pair a row with a target, which holds for one of them
        assert tags.input_tags.two_d_array == (estimator is EncoderDecoderRegressor)
        assert is_classifier(make(estimator)) == (estimator is StepClassifier)
        assert is_regressor(make(estimator)) == estimator.__name__.endswith("Regressor")


@each_estimator
def test_an_estimator_that_is_not_fitted_says_so(estimator: Any) -> None:
    X, y = DATA[estimator]
    model = make(estimator)
    methods = {"predict": (X,), "predict_proba": (X,), "predict_log_proba": (X,)}
    methods |= {"decision_function": (X,), "score": (X, y), "perplexity": (X,), "sample": ()}
    for name, arguments in methods.items():
        if hasattr(model, name):
            with pytest.raises(NotFittedError):
                getattr(model, name)(*arguments)


@each_estimator
def test_parameters_are_public_and_named(estimator: Any) -> None:
    """A class attribute with an annotation would become a parameter."""
    for name, parameter in inspect.signature(estimator).parameters.items():
        assert not name.startswith("_")
        assert name in estimator._parameter_constraints
        assert parameter.kind is parameter.KEYWORD_ONLY


@each_estimator
def test_parameters_are_set_got_and_cloned(estimator: Any) -> None:
    model = estimator(hidden_size=7, solver="sgd", random_state=np.random.RandomState(1))
    assert model.get_params()["hidden_size"] == 7
    assert set(model.get_params()) == set(inspect.signature(estimator).parameters)
    assert model.set_params(alpha=0.5, max_iter=7) is model
    cloned = clone(model)
    for name in ("hidden_size", "solver", "alpha", "max_iter"):
        assert getattr(cloned, name) == getattr(model, name)
    assert cloned.random_state is not model.random_state
    with pytest.raises(ValueError, match="Invalid parameter 'layers'"):
        model.set_params(layers=3)
    assert repr(estimator(alpha=0.5)) == f"{estimator.__name__}(alpha=0.5)"
    assert not hasattr(clone(fit(make(estimator))), "module_")


@each_estimator
def test_every_parameter_is_documented_with_its_default_and_choices(estimator: Any) -> None:
    documented = {p.name: p for p in class_doc(estimator)["Parameters"]}
    signature = inspect.signature(estimator).parameters
    assert list(documented) == list(signature)
    for name, parameter in signature.items():
        default = re.search(r"default=(.+)$", documented[name].type)
        assert default is not None, name
        assert eval(default[1]) == parameter.default, name
        text = documented[name].type + " ".join(documented[name].desc)
        assert len(" ".join(documented[name].desc)) > 15, name
        for constraint in estimator._parameter_constraints[name]:
            for option in getattr(constraint, "options", ()):
                assert not isinstance(option, str) or f'"{option}"' in text, (name, option)
    assert "{" not in re.sub(r"\{\"[^}]*\}", "", " ".join(class_doc(estimator)["Extended Summary"]))


@each_estimator
def test_every_documented_attribute_exists_after_fit_and_not_before(estimator: Any) -> None:
    model = fit(make(estimator))
    documented = {p.name for p in class_doc(estimator)["Attributes"]}
    for name in documented - {"feature_names_in_"}:
        getattr(model, name)
    public = {name for name in dir(model) if name.endswith("_") and not name.startswith("_")}
    assert public <= documented
    for name in documented:
        assert not hasattr(make(estimator), name), name


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"filters": (3, 0)}, r"filters must be > 0, got \[3, 0\]"),
        ({"kernel_size": (3, 3)}, "kernel_size has 2 values for 1 convolutions"),
        ({"stride": (1, 1)}, "stride has 2 values for 1 convolutions"),
        ({"activation": torch.nn.ReLU()}, "activation"),
        ({"device": "nonsense"}, "device='nonsense'"),
        ({"module": lambda: 3}, "module returned int"),
        ({"solver": "lbfgs", "dropout": 0.1}, "dropout changes the loss"),
    ],
    ids=case_name,
)
@each_estimator
def test_a_bad_value_inside_is_refused_by_name(estimator: Any, bad: Any, message: str) -> None:
    (name, *_) = bad
    if name not in inspect.signature(estimator).parameters:
        pytest.skip("not a parameter of this estimator")
    if name in ("kernel_size", "stride", "activation"):
        bad = {"filters": (3,)} | bad
    with pytest.raises((ValueError, TypeError), match=message):
        fit(make(estimator, **bad))


# ------------------------------------------------------------------------------------- randomness


@each_estimator
def test_equal_seeds_give_equal_weights_and_global_generators_stay(estimator: Any) -> None:
    parameters = {"dropout": 0.3}
    model = fit(make(estimator, **parameters))
    random.seed(5), torch.manual_seed(5), np.random.seed(5)  # noqa: NPY002
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = fit(make(estimator, **parameters))
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert_array_equal(np.random.get_state()[1], before[2])  # noqa: NPY002
    assert are_equal(model, again)
    assert model.loss_curve_ == again.loss_curve_
    assert_same_answers(model, again)
    assert not are_equal(model, fit(make(estimator, random_state=1, **parameters)))
    assert not are_equal(model, fit(make(estimator)))  # without dropout


# --------------------------------------------------------------------------------------- storage


def joblib_round_trip(model: Any, tmp_path: Any) -> Any:
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib")


ROUND_TRIPS: dict[str, Callable[[Any, Any], Any]] = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "joblib": joblib_round_trip,
    "deepcopy": lambda model, _: copy.deepcopy(model),
}


@pytest.mark.slow
@ignore_convergence
@pytest.mark.parametrize("round_trip", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
@each_estimator
def test_a_stored_model_answers_and_goes_on_the_same(
    estimator: Any, round_trip: Any, tmp_path: Any
) -> None:
    model = fit(make(estimator, warm_start=True, learning_rate="constant", max_iter=1))
    loaded = round_trip(model, tmp_path)
    assert_same_answers(loaded, model)
    assert loaded.get_params() == model.get_params()
    assert loaded.loss_curve_ == model.loss_curve_
    assert not loaded.module_.training
    before = answers(model)
    fit(loaded)
    assert len(loaded.loss_curve_) == 2
    for one, other in zip(answers(model), before, strict=True):
        assert_array_equal(one, other)  # shares no weights
    assert are_equal(fit(model), loaded)


# ---------------------------------------------------------------------------------------- Ctrl-C


class Interrupts(SkorchCallback):
    """Sends the process what Ctrl-C sends, once, in an epoch or a batch."""

    def __init__(self, hook: str, at: int) -> None:
        self.hook, self.at = hook, at

    def initialize(self) -> Any:
        self.n_ = 0
        return self

    def _tick(self, hook: str) -> None:
        if hook == self.hook:
            self.n_ += 1
            if self.n_ == self.at:
                signal.raise_signal(signal.SIGINT)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self._tick("epoch")

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        self._tick("batch")


@ignore_convergence
@pytest.mark.parametrize(
    ("hook", "at", "n_epochs", "early_stopping"),
    [("epoch", 2, 2, True), ("batch", 4, 1, False), ("batch", 1, 0, True)],
)
@each_estimator
def test_ctrl_c_leaves_a_fitted_estimator(
    estimator: Any, hook: str, at: int, n_epochs: int, early_stopping: bool
) -> None:
    parameters = {"max_iter": 50, "early_stopping": early_stopping, "warm_start": True}
    parameters["validation_fraction"] = 0.25
    model = make(estimator, callbacks=[Interrupts(hook, at)], dropout=0.2, **parameters)
    with pytest.raises(KeyboardInterrupt):
        fit(model)
    assert model.n_iter_ == len(model.loss_curve_) == n_epochs
    assert not model.module_.training
    assert_same_answers(model, pickle.loads(pickle.dumps(model)))
    fit(model.set_params(callbacks=None, max_iter=1))
    assert len(model.loss_curve_) == n_epochs + 1


# ------------------------------------------------------------------------------- model selection


def mean_score(estimator: Any, cv: Any, **parameters: Any) -> float:
    """What a search should find, from a loop over the folds."""
    X, y = DATA[estimator]
    scores = []
    for train, test in cv.split(X):
        model = make(estimator, **parameters)
        part = [None if y is None else [y[i] for i in rows] for rows in (train, test)]
        model.fit([X[i] for i in train], part[0])
        scores.append(model.score([X[i] for i in test], part[1]))
    return float(np.mean(scores))


FOLDS = [KFold(2, shuffle=True, random_state=1), TimeSeriesSplit(2)]


@pytest.mark.parametrize("cv", FOLDS, ids=["folds", "time series"])
@each_estimator
def test_cross_validation_of_series_of_different_lengths(estimator: Any, cv: Any) -> None:
    X, y = DATA[estimator]
    # the first sequences of a time series have all tokens
    parameters = {} if estimator is not SequenceGenerator else {"n_tokens": 4}
    if estimator is EncoderDecoderClassifier:
        parameters = {"n_tokens": 4}
    model = make(estimator, **parameters)
    scores = cross_val_score(model, X, y, cv=cv)
    assert_allclose(scores.mean(), mean_score(estimator, cv, **parameters), rtol=1e-12)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@each_estimator
def test_searches_over_series_of_different_lengths(estimator: Any, n_jobs: int) -> None:
    X, y = DATA[estimator]
    if n_jobs == 2:  # as train_test_split and the searches have them too
        X, y = objects(X), objects(y) if isinstance(y, list) else y
    cv = KFold(2, shuffle=True, random_state=1)
    grid = {"learning_rate_init": [0.001, 0.1]}
    search = GridSearchCV(make(estimator), grid, cv=cv, n_jobs=n_jobs).fit(X, y)
    expected = [mean_score(estimator, cv, learning_rate_init=rate) for rate in (0.001, 0.1)]
    assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-6)
    assert search.best_params_["learning_rate_init"] == (0.001, 0.1)[int(np.argmax(expected))]
    assert search.score(X, y) == search.best_estimator_.score(X, y)
