"""The door from NumPy to torch: all that MLPClassifier takes, finite in the type that computes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sknn import ConvRegressor, NeuralClassifier, NeuralRegressor, RecurrentRegressor
from sknn.data import as_tensor, check_range
from sknn.sequences import EncoderDecoderClassifier, StepRegressor
from tests.helpers import read_only, supervised

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.integers(0, 50, size=(24, 9)) / 8  # exact in every type of floats
Y_VALUES = rng.integers(-50, 50, size=24) / 8
Y_LABELS = np.arange(24) % 3


def packed(array: np.ndarray) -> np.ndarray:
    """A field of a structured array whose records are one byte longer than torch can stride."""
    kind = np.dtype([("odd", "i1"), ("field", array.dtype, array.shape[1:]), ("more", "i2")])
    records = np.zeros(len(array), kind)
    records["field"] = array
    return records["field"]


def unaligned(array: np.ndarray) -> np.ndarray:
    flat = np.frombuffer(b"x" + np.ascontiguousarray(array).tobytes(), array.dtype, offset=1)
    return flat.reshape(array.shape)


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "packed": packed,
    "unaligned": unaligned,
    "swapped": lambda array: array.astype(array.dtype.newbyteorder()),
    "longdouble": lambda array: array.astype(np.longdouble),
    "half": lambda array: array.astype(np.float16),
    "reversed": lambda array: array[::-1].copy()[::-1],
    "strided": lambda array: np.repeat(array, 2, axis=0)[::2],
    "column-major": np.asfortranarray,
    "read-only": read_only,
    "objects": lambda array: array.astype(object),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("estimator", supervised(), ids=lambda each: type(each).__name__)
def test_arrays_of_every_form_are_taken(estimator: Any, form: str) -> None:
    y = Y_LABELS if is_classifier(estimator) else Y_VALUES
    model = clone(estimator).set_params(random_state=0, max_iter=1, precision="float64")
    changed = FORMS[form](y)
    if is_classifier(estimator) and form in ("half", "objects"):
        changed = y
    weights = rng.integers(1, 3, size=24).astype(float)
    expected = clone(model).fit(X, y, weights)
    model.fit(FORMS[form](X), changed, FORMS[form](weights))
    assert_allclose(
        model.predict(FORMS[form](X)).astype(float), expected.predict(X), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("form", [name for name in FORMS if name != "half"])
def test_they_give_the_weights_of_scikit_learns_mlp(form: str) -> None:
    options: dict[str, Any] = {"max_iter": 3, "hidden_layer_sizes": (5,), "random_state": 0}
    for ours, theirs, y in (
        (NeuralClassifier, MLPClassifier, Y_LABELS),
        (NeuralRegressor, MLPRegressor, Y_VALUES),
    ):
        data = FORMS[form](X), (y if form == "objects" else FORMS[form](y))
        one, other = ours(**options).fit(*data), theirs(**options).fit(*data)
        for a, b in zip(one.coefs_, other.coefs_, strict=True):
            assert_allclose(a, b.astype(float), rtol=1e-9, atol=1e-12)


def test_integers_that_int64_does_not_hold_stay_positive() -> None:
    large = np.array([[2**63 + 2**40], [2**62], [5], [2**64 - 1]], np.uint64)
    model = NeuralRegressor(hidden_layer_sizes=(), max_iter=1, random_state=0)
    model.fit(large.astype(float) / 2**64, np.zeros(4))
    assert_allclose(model.predict(large), model.predict(large.astype(float)), rtol=1e-12)


# ------------------------------------------------------------------------------------- range

LARGE = 1e39  # finite in float64, infinite in float32


def with_large(array: np.ndarray) -> np.ndarray:
    array = np.array(array, float)
    array[(3, *[0] * (array.ndim - 1))] = -LARGE
    return array


FAMILIES: dict[str, tuple[Any, Any, Any]] = {
    "dense": (NeuralRegressor(max_iter=1), X, Y_VALUES),
    "sparse": (NeuralRegressor(max_iter=1), sparse.csr_array(X), Y_VALUES),
    "ensemble": (NeuralRegressor(max_iter=1, n_estimators=2), X, Y_VALUES),
    "images": (ConvRegressor(filters=(2,), max_iter=1), X.reshape(24, 3, 3), Y_VALUES),
    "series": (RecurrentRegressor(hidden_size=4, max_iter=1), X, Y_VALUES),
    "lists": (
        RecurrentRegressor(hidden_size=4, max_iter=1),
        [row[: 4 + i % 3] for i, row in enumerate(X)],
        Y_VALUES,
    ),
    "steps": (StepRegressor(hidden_size=4, max_iter=1), X, X * 2),
}


# Their networks learn standardized targets, which may have any size.
STANDARDIZING = {"images", "series", "lists", "steps"}


def make_large(X: Any) -> Any:
    if isinstance(X, list):
        return [with_large(row) if i == 3 else row for i, row in enumerate(X)]
    return sparse.csr_array(with_large(X.toarray())) if sparse.issparse(X) else with_large(X)


@pytest.mark.filterwarnings("ignore:. has values beyond 1,000")
@pytest.mark.parametrize("name", FAMILIES)
def test_values_beyond_the_type_that_computes_are_refused_by_name(name: str) -> None:
    estimator, X, y = FAMILIES[name]
    model = clone(estimator).set_params(precision="float32", random_state=0)
    large, weights = make_large(X), with_large(np.ones(24))
    refused = [
        ({"X": large, "y": y}, "^X has the value -1e.39, which is beyond float32"),
        (
            {"X": X, "y": y, "sample_weight": -weights.clip(max=-1)},
            "^sample_weight has the value 1e",
        ),
        ({"X": X, "y": y, "X_val": large, "y_val": y}, "^X_val, y_val: X has the value"),
    ]
    of_targets = [
        ({"X": X, "y": with_large(y)}, "^y has the value -1e.39"),
        ({"X": X, "y": y, "X_val": X, "y_val": with_large(y)}, "^X_val, y_val: y has the value"),
    ]
    if name in STANDARDIZING:
        large_y = clone(model).fit(X, with_large(y))
        assert np.isfinite(np.concatenate(large_y.predict(X), None)).all()
        of_targets = []
    for arguments, message in refused + of_targets:
        with pytest.raises(ValueError, match=message):
            clone(model).fit(**arguments)
    model.fit(X, y)
    with pytest.raises(ValueError, match="^X has the value -1e.39, which is beyond float32"):
        model.predict(large)


def test_a_decoder_refuses_them_too() -> None:
    model = EncoderDecoderClassifier(hidden_size=4, max_iter=1, random_state=0)
    model.fit(X, list(Y_LABELS.reshape(24, 1)))
    with pytest.raises(ValueError, match="beyond float32"):
        model.predict(with_large(X))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_probabilities_are_never_nan(method: str) -> None:
    model = NeuralClassifier((5,), precision="float32", max_iter=1, random_state=0)
    model.fit(X, Y_LABELS)
    with pytest.raises(ValueError, match="outputs for X are not finite"):
        getattr(model, method)(np.full((1, 9), 3e38))
    model.coefs_[0][:] = np.nan
    with pytest.raises(ValueError, match="weights are not finite"):
        getattr(model, method)(X)


def test_a_value_that_float64_computes_with_is_taken() -> None:
    model = NeuralRegressor(max_iter=1, precision="float64", solver="lbfgs", random_state=0)
    assert np.isfinite(model.fit(X, Y_VALUES).predict(with_large(X))).all()


@pytest.mark.parametrize("name", ["X", "y"])
def test_longdouble_beyond_float64_is_refused(name: str) -> None:
    data = {"X": X.astype(np.longdouble), "y": Y_VALUES.astype(np.longdouble)}
    if np.finfo(np.longdouble).max == np.finfo(float).max:
        pytest.skip("longdouble is float64 here")
    data[name][2] *= np.longdouble("1e4000")
    with pytest.raises(ValueError, match=f"{name} has values beyond float64"):
        NeuralRegressor(max_iter=1).fit(**data)


def test_types_without_a_larger_range_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Unread(np.ndarray):
        def min(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("the array was read")

    for kind, dtype in (
        (np.float32, torch.float32),
        (np.float64, torch.float64),
        (np.int64, torch.float32),
        (np.float16, torch.float32),
    ):
        check_range(np.ones((2, 2), kind).view(Unread), dtype)
    shared = np.ones((3, 2))
    assert as_tensor(shared, torch.float32).data_ptr() == shared.ctypes.data
