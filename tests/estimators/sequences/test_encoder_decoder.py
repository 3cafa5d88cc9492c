"""From a series to a sequence of labels or values of another length."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator
from torch import Tensor, nn

from sknn.nn import Embedding, LabelDecoder, RecurrentEncoder
from sknn.sequences import EncoderDecoderClassifier, EncoderDecoderRegressor
from sknn.text import Tokenizer
from tests.helpers import assert_same_weights, objects

N = 30
rng = np.random.default_rng(0)
LENGTHS = rng.integers(1, 7, N)
TOKENS = [rng.integers(0, 4, size=n) for n in LENGTHS]
RAGGED = [rng.normal(size=n) for n in LENGTHS]
EQUAL = rng.normal(size=(N, 6))
CHANNELS = rng.normal(size=(N, 6, 2))
SERIES: dict[str, Any] = {
    "rows": EQUAL,
    "channels": CHANNELS,
    "ragged": RAGGED,
    "tokens": rng.integers(0, 4, size=(N, 6)),
    "ragged tokens": TOKENS,
}
# Targets of zero to three labels, whatever the series.
LABELS = [rng.choice(["a", "b", "c"], size=i % 4) for i in range(N)]
CURVES = rng.normal(size=(N, 4))

each_form = pytest.mark.parametrize("form", SERIES)
ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(estimator: Any, form: str = "ragged tokens", **parameters: Any) -> Any:
    small = {
        "hidden_size": 4,
        "filters": None,
        "max_iter": 1,
        "batch_size": 10,
        "learning_rate_init": 0.01,
        "random_state": 0,
        "embedding_size": 5 if "tokens" in form else None,
    }
    return estimator(**(small | parameters))


def classifier(form: str = "ragged tokens", **parameters: Any) -> Any:
    return make(EncoderDecoderClassifier, form, **parameters)


def regressor(form: str = "ragged", **parameters: Any) -> Any:
    return make(EncoderDecoderRegressor, form, **parameters)


# A fit that depends on neither the order of the rows nor their number.
PLAIN: dict[str, Any] = {
    "batch_size": "all",
    "normalization": None,
    "dropout": 0.0,
    "precision": "float64",
    "alpha": 0.0,
    "learning_rate": "constant",
    "tol": 0.0,
}


def as_lists(answers: Any) -> list[Any]:
    return [each.tolist() for each in answers]


def differ(one: Any, other: Any) -> bool:
    pairs = zip(one.module_.parameters(), other.module_.parameters(), strict=True)
    return any(not torch.allclose(first, second, atol=1e-9) for first, second in pairs)


# ---------------------------------------------------------------------------------------- labels


@each_form
def test_answers_are_arrays_of_labels_in_an_object_array(form: str) -> None:
    X = SERIES[form]
    model = classifier(form, max_length=6).fit(X, LABELS)
    assert_array_equal(model.classes_, ["a", "b", "c"])
    assert model.n_outputs_ == 4  # and the end
    predicted = model.predict(X)
    assert predicted.dtype == object and predicted.shape == (N,)
    assert all(each.dtype == model.classes_.dtype and each.ndim == 1 for each in predicted)
    assert all(len(each) <= 6 for each in predicted)
    for i in range(0, N, 5):  # whatever stands beside it
        assert_array_equal(model.predict(X[i : i + 1])[0], predicted[i])
    lists = [each.tolist() for each in X]
    assert as_lists(model.predict(lists)) == as_lists(predicted)


TARGETS: dict[str, Any] = {
    "array": lambda y: y,
    "list of lists": lambda y: y.tolist(),
    "list of arrays": list,
    "object array": objects,
    "frame": lambda y: pytest.importorskip("pandas").DataFrame(y),
    "series of arrays": lambda y: pytest.importorskip("pandas").Series(list(y)),
}


@pytest.mark.parametrize("convert", TARGETS.values(), ids=TARGETS)
def test_targets_of_equal_length_come_in_any_form(convert: Any) -> None:
    y = np.random.default_rng(0).integers(0, 3, size=(N, 4))
    expected, model = classifier().fit(TOKENS, y), classifier().fit(TOKENS, convert(y))
    assert_same_weights(model, expected)
    assert model.score(TOKENS, convert(y)) == expected.score(TOKENS, y)


@pytest.mark.parametrize("names", [(0, 1, 2), (5, -3, 7), (False, True), (1.0, 2.0)], ids=str)
def test_labels_of_any_type(names: Any) -> None:
    names = np.unique(names)
    codes = [np.array([i % len(names), (i // 2) % len(names)][: 1 + i % 2]) for i in range(N)]
    y = [names[each] for each in codes]
    model, expected = (classifier().fit(TOKENS, each) for each in (y, codes))
    assert_same_weights(model, expected)
    for one, other in zip(model.predict(TOKENS), expected.predict(TOKENS), strict=True):
        assert one.dtype == names.dtype
        assert_array_equal(one, names[other])
    assert model.score(TOKENS, y) == expected.score(TOKENS, codes)


def test_one_label_is_enough_since_there_is_the_end() -> None:
    y = [["x"] * (len(each) % 3) for each in TOKENS]
    model = classifier(max_length=5).fit(TOKENS, y)
    assert model.n_outputs_ == 2
    assert set(np.concatenate(model.predict(TOKENS)).tolist()) <= {"x"}


def test_the_score_is_the_share_of_sequences_that_are_right_as_a_whole() -> None:
    y = [each[:1] % 2 for each in TOKENS]
    model = classifier(hidden_size=12, max_iter=12, learning_rate_init=0.03).fit(TOKENS, y)
    predicted = as_lists(model.predict(TOKENS))
    true = [predicted[i] if i % 3 else [*predicted[i], 1] for i in range(N)]
    right = np.array([i % 3 > 0 for i in range(N)])
    assert model.score(TOKENS, true) == right.mean()
    weights = np.random.default_rng(0).uniform(size=N)
    assert_allclose(model.score(TOKENS, true, weights), right @ weights / weights.sum())
    assert model.score(TOKENS, y) == np.mean(
        [a == b.tolist() for a, b in zip(predicted, y, strict=True)]
    )
    assert model.score(TOKENS[:2], [[], []]) == np.mean([not each for each in predicted[:2]])
    assert model.score(TOKENS, [["unseen"]] * N) == 0


def logits_by_hand(model: Any, X: Any, y: Any) -> list[np.ndarray]:
    """What the network gives for each series alone, when it is shown the true labels."""
    n, results = len(model.classes_), []
    for series, labels in zip(X, y, strict=True):
        read = [n + 1, *np.searchsorted(model.classes_, labels).tolist()]
        with torch.no_grad():
            outputs = model.module_(
                torch.as_tensor(series)[None],
                torch.tensor([len(series)]),
                torch.tensor([read]),
                torch.tensor([len(read)]),
            )
        results.append(outputs.numpy())
    return results


def loss_by_hand(model: Any, X: Any, y: Any, weights: Any = None, smoothing: float = 0.0) -> float:
    """Mean cross-entropy of all labels, the ends among them."""
    losses, counts = [], []
    weights = np.ones(len(y)) if weights is None else weights
    for logits, labels, weight in zip(logits_by_hand(model, X, y), y, weights, strict=True):
        log_p = log_softmax(logits, axis=1)
        columns = [*np.searchsorted(model.classes_, labels), len(model.classes_)]
        nll = -log_p[np.arange(len(columns)), columns]
        losses.extend(weight * ((1 - smoothing) * nll - smoothing * log_p.mean(1)))
        counts.append(weight * len(columns))
    return float(np.sum(losses) / np.sum(counts))


@ignore_convergence
@pytest.mark.parametrize("parameters", [{}, {"cell": "lstm", "n_layers": 2}], ids=str)
def test_losses_are_means_over_all_labels_and_ends(parameters: Any) -> None:
    """The loss of the second epoch is that of the weights after the first."""
    weights = np.random.default_rng(1).uniform(size=N)
    one, two = (classifier(max_iter=n, **PLAIN, **parameters) for n in (1, 2))
    one.fit(TOKENS, LABELS, weights, X_val=TOKENS[:7], y_val=LABELS[:7])
    two.fit(TOKENS, LABELS, weights)
    by_hand = loss_by_hand(one, TOKENS, LABELS, weights)
    assert_allclose(two.history_[1]["train_loss"], by_hand, rtol=1e-9)
    by_hand = loss_by_hand(one, TOKENS[:7], LABELS[:7])
    assert_allclose(one.history_[0]["valid_loss"], by_hand, rtol=1e-9)
    decisions = [each.argmax(1) for each in logits_by_hand(one, TOKENS[:7], LABELS[:7])]
    true = [[*np.searchsorted(one.classes_, each), 3] for each in LABELS[:7]]
    right = np.concatenate([a == b for a, b in zip(decisions, true, strict=True)])
    assert_allclose(one.history_[0]["valid_score"], right.mean())
    val = {"X_val": TOKENS[:7], "y_val": LABELS[:7], "sample_weight_val": np.arange(7)}
    weighted = clone(one).fit(TOKENS, LABELS, weights, **val)
    by_hand = loss_by_hand(one, TOKENS[:7], LABELS[:7], np.arange(7))
    assert_allclose(weighted.history_[0]["valid_loss"], by_hand, rtol=1e-9)


@ignore_convergence
def test_label_smoothing_spreads_targets_over_labels_and_end() -> None:
    one, two = (classifier(max_iter=n, label_smoothing=0.2, **PLAIN) for n in (1, 2))
    one.fit(TOKENS, LABELS), two.fit(TOKENS, LABELS)
    by_hand = loss_by_hand(one, TOKENS, LABELS, smoothing=0.2)
    assert_allclose(two.loss_, by_hand, rtol=1e-9)


@ignore_convergence
@pytest.mark.parametrize("form", ["rows", "ragged", "ragged tokens"])
def test_weights_are_repetitions_of_series(form: str) -> None:
    X = SERIES[form]
    weights = np.random.default_rng(1).integers(0, 4, N)
    index = np.repeat(np.arange(N), weights)
    weighted, repeated, plain = (classifier(form, **PLAIN | {"max_iter": 5}) for _ in range(3))
    weighted.fit(X, LABELS, weights)
    repeated.fit([X[i] for i in index], [LABELS[i] for i in index])
    assert_same_weights(weighted, repeated, atol=1e-9)
    assert differ(weighted, plain.fit(X, LABELS))


def test_early_stopping_ends_with_the_best_weights() -> None:
    y = [each[::-1] for each in TOKENS]
    model = classifier(early_stopping=True, max_iter=8, learning_rate_init=0.1)
    model.fit(TOKENS[:20], y[:20], X_val=TOKENS[20:], y_val=y[20:])
    assert model.best_validation_score_ == max(model.validation_scores_)
    decisions = [each.argmax(1) for each in logits_by_hand(model, TOKENS[20:], y[20:])]
    true = [[*np.searchsorted(model.classes_, each), len(model.classes_)] for each in y[20:]]
    right = np.concatenate([a == b for a, b in zip(decisions, true, strict=True)])
    assert_allclose(model.best_validation_score_, right.mean())
    own = classifier(early_stopping=True, validation_fraction=0.2).fit(TOKENS, y)
    assert len(own.validation_scores_) == own.n_iter_
    assert own.t_ == 24 * own.n_iter_


def test_warm_starts_go_on_with_the_same_labels_and_may_write_more() -> None:
    straight = classifier(max_iter=2, solver="sgd", momentum=0, **PLAIN)
    warm = clone(straight).set_params(max_iter=1, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        straight.fit(TOKENS, LABELS)
        warm.fit(TOKENS, LABELS).fit(TOKENS, LABELS)
        assert_same_weights(warm, straight, atol=1e-12)
        assert warm.loss_curve_ == straight.loss_curve_
        with torch.no_grad():
            warm.module_.output.bias[-1] = -1e3  # never end
        assert {len(each) for each in warm.predict(TOKENS)} == {2 * 3 + 10}
        with pytest.raises(ValueError, match="`y` has classes not in"):
            warm.fit(TOKENS, [["d"]] * N)
        warm.set_params(learning_rate_init=1e-9).fit(TOKENS, [["a"] * 7] * N)
        assert {len(each) for each in warm.predict(TOKENS)} == {2 * 7 + 10}
        warm.set_params(max_length=4)
        assert {len(each) for each in warm.predict(TOKENS)} == {4}
    assert not hasattr(warm, "partial_fit")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (TOKENS, None, "the target y is None"),
        (TOKENS, LABELS[:-1], "y has targets for 29 series, but X has 30"),
        (TOKENS, np.arange(N), r"y has shape \(30,\)"),
        (TOKENS, ["abc"] * N, r"y\[0\] has shape \(\)"),
        (TOKENS, np.zeros((N, 3, 1), int), r"y\[0\] has shape \(3, 1\)"),
        (TOKENS, [[]] * N, "y has no labels"),
        (TOKENS, [[0.5, 1.2]] * N, "Unknown label type: continuous"),
        (TOKENS, [[1.0, np.nan]] * N, r"y\[0\] contains NaN"),
        (TOKENS, [np.array(["a", None], object)] * N, "cannot be sorted"),
        (TOKENS, [[1, 2], ["a"]] * (N // 2), "sequences of strings and others of numbers"),
        ([], [], "X is empty"),
        ([*TOKENS[1:], []], LABELS, r"X\[29\] has no steps"),
        ([*TOKENS[1:], [-1]], LABELS, "X has the token -1"),
        ([*TOKENS[1:], [0.5]], LABELS, "tokens, which are integers"),
        (["abc"] * N, LABELS, "Tokenizer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_sequences_are_refused(X: Any, y: Any, message: str) -> None:
    model = classifier()
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "module_")


def test_later_sequences_have_to_be_as_the_first() -> None:
    model = classifier().fit(TOKENS, LABELS)
    with pytest.raises(ValueError, match="X has the token 4, but there are 4, from 0 to 3"):
        model.predict([[0, 4]])
    with pytest.raises(ValueError, match="y has targets for 2 series, but X has 1"):
        model.score([[0]], [["a"], ["b"]])
    with pytest.raises(ValueError, match="X_val, y_val: .*classes not in"):
        model.fit(TOKENS, LABELS, X_val=TOKENS[:2], y_val=[["a"], ["d"]])
    with pytest.raises(ValueError, match="X_val, y_val: X has the token 9"):
        model.fit(TOKENS, LABELS, X_val=[[9], [1, 2]], y_val=[["a"], ["b"]])
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(TOKENS, LABELS, np.ones(N + 1))
    with pytest.raises(ValueError, match="hidden_size=4 has to be a multiple of n_heads=3"):
        classifier(n_heads=3).fit(TOKENS, LABELS)
    assert classifier(n_heads=4).fit(TOKENS, LABELS).module_.attention.n_heads == 4


@pytest.mark.filterwarnings("ignore:lbfgs ended before it converged")
@pytest.mark.parametrize("estimator", [EncoderDecoderClassifier, EncoderDecoderRegressor])
def test_lbfgs_trains_too(estimator: Any) -> None:
    X, y = (TOKENS, LABELS) if estimator is EncoderDecoderClassifier else (RAGGED, CURVES)
    form = "ragged tokens" if estimator is EncoderDecoderClassifier else "ragged"
    model = make(estimator, form, solver="lbfgs", dropout=0.0, max_iter=15).fit(X, y)
    assert model.loss_ < 0.9 * model.loss_curve_[0]


def test_sequences_are_reversed() -> None:
    rng = np.random.default_rng(0)
    X = [rng.integers(0, 3, size=n) for n in rng.integers(1, 5, 260)]
    y = [each[::-1] for each in X]
    model = EncoderDecoderClassifier(embedding_size=8, hidden_size=16, max_iter=14, random_state=0)
    model.set_params(learning_rate_init=0.02, batch_size=16).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > 0.9
    # longer ones than those trained on
    longer = [rng.integers(0, 3, size=6) for _ in range(30)]
    assert model.score(longer, [each[::-1] for each in longer]) > 0.5


def test_texts_are_spelled_in_a_pipeline() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abc"), size=n)) for n in rng.integers(1, 5, 120)]
    doubled = [list(word[0] * 2) for word in words]  # twice the first letter
    model = EncoderDecoderClassifier(embedding_size=8, hidden_size=12, max_iter=8, random_state=0)
    model.set_params(learning_rate_init=0.03, batch_size=10)
    pipeline = make_pipeline(Tokenizer(analyzer="char"), model).fit(words, doubled)
    assert pipeline.score(words, doubled) > 0.95
    assert "".join(pipeline.predict(["cab"])[0]) == "cc"


def test_a_module_of_the_users_writes() -> None:
    def build(n_tokens: int, n_outputs: int) -> LabelDecoder:
        def encoder(channels: int) -> RecurrentEncoder:
            return RecurrentEncoder(channels, 4)

        network = LabelDecoder(Embedding(n_tokens, 3), 3, encoder, n_outputs, width=4)
        network.initialize(np.random.RandomState(0))
        return network

    model = classifier(module=build, max_length=5).fit(TOKENS, LABELS)
    assert model.module_.output.out_features == 4
    assert model.predict(TOKENS).shape == (N,)

    class NoWriter(nn.Module):
        def __init__(self, n_outputs: int) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(n_outputs))

        def forward(self, series: Tensor, lengths: Tensor, written: Tensor, n: Tensor) -> Tensor:
            return self.bias.expand(int(n.sum()), -1)

    model = classifier(module=NoWriter, alpha=0.0).fit(TOKENS, LABELS)
    with pytest.raises(TypeError, match="module has no method `write`"):
        model.predict(TOKENS)


# ---------------------------------------------------------------------------------------- values


SHAPES = [(4,), (4, 1), (1, 3), (1, 1), ()]
CASES = [*((shape, "ragged") for shape in SHAPES), *(((4, 3), form) for form in SERIES)]


@pytest.mark.parametrize(("shape", "form"), CASES, ids=str)
def test_predictions_have_the_shape_of_the_targets(shape: Any, form: str) -> None:
    X, y = SERIES[form], np.random.default_rng(0).normal(size=(N, *shape))
    model = regressor(form).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (N, *shape)
    assert model.n_outputs_ == int(np.prod(shape))
    assert_allclose(model.score(X, y), r2_score(y.reshape(N, -1), predicted.reshape(N, -1)))
    for i in range(0, N, 9):
        assert_allclose(model.predict(X[i : i + 1])[0], predicted[i], atol=1e-5)
    if form == "ragged":
        assert_same_weights(model, regressor(form).fit(X, y.tolist()))


def test_an_object_array_of_curves_is_an_array() -> None:
    expected = regressor().fit(RAGGED, CURVES)
    for y in (list(CURVES), objects(CURVES)):
        assert_same_weights(regressor().fit(RAGGED, y), expected)


def test_a_horizon_of_one_in_a_column_warns_as_everywhere_in_scikit_learn() -> None:
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        model = regressor().fit(RAGGED, CURVES[:, :1])
    assert_array_equal(model.predict(RAGGED), regressor().fit(RAGGED, CURVES[:, 0]).predict(RAGGED))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_come_in_the_float_type_of_the_series(dtype: Any) -> None:
    assert regressor().fit(EQUAL.astype(dtype), CURVES).predict(EQUAL.astype(dtype)).dtype == dtype


def test_r2_by_hand() -> None:
    weights = np.random.default_rng(1).uniform(size=N)
    Y = np.random.default_rng(2).normal(size=(N, 2, 3))
    model = regressor(max_iter=10).fit(RAGGED, Y)
    P, scores = model.predict(RAGGED), []
    for i in range(2):
        for j in range(3):
            y, p = Y[:, i, j], P[:, i, j]
            mean = np.average(y, weights=weights)
            scores.append(1 - weights @ (y - p) ** 2 / (weights @ (y - mean) ** 2))
    assert_allclose(model.score(RAGGED, Y, weights), np.mean(scores))


@ignore_convergence
@pytest.mark.parametrize("form", ["rows", "ragged", "ragged tokens"])
def test_losses_of_curves_are_half_the_squared_error_in_units_of_y_over_the_horizon(
    form: str,
) -> None:
    X, weights = SERIES[form], np.random.default_rng(1).uniform(size=N)
    one, two = (regressor(form, max_iter=n, **PLAIN) for n in (1, 2))
    one.fit(X, CURVES, weights), two.fit(X, CURVES, weights)
    mean = np.average(CURVES, axis=0, weights=weights)
    variance = np.average((CURVES - mean) ** 2, axis=0, weights=weights)
    of_series = ((one.predict(X) - CURVES) ** 2 / 2 / variance).sum(1)
    assert_allclose(two.loss_, np.average(of_series, weights=weights), rtol=1e-9)


@ignore_convergence
@pytest.mark.parametrize("form", ["rows", "ragged"])
def test_weights_are_repetitions_of_curves(form: str) -> None:
    X = SERIES[form]
    weights = np.random.default_rng(1).integers(0, 4, N)
    index = np.repeat(np.arange(N), weights)
    weighted, repeated, plain = (regressor(form, **PLAIN | {"max_iter": 5}) for _ in range(3))
    weighted.fit(X, CURVES, weights)
    repeated.fit([X[i] for i in index], CURVES[index])
    assert_same_weights(weighted, repeated, atol=1e-9)
    assert differ(weighted, plain.fit(X, CURVES))


@ignore_convergence
def test_warm_starts_and_partial_fits_of_curves_go_on() -> None:
    settings = {**PLAIN, "solver": "sgd", "momentum": 0, "random_state": 0}
    straight = regressor(max_iter=3, **settings).fit(RAGGED, CURVES)
    warm, partial = regressor(max_iter=1, warm_start=True, **settings), regressor(**settings)
    for _ in range(3):
        warm.fit(RAGGED, CURVES)
        partial.partial_fit(RAGGED, CURVES)
    for model in (warm, partial):
        assert_same_weights(model, straight, atol=1e-12)
    with pytest.raises(ValueError, match=r"y has shape \(30, 3\), but .* shape \(n_samples, 4\)"):
        warm.fit(RAGGED, CURVES[:, :3])
    with pytest.raises(ValueError, match=r"X_val, y_val: y has shape \(30,\)"):
        warm.fit(RAGGED, CURVES, X_val=RAGGED, y_val=CURVES[:, 0])
    with pytest.raises(ValueError, match=r"y has shape \(30, 2, 2\), but .* \(n_samples, 4\)"):
        partial.partial_fit(RAGGED, CURVES.reshape(N, 2, 2))


def test_early_stopping_of_curves_ends_with_the_best_weights() -> None:
    model = regressor(early_stopping=True, max_iter=8, learning_rate_init=0.1)
    model.fit(RAGGED[:20], CURVES[:20], X_val=RAGGED[20:], y_val=CURVES[20:])
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert_allclose(model.score(RAGGED[20:], CURVES[20:]), model.best_validation_score_, atol=1e-5)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (RAGGED, None, "requires y to be passed"),
        (RAGGED, CURVES[:-1], "inconsistent numbers of samples"),
        (RAGGED, np.where(CURVES > 1, np.nan, CURVES), "Input y contains NaN"),
        (RAGGED, RAGGED, "y has sequences of different lengths.*StepRegressor"),
        (RAGGED, objects(RAGGED), "y has sequences of different lengths"),
        (RAGGED, CURVES[:, :, None, None], "Found array with dim 4"),
        ([], CURVES, "X is empty"),
        ([*RAGGED[1:], []], CURVES, r"X\[29\] has no steps"),
        ([*RAGGED[1:], [np.nan]], CURVES, r"X\[29\] contains NaN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_curves_are_refused(X: Any, y: Any, message: str) -> None:
    model = regressor()
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "module_")


@pytest.mark.slow
def test_a_curve_is_learned_from_its_description() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(200, 1, 2))  # one to many
    t = np.linspace(-1, 1, 8)
    y = 50 + 20 * X[:, 0, :1] + 10 * X[:, 0, 1:] * t**2
    model = EncoderDecoderRegressor(hidden_size=16, filters=None, max_iter=20, random_state=0)
    model.set_params(learning_rate_init=0.02, dropout=0.0).fit(X[:150], y[:150])
    assert model.score(X[150:], y[150:]) > 0.9


def test_predictions_of_a_loss_with_a_link_are_positive() -> None:
    model = regressor(loss="poisson").fit(RAGGED, np.abs(CURVES))
    assert (model.predict(RAGGED) > 0).all()
    with pytest.raises(ValueError, match="poisson"):
        regressor(loss="poisson").fit(RAGGED, -np.abs(CURVES) - 1)


def test_a_module_of_the_users_gives_the_horizon_in_a_row() -> None:
    class Mean(nn.Module):
        def __init__(self, n_channels: int, n_outputs: int) -> None:
            super().__init__()
            self.linear = nn.Linear(n_channels, n_outputs)

        def forward(self, series: Tensor) -> Tensor:
            return self.linear(series.mean(1))

    W = np.arange(12.0).reshape(2, 6)
    Y = (CHANNELS.mean(1) @ W).reshape(N, 3, 2)
    model = EncoderDecoderRegressor(module=Mean, learning_rate_init=0.3, max_iter=99)
    model.set_params(random_state=0, batch_size=10).fit(CHANNELS, Y)
    assert_allclose(model.predict(CHANNELS), Y, atol=0.3)


@pytest.mark.parametrize("estimator", [EncoderDecoderClassifier, EncoderDecoderRegressor])
def test_column_names_are_kept_and_checked(estimator: Any) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(EQUAL).add_prefix("t")
    y: Any = LABELS
    if estimator is EncoderDecoderRegressor:
        y = pd.DataFrame(CURVES).add_prefix("y")
    model = make(estimator, "rows").fit(frame, y, X_val=frame[:5], y_val=y[:5])
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert (model.n_features_in_, model.n_channels_) == (6, 1)
    assert np.isfinite(model.score(frame, y))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(EQUAL)


# ------------------------------------------------------------------ scikit-learn's own checks


CHECKED = EncoderDecoderRegressor(
    hidden_size=4,
    filters=None,
    dropout=0.0,
    normalization=None,
    batch_size="all",
    learning_rate="constant",
    learning_rate_init=0.05,
    max_iter=3,
    precision="float64",
)


def check_cases() -> Iterator[Any]:
    """All checks; those that want a good fit, or fit often, are slow."""
    for each, check in estimator_checks_generator(CHECKED, mark=None):
        estimator = each
        name = getattr(check, "func", check).__name__
        if name == "check_regressors_train":
            estimator = clone(each).set_params(hidden_size=8, filters=(8,), max_iter=40)
        slow = name in ("check_regressors_train", "check_regressor_data_not_an_array")
        yield pytest.param(estimator, check, id=name, marks=[pytest.mark.slow] if slow else [])


CHECKS = list(check_cases())


@ignore_convergence
@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_estimator_checks_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke warnings on purpose
        try:
            check(estimator)
        except pytest.skip.Exception as error:
            pytest.fail(f"the check skips itself: {error}")


def test_no_estimator_check_is_missing() -> None:
    """With an unlucky tag nearly all checks skip themselves with only a warning."""
    names = {case.id for case in CHECKS}
    assert len(CHECKS) >= 60  # as for `sknn.RecurrentRegressor`
    assert {"check_fit2d_predict1d", "check_sample_weight_equivalence_on_dense_data"} <= names
