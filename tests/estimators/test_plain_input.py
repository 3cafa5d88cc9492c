"""Input that is taken as it is makes the fit that scikit-learn's checks would make of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)

from sknn import NeuralClassifier, NeuralRegressor
from sknn.estimators import _validation
from sknn.estimators._scales import exceeds, largest_magnitude
from sknn.estimators.dense import _format
from sknn.estimators.targets import _labels
from tests.helpers import supervised

ESTIMATORS = [type(each) for each in supervised()]

N = 24
X = np.random.default_rng(0).normal(size=(N, 3))
LABELS = np.arange(N) % 3


def changed(values: np.ndarray, value: Any) -> np.ndarray:
    values = values.copy()
    values[(1,) * values.ndim] = value
    return values


INPUTS: dict[str, Callable[[], Any]] = {
    "float64": lambda: X,
    "float32": lambda: X.astype(np.float32),
    "float16": lambda: X.astype(np.float16),
    "longdouble": lambda: X.astype(np.longdouble),
    "big-endian": lambda: X.astype(">f8"),
    "int": lambda: X.astype(int),
    "bool": lambda: X > 0,
    "complex": lambda: X + 0j,
    "object": lambda: X.astype(object),
    "Fortran order": lambda: np.asfortranarray(X),
    "strided": lambda: np.repeat(X, 2, 0)[::2],
    "read-only": lambda: np.broadcast_to(X[:1], X.shape),
    "masked": lambda: np.ma.masked_array(X, mask=False),
    "list": lambda: X.tolist(),
    "names": lambda: pd.DataFrame(X, columns=list("abc")),
    "sparse": lambda: sparse.csr_array(X),
    "NaN": lambda: changed(X, np.nan),
    "infinity": lambda: changed(X, np.inf),
    "both infinities": lambda: changed(changed(X, -np.inf)[::-1], np.inf),
    "large": lambda: changed(X, 1e7),
    "largest": lambda: np.full((N, 3), 1.7e308),
    "one row less": lambda: X[1:],
    "no rows": lambda: X[:0],
    "no columns": lambda: X[:, :0],
    "1-D": lambda: X[:, 0],
    "3-D": lambda: X[:, :, np.newaxis],
}

TARGETS: dict[str, Callable[[], Any]] = {
    "int": lambda: LABELS,
    "int8": lambda: LABELS.astype(np.int8),
    "unsigned": lambda: LABELS.astype(np.uint16),
    "two": lambda: LABELS > 0,
    "strings": lambda: np.array(["a", "b", "c"])[LABELS],
    "bytes": lambda: np.array([b"a", b"b", b"c"])[LABELS],
    "objects": lambda: np.array(["a", "b", "c"], object)[LABELS],
    "floats": lambda: LABELS.astype(float),
    "float32": lambda: LABELS.astype(np.float32),
    "values": lambda: X[:, 0],
    "large values": lambda: 1e6 * X[:, 0],
    "column": lambda: LABELS[:, np.newaxis],
    "columns of values": lambda: X[:, :2],
    "indicators": lambda: np.stack([LABELS > 0, LABELS > 1], 1),
    "list": lambda: LABELS.tolist(),
    "Series": lambda: pd.Series(LABELS),
    "NaN": lambda: changed(X[:, 0], np.nan),
    "infinity": lambda: changed(X[:, 0], np.inf),
    "one class": lambda: np.zeros(N, int),
    "many classes": lambda: np.arange(N),
    "half as many classes": lambda: np.arange(N) // 2,
    "one less": lambda: LABELS[1:],
    "none": lambda: LABELS[:0],
    "a number": lambda: np.array(1),
    "None": lambda: None,
    "dates": lambda: np.arange(N).astype("datetime64[D]"),
}


def outcome(model: Any, X: Any, y: Any) -> tuple[Any, ...]:
    """Return the fitted estimator, what was raised, and what was warned of."""
    model = clone(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, y)
            error = None
        except Exception as raised:
            error = type(raised), str(raised)
    return model, error, [(each.category, str(each.message)) for each in caught]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function like `outcome` in which scikit-learn checks everything."""

    def call(*arguments: Any) -> Any:
        with monkeypatch.context() as patched:
            for module in (_format, _labels):
                patched.setattr(module, "is_plain", lambda *_: False)
            return outcome(*arguments)

    return call


@pytest.mark.parametrize(
    ("kind", "target"),
    [*((kind, "int") for kind in INPUTS), *(("float64", target) for target in TARGETS)],
)
@pytest.mark.parametrize("cls", [NeuralClassifier, NeuralRegressor])
def test_fits_are_those_of_checked_input(
    cls: Any, kind: str, target: str, checked: Callable[..., Any]
) -> None:
    model = cls(hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    arguments = model, INPUTS[kind](), TARGETS[target]()
    fitted, *said = outcome(*arguments)
    expected, *expected_said = checked(*arguments)
    assert said == expected_said
    attributes, expected_attributes = vars(fitted), vars(expected)
    assert attributes.keys() == expected_attributes.keys()
    if "module_" not in attributes:
        return
    for name in ("classes_", "feature_names_in_", "n_features_in_", "n_outputs_"):
        if name in attributes:
            assert_array_equal(attributes[name], expected_attributes[name])
    for one, other in zip(fitted.coefs_, expected.coefs_, strict=True):
        assert_array_equal(one, other)


def test_names_of_an_earlier_fit_are_forgotten() -> None:
    model = NeuralRegressor(max_iter=2, learning_rate="cosine").fit(
        pd.DataFrame(X, columns=list("abc")), X[:, 0]
    )
    assert [*model.feature_names_in_] == ["a", "b", "c"]
    assert not hasattr(model.fit(X[:, :2], X[:, 0]), "feature_names_in_")
    assert model.n_features_in_ == 2


@pytest.mark.parametrize(
    ("values", "n_dims", "kinds", "expected"),
    [
        (X, 2, "f", True),
        (X, 1, "f", False),
        (X[0], 1, "f", True),
        (X.astype(">f4"), 2, "f", False),
        (X.astype(np.longdouble), 2, "f", False),
        (LABELS, 1, "f", False),
        (LABELS, 1, "biu", True),
        (LABELS[:0], 1, "biu", False),
        (np.array(["long labels"]), 1, "U", True),
        (changed(X, np.nan), 2, "f", False),
        (changed(X, -np.inf), 2, "f", False),
        (X.tolist(), 2, "f", False),
        (X.view(np.matrix), 2, "f", False),
    ],
)
def test_plain_arrays(values: Any, n_dims: int, kinds: str, expected: bool) -> None:
    assert _validation.is_plain(values, n_dims, kinds) is expected


@pytest.mark.parametrize(
    ("classes", "y", "unknown"),
    [
        ([0, 1, 2], ["a"], "['a']"),
        (["a", "b"], [1, 2], "[1 2]"),
        (["a", "b"], ["a", "c", "", "c"], "['' 'c']"),
        ([0.0, 1.0], [0, 2], "[2]"),
        ([1, 3], [0, 1, 2, 3, 4], "[0 2 4]"),
        (np.array(["a", "b"], object), [1, 2], "[1 2]"),
        (np.array(["a", "b"], object), np.array(["a", "z"], object), "['z']"),
    ],
)
def test_labels_that_are_no_classes(classes: Any, y: Any, unknown: str) -> None:
    targets = _labels.ClassTargets.from_classes(classes)
    with pytest.raises(ValueError, match="has classes not in") as caught:
        targets.encode(np.asarray(y))
    assert unknown in str(caught.value)


@pytest.mark.parametrize(
    ("classes", "y", "index"),
    [
        ([0.0, 2.0, 3.0], [3, 0, 2], [2, 0, 1]),
        ([False, True], [1, 0], [[1], [0]]),
        (["a", "b", "c"], ["c", "a"], [2, 0]),
        (np.array(["a", "b", "c"], object), ["c", "a"], [2, 0]),
    ],
)
def test_labels_of_other_types(classes: Any, y: Any, index: Any) -> None:
    assert_array_equal(_labels.ClassTargets.from_classes(classes).encode(np.array(y)), index)


@pytest.mark.parametrize("size", [3, 200])
@pytest.mark.parametrize("value", [1000.0, np.nextafter(1000, 2000), -1001.0, 1e300, 5.0])
@pytest.mark.parametrize("rest", [0.0, 999.0])
def test_large_numbers_are_found(size: int, value: float, rest: float) -> None:
    values = np.full((size, size), rest)
    values[1, 2] = value
    assert exceeds(values, 1000) == (abs(value) > 1000)
    assert largest_magnitude(values) == max(abs(value), rest)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_defaults_are_valid(cls: Any) -> None:
    """They are not looked at in a fit."""
    model = cls()
    validate_parameter_constraints(
        cls._parameter_constraints, model.get_params(deep=False), caller_name=cls.__name__
    )
    assert cls._parameter_defaults == model.get_params(deep=False)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_errors_of_parameters_are_those_of_all_of_them(cls: Any) -> None:
    for name in cls._parameter_constraints:
        wrong = cls(**{name: b"wrong"})
        parameters = wrong.get_params(deep=False)
        said = message(
            validate_parameter_constraints, cls._parameter_constraints, parameters, cls.__name__
        )
        assert message(wrong._validate_params).startswith(said)
        assert bool(said) == bool(message(wrong._validate_params))


def message(function: Callable[..., Any], *arguments: Any) -> str:
    """Return the text of the InvalidParameterError that a call raises, "" if it raises none."""
    try:
        function(*arguments)
    except InvalidParameterError as error:
        return str(error)
    return ""


def test_parameters_of_a_subclass_are_validated() -> None:
    class Mine(NeuralClassifier):
        _parameter_constraints = NeuralClassifier._parameter_constraints | {"mine": [int]}

        def __init__(self, mine: Any = "no number", alpha: float = 1e-3) -> None:
            super().__init__(alpha=alpha)
            self.mine = mine

    with pytest.raises(InvalidParameterError, match="'mine' parameter of Mine must be"):
        Mine().fit(X, LABELS)
    with pytest.raises(InvalidParameterError, match="'alpha' parameter of Mine"):
        Mine(3, alpha=-1).fit(X, LABELS)
