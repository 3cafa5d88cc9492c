"""Which arrays and lists are series: every form that X may have, and what is refused."""

import copy
from contextlib import nullcontext
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from torch.nn.utils.rnn import pack_sequence

from sknn import (
    AttentionClassifier,
    AttentionRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
)
from sknn.data import Ragged, _series_arrays, as_list_of_series, join_series
from sknn.estimators.series._format import check_tokens
from tests.helpers import objects, read_only

N, STEPS = 12, 6
rng = np.random.default_rng(0)
SEVERAL = rng.normal(size=(N, STEPS, 2))  # channels
ONE = SEVERAL[..., 0]
COUNTS = rng.integers(0, 9, size=(N, STEPS, 2))
TOKENS = COUNTS[..., 0]
LENGTHS = [3, 1, 6, 2, 5, 4, 6, 1, 2, 3, 4, 5]
y = np.arange(N) % 2


def cut(X: np.ndarray) -> list[np.ndarray]:
    return [each[:n] for each, n in zip(X, LENGTHS, strict=True)]


def make(estimator: Any = RecurrentClassifier, **parameters: Any) -> Any:
    small = {"hidden_size": 4, "filters": None, "max_iter": 1, "random_state": 0, "batch_size": 5}
    return estimator(**(small | parameters))


def pandas_series(series: Any) -> Any:
    pd = pytest.importorskip("pandas")
    return pd.Series(list(series), index=np.arange(len(series))[::-1] + 5)


def data_frames(series: Any) -> list[Any]:
    pd = pytest.importorskip("pandas")
    return [pd.DataFrame(each) for each in series]


def save(X: np.ndarray, tmp_path: Any) -> np.ndarray:
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


# --------------------------------------------------------------------- the same series, many forms

BASES: dict[str, Any] = {
    "several": SEVERAL,
    "one": ONE,
    "counts": COUNTS.astype(float),
    "flags": (COUNTS > 4).astype(float),
    "ragged": cut(SEVERAL),
    "ragged one": cut(ONE),
    "ragged counts": cut(COUNTS.astype(float)),
}
FORMS: dict[str, tuple[str, Any]] = {
    "float32": ("several", lambda X, _: X.astype(np.float32)),
    "a list of arrays": ("several", lambda X, _: list(X)),
    "a tuple of arrays": ("several", lambda X, _: tuple(X)),
    "an object array": ("several", lambda X, _: objects(X)),
    "nested lists": ("several", lambda X, _: X.tolist()),
    "an object array of lists": ("several", lambda X, _: objects(X.tolist())),
    "a pandas Series": ("several", lambda X, _: pandas_series(X)),
    "data frames": ("several", lambda X, _: data_frames(X)),
    "Fortran order": ("several", lambda X, _: np.asfortranarray(X)),
    "negative strides": ("several", lambda X, _: X[:, ::-1].copy()[:, ::-1]),
    "strided": ("several", lambda X, _: np.repeat(X, 2, axis=1)[:, ::2]),
    "read-only": ("several", lambda X, _: read_only(X)),
    "a file": ("several", save),
    "big-endian": ("several", lambda X, _: X.astype(">f8")),
    "objects that are numbers": ("several", lambda X, _: X.astype(object)),
    "one channel": ("one", lambda X, _: X[..., None]),
    "one channel, lists": ("one", lambda X, _: X.tolist()),
    "one channel, a list of rows": ("one", lambda X, _: list(X)),
    "one channel, a list of columns": ("one", lambda X, _: list(X[..., None])),
    "one channel, a frame": (
        "one",
        lambda X, _: pytest.importorskip("pandas").DataFrame(X),
    ),
    "one channel, a pandas Series": ("one", lambda X, _: pandas_series(X)),
    "integers": ("counts", lambda X, _: COUNTS),
    "unsigned integers": ("counts", lambda X, _: COUNTS.astype(np.uint32)),
    "half precision": ("counts", lambda X, _: COUNTS.astype(np.float16)),
    "long double": ("counts", lambda X, _: COUNTS.astype(np.longdouble)),
    "booleans": ("flags", lambda X, _: COUNTS > 4),
    "ragged, a tuple": ("ragged", lambda X, _: tuple(X)),
    "ragged, an object array": ("ragged", lambda X, _: objects(X)),
    "ragged, nested lists": ("ragged", lambda X, _: [each.tolist() for each in X]),
    "ragged, a pandas Series": ("ragged", lambda X, _: pandas_series(X)),
    "ragged, data frames": ("ragged", lambda X, _: data_frames(X)),
    "ragged, joined": ("ragged", lambda X, _: Ragged.from_list(X)),
    "ragged, float32": ("ragged", lambda X, _: [each.astype(np.float32) for each in X]),
    "ragged, of several types": (
        "ragged counts",
        lambda X, _: [each.astype(["f8", "i2", "u4"][i % 3]) for i, each in enumerate(X)],
    ),
    "ragged, one channel": ("ragged one", lambda X, _: [each[:, None] for each in X]),
    "ragged, some with a dimension for one channel": (
        "ragged one",
        lambda X, _: [each[:, None] if i % 2 else each for i, each in enumerate(X)],
    ),
    "ragged, packed": (
        "ragged",
        lambda X, _: pack_sequence([torch.tensor(each) for each in X], enforce_sorted=False),
    ),
    "ragged, a nested tensor": (
        "ragged",
        lambda X, _: torch.nested.as_nested_tensor(
            [torch.tensor(each) for each in X], layout=torch.jagged
        ),
    ),
    "ragged, tensors with gradients": (
        "ragged",
        lambda X, _: [torch.tensor(each, requires_grad=True) for each in X],
    ),
    "ragged, an object array of tensors with gradients": (
        "ragged",
        lambda X, _: objects([torch.tensor(each, requires_grad=True) for each in X]),
    ),
    "ragged, tensors of bfloat16": (
        "ragged counts",  # small integers, which it holds
        lambda X, _: [torch.tensor(each, dtype=torch.bfloat16) for each in X],
    ),
    "ragged, an object array of bfloat16": (
        "ragged counts",
        lambda X, _: objects([torch.tensor(each, dtype=torch.bfloat16) for each in X]),
    ),
    "ragged, one channel, a pandas Series of lists": (
        "ragged one",
        lambda X, _: pandas_series([each.tolist() for each in X]),
    ),
    "ragged, one channel, lists": (
        "ragged one",
        lambda X, _: [each.tolist() for each in X],
    ),
}


@cache
def expected_fit(base: str) -> tuple[Any, np.ndarray]:
    """Return the model of the series as they are, and its probabilities."""
    model = make().fit(BASES[base], y)
    return model, model.predict_proba(BASES[base])


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_series_gives_the_same_model_and_predictions(
    form: str, tmp_path: Any
) -> None:
    base, change = FORMS[form]
    expected, probabilities = expected_fit(base)
    changed = change(BASES[base], tmp_path)
    before = copy.deepcopy(changed)
    model = make().fit(changed, y)
    assert model.n_channels_ == (1 if "one channel" in form else 2)
    assert model.n_tokens_ is None
    for one, other in zip(model.module_.parameters(), expected.module_.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-5)
    assert_allclose(model.predict_proba(changed), probabilities, atol=1e-5)
    # the very same weights, with series of the other form
    assert_allclose(expected.predict_proba(changed), probabilities, atol=1e-6)
    if isinstance(changed, Ragged):
        assert_array_equal(changed.values, before.values)
    else:
        assert all(np.array_equal(plain(a), plain(b)) for a, b in zip(changed, before, strict=True))


def plain(series: Any) -> Any:
    """Return a tensor's numbers, which NumPy need not know; what is no tensor as it is."""
    return series.detach().float().numpy() if isinstance(series, torch.Tensor) else series


@cache
def expected_fit_of_tokens(estimator: Any, is_ragged: bool) -> tuple[Any, np.ndarray]:
    X = cut(TOKENS) if is_ragged else TOKENS
    model = make(estimator, embedding_size=3).fit(X, y)
    return model, model.predict_proba(X)


TOKEN_FORMS: dict[str, tuple[Any, Any]] = {
    "int16": (TOKENS, lambda X: X.astype(np.int16)),
    "bytes": (TOKENS, lambda X: X.astype(np.uint8)),
    "unsigned": (TOKENS, lambda X: X.astype(np.uint64)),
    "lists": (TOKENS, lambda X: X.tolist()),
    "a list of arrays": (TOKENS, list),
    "an object array": (TOKENS, objects),
    "a frame": (TOKENS, lambda X: pytest.importorskip("pandas").DataFrame(X)),
    "ragged, lists": (cut(TOKENS), lambda X: [each.tolist() for each in X]),
    "ragged, an object array": (cut(TOKENS), objects),
    "ragged, a pandas Series": (cut(TOKENS), pandas_series),
    "ragged, of several types": (
        cut(TOKENS),
        lambda X: [each.astype(["i8", "u1"][i % 2]) for i, each in enumerate(X)],
    ),
}


@pytest.mark.parametrize("form", TOKEN_FORMS)
@pytest.mark.parametrize("estimator", [RecurrentClassifier, AttentionClassifier])
def test_every_form_of_the_tokens_gives_the_same_model_and_predictions(
    estimator: Any, form: str
) -> None:
    X, change = TOKEN_FORMS[form]
    expected, probabilities = expected_fit_of_tokens(estimator, isinstance(X, list))
    model = make(estimator, embedding_size=3).fit(change(X), y)
    assert (model.n_channels_, model.n_tokens_) == (1, 9)
    assert model.module_.input.weight.shape == (9, 3)
    assert_allclose(model.predict_proba(change(X)), probabilities, atol=1e-6)
    assert_allclose(expected.predict_proba(change(X)), probabilities, atol=1e-6)


def test_training_on_one_form_and_predicting_for_another() -> None:
    """Lengths may differ from those of training, where X had no columns or comes as a list."""
    for X in (ONE, ONE[..., None], list(ONE), cut(ONE)):
        model = make().fit(X, y)
        expected = model.predict_proba(ONE)
        for other in (ONE[..., None], list(ONE), objects(ONE)):
            assert_allclose(model.predict_proba(other), expected, atol=1e-6)
        cut_expected = [model.predict_proba([each])[0] for each in cut(ONE)]
        assert_allclose(model.predict_proba(cut(ONE)), cut_expected, atol=1e-5)
        assert model.predict_proba(np.hstack([ONE, ONE])[..., None]).shape == (N, 2)


def test_a_list_of_equally_long_series_is_an_array() -> None:
    joined = join_series(list(SEVERAL))
    assert isinstance(joined, np.ndarray)
    assert_array_equal(joined, SEVERAL)
    assert isinstance(join_series(cut(SEVERAL)), Ragged)


@pytest.mark.parametrize("X", [ONE, SEVERAL, ONE.tolist(), [1, 2], (), 3, None], ids=type)
def test_what_is_an_array_or_nothing_is_not_a_list_of_series(X: Any) -> None:
    expected = [] if isinstance(X, tuple) else None
    assert as_list_of_series(X) == expected


@pytest.mark.parametrize(
    ("dtype", "answer"),
    [("int64", "float64"), ("float64", "float64"), ("float32", "float32"), ("float16", "float32")],
)
@pytest.mark.parametrize("estimator", [RecurrentRegressor, AttentionRegressor])
def test_answers_come_in_the_float_type_of_the_series(
    estimator: Any, dtype: str, answer: str
) -> None:
    for X in (COUNTS.astype(dtype), cut(COUNTS.astype(dtype))):
        model = make(estimator).fit(X, y)
        assert {str(p.dtype) for p in model.module_.parameters()} == {"torch.float32"}
        assert model.predict(X).dtype == answer
    classifier = make().fit(COUNTS.astype(dtype), y)
    assert classifier.predict_proba(COUNTS.astype(dtype)).dtype == answer


# -------------------------------------------------------------------------------------- attributes


def test_n_features_in_is_that_of_rows_or_the_number_of_channels() -> None:
    pd = pytest.importorskip("pandas")
    model = make()
    for name in ("n_features_in_", "n_channels_", "n_tokens_"):
        assert not hasattr(model, name)
    frame = pd.DataFrame(ONE).add_prefix("step")
    model.fit(frame, y)
    assert (model.n_features_in_, model.n_channels_) == (STEPS, 1)
    assert_array_equal(model.feature_names_in_, frame.columns)
    for X in (SEVERAL, cut(SEVERAL)):
        model.fit(X, y)
        assert (model.n_features_in_, model.n_channels_) == (2, 2)
        assert not hasattr(model, "feature_names_in_")
    model.set_params(embedding_size=2, n_tokens=20).fit(TOKENS, y)
    assert (model.n_features_in_, model.n_channels_, model.n_tokens_) == (STEPS, 1, 20)


# ------------------------------------------------------------------------------------------ errors


def with_value(value: Any, i: int = 3) -> list[np.ndarray]:
    """Good series but for number `i`."""
    series = [each.copy() for each in cut(SEVERAL)]
    series[i][-1, -1] = value
    return series


def with_series(series: Any, i: int = 3) -> list[Any]:
    return [*cut(SEVERAL)[:i], series, *cut(SEVERAL)[i + 1 :]]


BAD_SERIES: dict[str, tuple[Any, str]] = {
    "a series without steps": (with_series(np.empty((0, 2))), r"X\[3\] has no steps"),
    "a series without channels": (with_series(np.empty((4, 0))), r"X\[3\] has shape \(4, 0\)"),
    "no series with channels": ([np.empty((3 + i % 2, 0)) for i in range(N)], r"X\[0\] has shape"),
    "an empty list as a series": ([[], [1.0, 2.0], [3.0]] * 4, r"X\[0\] has no steps"),
    "an array without steps": (SEVERAL[:, :0], r"X of shape \(12, 0, 2\) has no steps"),
    "an array without channels": (SEVERAL[..., :0], "has no steps or no channels"),
    "no features": (ONE[:, :0], r"0 feature\(s\)"),
    "an empty list": ([], "X is empty; at least one series"),
    "an empty tuple": ((), "X is empty; at least one series"),
    "an empty object array": (np.empty(0, object), "X is empty; at least one series"),
    "an empty array": (SEVERAL[:0], r"0 sample\(s\)"),
    "more channels": (with_series(np.ones((4, 3))), r"X\[3\] has shape \(4, 3\), but X\[0\]"),
    "no dimension of channels": (with_series(np.ones(4)), r"X\[3\] has shape \(4,\), but X\[0\]"),
    "channels first": (
        [np.ones((2, n)) for n in LENGTHS],
        r"X\[1\] has shape \(2, 1\), .* if it is the channels that come first, transpose each",
    ),
    "padding of NaN": (
        np.where(np.arange(STEPS)[:, None] < np.array(LENGTHS)[:, None, None], SEVERAL, np.nan),
        r"NaN behind the ends of its series, .* \[each\[~numpy.isnan",
    ),
    "an empty tensor": (with_series(torch.empty(0, 2)), r"X\[3\] has no steps"),
    "an empty list in a pandas Series": (
        pandas_series([[1.0, 2.0], []] * 6),
        r"X\[1\] has no steps",
    ),
    "steps of different channels": (
        [[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0]]] * 6,
        r"X\[1\] is not an array of numbers",
    ),
    "three dimensions a series": (with_series(np.ones((4, 2, 1))), r"X\[3\] has shape \(4, 2, 1\)"),
    "a number in place of a series": (with_series(3.0), r"X\[3\] has shape \(\)"),
    "None in place of a series": (with_series(None), r"X\[3\] has"),
    "NaN": (with_value(np.nan), r"X\[3\] contains NaN"),
    "infinity": (with_value(np.inf), r"X\[3\] contains infinity"),
    "minus infinity": (with_value(-np.inf, 11), r"X\[11\] contains infinity"),
    "NaN in float32": (
        [each.astype(np.float32) for each in with_value(np.nan)],
        r"X\[3\] contains NaN",
    ),
    "None in a series": (with_series([[1.0, None]]), r"X\[3\] (is not|contains)"),
    "NaN in an array": (np.where(SEVERAL[5, 2, 1] == SEVERAL, np.nan, SEVERAL), "X contains NaN"),
    "infinity in rows": (np.where(ONE[5, 2] == ONE, np.inf, ONE), "X contains infinity"),
    "four dimensions": (SEVERAL[..., None], "X has 4 dimensions; series have shape"),
    "one dimension": (ONE[:, 0], "Expected 2D array, got 1D array"),
    "a number": (3.0, "Expected 2D array, got scalar"),
    "a text": (with_series("abc"), r"X\[3\] has type <U3; a series needs real numbers"),
    "texts": (["abc", "de"] * 6, "X holds texts"),
    "an object array of texts": (objects(["abc", "de"] * 6), "X holds texts"),
    "an array of texts": (np.array(["abc", "de"] * 6), "X holds texts"),
    "strings": (with_series(np.array([["a", "b"]])), r"X\[3\] has type <U1"),
    "objects that are no numbers": (
        with_series(np.array([[1, "b"]], object)),
        r"X\[3\] is not an array of numbers",
    ),
    "complex numbers": (with_series(np.ones((2, 2)) * 1j), r"X\[3\] has type complex128"),
    "dates": (with_series(np.zeros((2, 2), "M8[D]")), r"X\[3\] holds dates .*datetime64"),
    "sparse": (sparse.csr_array(ONE), "[Ss]parse"),
}


@pytest.mark.parametrize("ragged", [False, True])
def test_nested_frames_are_refused_with_what_to_pass(ragged: bool) -> None:
    pd = pytest.importorskip("pandas")
    series = cut(SEVERAL) if ragged else list(SEVERAL)
    nested = pd.DataFrame({j: [pd.Series(each[:, j]) for each in series] for j in range(2)})
    with pytest.raises(TypeError, match="sktime's nested format") as refused:
        make().fit(nested, y)
    model = make().fit(series, y)
    with pytest.raises(TypeError, match="sktime's nested format"):
        model.predict(nested)
    code = str(refused.value).rpartition("a row: ")[2].removesuffix(".")
    found = eval(code, {"numpy": np, "X": nested})
    for each, expected in zip(found, series, strict=True):
        assert_array_equal(each, expected)


def test_what_is_said_of_nan_as_padding_is_what_to_pass() -> None:
    padded = np.full((N, STEPS, 2), np.nan)
    for row, each in zip(padded, cut(SEVERAL), strict=True):
        row[: len(each)] = each
    with pytest.raises(ValueError, match="NaN behind the ends") as refused:
        make().fit(padded, y)
    code = str(refused.value).rpartition("arrays: ")[2].removesuffix(".")
    for each, expected in zip(eval(code, {"numpy": np, "X": padded}), cut(SEVERAL), strict=True):
        assert_array_equal(each, expected)
    padded[3, 0] = np.nan  # a gap is no padding
    with pytest.raises(ValueError, match="Input X contains NaN"):
        make().fit(padded, y)


@pytest.mark.parametrize(
    ("n_steps", "n_channels", "warns"),
    [(2, 30, True), (1, 24, True), (3, 30, True), (4, 30, False), (1, 19, False), (30, 2, False)],
)
def test_far_more_channels_than_steps_are_warned_of(
    n_steps: int, n_channels: int, warns: bool
) -> None:
    X = np.random.default_rng(0).normal(size=(N, n_steps, n_channels))
    message = rf"{n_steps} step\(s\) with {n_channels} channels.*X.transpose\(0, 2, 1\)"
    for form in (X, list(X)):
        with pytest.warns(UserWarning, match=message) if warns else nullcontext():
            make().fit(form, y)


@pytest.mark.parametrize("name", BAD_SERIES)
def test_what_cannot_be_series_is_refused_by_fit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_series_arrays, "VALUES_AT_ONCE", 7)  # also in the last of several parts
    X, message = BAD_SERIES[name]
    for estimator in (RecurrentClassifier, AttentionRegressor):
        model = make(estimator)
        with pytest.raises((ValueError, TypeError), match=message):
            model.fit(X, y)
        assert not hasattr(model, "module_")


GOOD_SERIES: dict[str, Any] = {"rows": ONE, "channels": SEVERAL, "ragged": cut(SEVERAL)}


@cache
def fit_good(name: str) -> Any:
    return make().fit(GOOD_SERIES[name], y)


@pytest.mark.parametrize("name", BAD_SERIES)
@pytest.mark.parametrize("fitted", GOOD_SERIES)
def test_what_cannot_be_series_is_refused_by_predict(fitted: str, name: str) -> None:
    X, message = BAD_SERIES[name]
    with pytest.raises((ValueError, TypeError), match=message):
        fit_good(fitted).predict(X)


@pytest.mark.parametrize(
    ("fitted", "X", "message"),
    [
        ("channels", SEVERAL[..., :1], r"X has 1 channel\(s\), but .* fitted with 2"),
        ("channels", ONE, r"X has 1 channel\(s\), but .* fitted with 2"),
        ("channels", SEVERAL[0], r"X has 1 channel\(s\), but .* fitted with 2"),
        ("ragged", [np.ones((4, 3)), np.ones((2, 3))], r"X has 3 channel\(s\), but .* with 2"),
        ("ragged", cut(ONE), r"X has 1 channel\(s\), but .* fitted with 2"),
        ("rows", SEVERAL, r"X has 2 channel\(s\), but .* fitted with 1"),
        ("rows", ONE[:, :4], "X has 4 features, but RecurrentClassifier is expecting 6"),
        ("rows", np.hstack([ONE, ONE]), "X has 12 features, but .* is expecting 6"),
    ],
)
def test_other_channels_or_columns_than_in_training_are_refused(
    fitted: str, X: Any, message: str
) -> None:
    model, target = fit_good(fitted), y[: len(X)]
    for method in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match=message):
            method(X)
    with pytest.raises(ValueError, match=message):
        model.score(X, target)
    with pytest.raises(ValueError, match=f"X_val, y_val: {message}"):
        make().fit(GOOD_SERIES[fitted], y, X_val=X, y_val=target)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (TOKENS - 1, "X has the token -1; tokens are integers from 0"),
        ([np.array([1, -3]), np.array([2])], "X has the token -3"),
        (TOKENS + 3, "X has the token 11, but there are 9, from 0 to 8. Set n_tokens"),
        ([np.array([1, 9]), np.array([2])], "X has the token 9, but there are 9"),
        (TOKENS.astype(float), "embedding_size was set, so X has to hold tokens, .* float64"),
        ([np.array([1.0, 2.0]), np.array([2.0])], "embedding_size was set, .* float64"),
        (TOKENS[..., None], r"embedding_size was set, .* one integer a step, but it has 1 chan"),
        ([np.array([[1], [2]]), np.array([[2]])], "embedding_size was set, .* one integer a step"),
        ([np.array(["a", "b"]), np.array(["c"])], "X holds texts"),
        (["ab", "c"], "X holds texts"),
    ],
    ids=str,
)
def test_what_cannot_be_tokens_is_refused(X: Any, message: str) -> None:
    target = y[: len(X)]
    for estimator in (RecurrentClassifier, AttentionClassifier):
        model = make(estimator, embedding_size=2, n_tokens=9)
        with pytest.raises(ValueError, match=message):
            model.fit(X, target)
        assert not hasattr(model, "module_")
        for good in (TOKENS, cut(TOKENS)):
            model = make(estimator, embedding_size=2).fit(good, y)  # of tokens up to 8
            with pytest.raises(ValueError, match=message):
                model.predict(X)


def test_tokens_with_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"embedding_size .* has 2 channel\(s\) in a dimension"):
        make(embedding_size=2).fit(COUNTS, y)


def test_the_number_of_tokens_is_one_more_than_the_largest() -> None:
    assert check_tokens(np.array([[0, 4], [2, 1]]), None) == 5
    assert check_tokens(Ragged(np.array([3, 0, 1]), np.array([1, 2])), None) == 4
    assert check_tokens(np.array([[0, 4]]), 7) == 7
    assert check_tokens(np.array([[True, False]]), None) == 2


def test_series_and_targets_have_to_be_equally_many() -> None:
    for X in (SEVERAL, cut(SEVERAL), ONE):
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[12, 5\]"):
            make().fit(X, y[:5])
    with pytest.raises(ValueError, match="requires y to be passed"):
        make().fit(cut(SEVERAL), None)
