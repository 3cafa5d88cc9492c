"""What both families of series estimators do, from parameters to predictions."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from torch import Tensor, nn
from torch.nn import functional as F

from sknn import (
    AttentionClassifier,
    AttentionRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
)
from sknn.data import Ragged
from sknn.nn import Noise, Standardize
from sknn.training import _inference
from tests.helpers import assert_same_weights, global_generators, representatives, weights_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CLASSIFIERS = [RecurrentClassifier, AttentionClassifier]
REGRESSORS = [RecurrentRegressor, AttentionRegressor]
N = 60

# Noisy series of two channels: the first rises or falls, the second is noise. The target of
# regression is the slope.
rng = np.random.default_rng(0)
SLOPE = rng.uniform(-2, 2, N)
y = (SLOPE > 0).astype(int)
LENGTHS = [*rng.integers(4, 12, N - 1), 12]
EQUAL = rng.normal(scale=0.3, size=(N, 12, 2))
EQUAL[..., 0] += SLOPE[:, None] * np.linspace(-1, 1, 12)
RAGGED = [
    np.column_stack([s * np.linspace(-1, 1, n), np.zeros(n)]) + rng.normal(scale=0.3, size=(n, 2))
    for s, n in zip(SLOPE, LENGTHS, strict=True)
]
# Tokens: is one of them a 0?
TOKENS = rng.integers(0, 9, size=(N, 6))
FOUND = (TOKENS == 0).any(1)
RAGGED_TOKENS = [np.concatenate([each, np.full(i % 4, 5)]) for i, each in enumerate(TOKENS)]

SERIES: dict[str, Any] = {
    "rows": EQUAL[..., 0],
    "channels": EQUAL,
    "ragged": RAGGED,
    "tokens": TOKENS,
    "ragged tokens": RAGGED_TOKENS,
}


def make(estimator: Any, form: str = "channels", **parameters: Any) -> Any:
    small = {
        "hidden_size": 8,
        "filters": (8,),
        "dropout": 0.0,
        "learning_rate_init": 0.01,
        "batch_size": 30,
        "max_iter": 2,
        "random_state": 0,
        "embedding_size": 6 if "tokens" in form else None,
    }
    return estimator(**(small | parameters))


def plain(estimator: Any, **parameters: Any) -> Any:
    """An estimator whose fit depends on neither the order of the rows nor their number."""
    settings = {"batch_size": "all", "normalization": None, "precision": "float64", "alpha": 0.0}
    return make(estimator, **(settings | {"learning_rate": "constant", "tol": 0.0} | parameters))


def target_of(estimator: Any, form: str = "channels") -> np.ndarray:
    if "tokens" in form:
        return FOUND if estimator in CLASSIFIERS else FOUND * 2.0 - 1
    return y if estimator in CLASSIFIERS else SLOPE


def answers_of(model: Any, X: Any) -> np.ndarray:
    return model.predict_proba(X) if type(model) in CLASSIFIERS else model.predict(X)


def take(X: Any, index: Any) -> Any:
    return [X[i] for i in index] if isinstance(X, list) else X[index]


each_form = pytest.mark.parametrize("form", SERIES)
# one of each family, and one of each task
each_estimator = pytest.mark.parametrize("estimator", [RecurrentClassifier, AttentionRegressor])
each_classifier = pytest.mark.parametrize("estimator", CLASSIFIERS)
each_regressor = pytest.mark.parametrize("estimator", REGRESSORS)


# --------------------------------------------------------------------------------- what is learned

N_EPOCHS = {RecurrentClassifier: 8, RecurrentRegressor: 8}
N_EPOCHS |= {AttentionClassifier: 20, AttentionRegressor: 20}


@pytest.mark.parametrize(
    "form",
    representatives(["rows", "ragged", "tokens", "ragged tokens"], "ragged", "ragged tokens"),
)
@each_classifier
def test_classes_of_series_of_every_form_are_learned(estimator: Any, form: str) -> None:
    X, target = SERIES[form], target_of(estimator, form)
    model = make(estimator, form, max_iter=N_EPOCHS[estimator], learning_rate_init=0.03)
    model.set_params(pooling="max", batch_size=10)
    model.fit(take(X, range(45)), target[:45])
    if "tokens" in form:  # some are too rare to be learned from 45 sequences
        assert model.score(take(X, range(45)), target[:45]) > 0.9
    else:
        assert model.score(take(X, range(45, N)), target[45:]) > 0.85
    P = model.predict_proba(X)
    assert_allclose(P.sum(1), 1)
    assert_array_equal(model.classes_[P.argmax(1)], model.predict(X))
    assert_allclose(model.decision_function(X), np.log(P[:, 1] / P[:, 0]), atol=1e-4)


@pytest.mark.parametrize("form", representatives(["rows", "ragged"], "ragged"))
@each_regressor
def test_several_values_of_series_are_learned(estimator: Any, form: str) -> None:
    Y = np.column_stack([SLOPE, 100 * SLOPE + 30, -SLOPE])
    model = make(estimator, max_iter=N_EPOCHS[estimator], learning_rate_init=0.03, batch_size=10)
    model.fit(take(SERIES[form], range(45)), Y[:45])
    assert model.predict(SERIES[form]).shape == (N, 3)
    assert model.score(take(SERIES[form], range(45, N)), Y[45:]) > 0.8


@each_regressor
def test_one_value_may_be_a_column(estimator: Any) -> None:
    model = make(estimator, max_iter=1).fit(RAGGED, SLOPE)
    assert model.predict(RAGGED).shape == (N,)
    with pytest.warns(UserWarning, match="column-vector"):
        assert clone(model).fit(RAGGED, SLOPE[:, None]).loss_ == model.loss_


@each_classifier
def test_several_classes_and_several_labels_are_learned(estimator: Any) -> None:
    names = np.array(["down", "flat", "up"], object)[np.digitize(SLOPE, [-0.7, 0.7])]
    model = make(estimator, max_iter=N_EPOCHS[estimator], learning_rate_init=0.03, batch_size=10)
    assert model.fit(RAGGED, names).score(RAGGED, names) > 0.75
    assert model.predict_proba(RAGGED).shape == (N, 3)
    Y = np.column_stack([SLOPE > 0, SLOPE > 1]).astype(int)
    model.set_params(max_iter=6).fit(RAGGED, Y)
    assert (model.predict(RAGGED) == Y).mean() > 0.8  # always 0 would have two thirds


# ------------------------------------------------------------------------- alone, together, padded


@each_form
@each_estimator
def test_a_batch_of_one_equals_a_batch_of_many(estimator: Any, form: str) -> None:
    X = SERIES[form]
    parameters = {"n_layers": 2, "filters": (6, 6), "stride": (1, 2), "dropout": 0.1}
    model = make(estimator, form, **parameters).fit(X, target_of(estimator, form))
    together = answers_of(model, X)
    alone = np.concatenate([answers_of(model, X[i : i + 1]) for i in range(N)])
    assert_allclose(together, alone, rtol=0, atol=1e-5)
    assert np.ptp(together, axis=0).max() > 1e-2  # or all of them would agree


@pytest.mark.parametrize("parameters", [{}, {"normalization": "layer"}, {"pooling": "max"}])
@each_estimator
def test_a_list_with_a_longer_series_equals_the_array(
    estimator: Any, parameters: dict[str, Any]
) -> None:
    """Beside a longer series all others are padded; without it they are one array."""
    model = make(estimator, **parameters).fit(EQUAL, target_of(estimator))
    longer = np.random.default_rng(0).normal(size=(40, 2))
    expected = answers_of(model, EQUAL)
    assert_allclose(answers_of(model, list(EQUAL)), expected, rtol=0, atol=1e-6)
    padded = answers_of(model, [longer, *EQUAL])
    assert_allclose(padded[1:], expected, rtol=0, atol=1e-5)
    assert_allclose(padded[:1], answers_of(model, longer[None]), rtol=0, atol=1e-5)


@each_estimator
def test_training_on_a_list_equals_training_on_the_array(estimator: Any) -> None:
    """One series more, without a weight, makes the list ragged: the masked way of everything."""
    target = target_of(estimator)
    for normalization in (None, "layer"):
        model = plain(estimator, max_iter=4, normalization=normalization)
        expected = clone(model).fit(EQUAL, target, sample_weight=np.ones(N))
        # long enough that there is padding, which must not count
        ragged = [*EQUAL, np.random.default_rng(0).normal(size=(15, 2))]
        model.fit(ragged, [*target, 0], sample_weight=[1.0] * N + [0.0])
        assert_same_weights(model, expected, atol=1e-9)


@pytest.mark.parametrize("chunk", [1, 7])
@pytest.mark.parametrize("form", ["channels", "ragged"])
@each_classifier
def test_predictions_in_chunks_are_those_at_once(
    estimator: Any, form: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make(estimator).fit(SERIES[form], y)
    expected = model.predict_proba(SERIES[form])
    monkeypatch.setattr(_inference, "RAGGED_ROWS", chunk)
    monkeypatch.setattr(_inference, "PREDICTION_ROWS", chunk)
    assert_allclose(model.predict_proba(SERIES[form]), expected, rtol=0, atol=1e-6)


@each_estimator
def test_defaults_take_series_of_a_single_step(estimator: Any) -> None:
    X = [np.ones((1 + i % 3, 2)) * i for i in range(20)]
    model = estimator(max_iter=1, hidden_size=8).fit(X, np.arange(20) % 2)
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.predict(np.ones((4, 1, 2)))).all()


# ------------------------------------------------------------------------------------------ weights


@pytest.mark.parametrize("form", ["rows", "ragged", "ragged tokens"])
@each_estimator
def test_weights_are_repetitions(estimator: Any, form: str) -> None:
    X, target = SERIES[form], target_of(estimator, form)
    repeats = np.random.default_rng(0).integers(0, 3, N)
    index = np.repeat(np.arange(N), repeats)
    model = plain(estimator, form=form, max_iter=4)
    weighted = clone(model).fit(X, target, sample_weight=repeats.astype(float))
    repeated = clone(model).fit(take(X, index), target[index])
    assert_same_weights(weighted, repeated, atol=1e-9)
    unweighted = clone(model).fit(X, target)
    difference = max(
        abs(a - b).max() for a, b in zip(weights_of(unweighted), weights_of(weighted), strict=True)
    )
    assert difference > 1e-4


@pytest.mark.parametrize("form", ["channels", "ragged"])
@each_classifier
def test_class_weights_are_sample_weights(estimator: Any, form: str) -> None:
    X, unequal = SERIES[form], (SLOPE > 1).astype(int)
    by_class = plain(estimator, class_weight={0: 1, 1: 3}).fit(X, unequal)
    by_sample = plain(estimator).fit(X, unequal, sample_weight=np.where(unequal, 3.0, 1.0))
    assert_same_weights(by_class, by_sample, atol=1e-12)
    balanced = plain(estimator, class_weight="balanced").fit(X, unequal)
    weights = N / (2 * np.bincount(unequal))
    assert_same_weights(
        balanced, plain(estimator).fit(X, unequal, sample_weight=weights[unequal]), atol=1e-12
    )


# --------------------------------------------------------------------------------- standardization


def find(model: Any, kind: type) -> list[Any]:
    return [module for module in model.module_.modules() if type(module) is kind]


@pytest.mark.parametrize("form", ["rows", "channels", "ragged"])
@each_estimator
def test_the_scale_of_the_series_does_not_matter(estimator: Any, form: str) -> None:
    X, target = SERIES[form], target_of(estimator)
    factor, shift = (300, -20) if form == "rows" else (np.array([1e-3, 5e4]), np.array([7, 1e4]))
    scaled = [each * factor + shift for each in X]
    model, other = (plain(estimator, max_iter=3).fit(each, target) for each in (X, scaled))
    assert_allclose(answers_of(other, scaled), answers_of(model, X), rtol=0, atol=1e-8)
    model, other = (
        plain(estimator, max_iter=3, standardize=False).fit(each, target) for each in (X, scaled)
    )
    assert abs(answers_of(other, scaled) - answers_of(model, X)).max() > 1e-3
    assert not find(model, Standardize)


@pytest.mark.parametrize(
    ("loss", "unit"),
    [
        ("squared_error", "deviation"),
        ("absolute_error", "deviation"),
        ("huber", "deviation"),
        ("quantile", "deviation"),
        ("poisson", "mean"),
        ("gamma", "mean"),
        ("mape", "mean"),
        ("msle", None),
        ("cosine", None),
        (lambda outputs, targets: (outputs - targets).square().sum(1), None),
    ],
)
def test_a_loss_sees_targets_in_its_own_units(loss: Any, unit: str | None) -> None:
    positive = np.column_stack([SLOPE + 3, SLOPE**2 + 1])
    model = make(AttentionRegressor, loss=loss, max_iter=1).fit(EQUAL, positive)
    assert model._targets.unit == unit
    assert model.predict(EQUAL).shape == (N, 2)
    model.set_params(standardize=False).fit(EQUAL, positive)
    assert model._targets.unit is None


def test_a_module_of_the_users_sees_targets_as_they_are() -> None:
    seen = []

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        seen.append(targets.mean().item())
        return (outputs - targets).square().sum(1)

    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    X, target = EQUAL[..., 0], SLOPE + 100
    make(RecurrentRegressor, module=module, loss=loss, batch_size=N, max_iter=1).fit(X, target)
    assert seen == pytest.approx([target.mean()] * len(seen))
    model = make(RecurrentRegressor, module=module, max_iter=1).fit(X, target)
    assert model._targets.unit is None


@pytest.mark.parametrize("form", ["rows", "channels", "ragged"])
@each_estimator
def test_means_and_scales_are_those_of_the_weighted_steps(estimator: Any, form: str) -> None:
    X, target = SERIES[form], target_of(estimator)
    repeats = np.random.default_rng(1).integers(0, 4, N)
    repeated = [X[i] for i in np.repeat(np.arange(N), repeats)]
    steps = np.concatenate([each.reshape(len(each), -1) for each in repeated])
    model = plain(estimator, max_iter=1).fit(X, target, sample_weight=repeats.astype(float))
    (layer,) = find(model, Standardize)
    assert_allclose(layer.mean, steps.mean(0), rtol=1e-12)
    assert_allclose(layer.scale, steps.std(0), rtol=1e-12)
    if estimator in REGRESSORS:
        assert_allclose(model._targets.location, [np.repeat(target, repeats).mean()])
        assert_allclose(model._targets.scale, [np.repeat(target, repeats).std()])


@each_estimator
def test_values_whose_squares_are_infinite_are_refused_by_name(estimator: Any) -> None:
    large = [series * 1e300 for series in RAGGED]
    with pytest.raises(ValueError, match="which is beyond float32"):
        make(estimator).fit(large, target_of(estimator, "ragged"))


@pytest.mark.parametrize("standardize", [True, False])
def test_noise_is_added_to_standardized_series(standardize: bool) -> None:
    model = make(RecurrentClassifier, noise=0.25, standardize=standardize, max_iter=2)
    model.fit(SERIES["ragged"], y)
    layers = list(model.module_.input) if standardize else [model.module_.input]
    assert [type(layer) for layer in layers] == [*[Standardize] * standardize, Noise]
    assert layers[-1].scale == 0.25
    quiet = make(RecurrentClassifier, standardize=standardize, max_iter=2).fit(SERIES["ragged"], y)
    assert not np.allclose(weights_of(model)[0], weights_of(quiet)[0])
    assert_array_equal(model.predict_proba(RAGGED), model.predict_proba(RAGGED))


def test_tokens_get_no_noise() -> None:
    model = make(RecurrentClassifier, "tokens", noise=0.25).fit(TOKENS, FOUND)
    quiet = make(RecurrentClassifier, "tokens").fit(TOKENS, FOUND)
    assert_same_weights(model, quiet)


def test_tokens_are_not_standardized_but_targets_are() -> None:
    model = make(RecurrentRegressor, "tokens").fit(TOKENS, SLOPE)
    assert not find(model, Standardize)
    assert_allclose(model._targets.scale, [SLOPE.std()])


# ---------------------------------------------------------------------------------------- the stem


@pytest.mark.parametrize("median", [1, 12, 63, 64, 100, 127, 128, 200, 256, 500, 1024, 3000])
@pytest.mark.parametrize("ragged", [False, True])
def test_automatic_strides_leave_32_to_63_steps_of_longer_series(median: int, ragged: bool) -> None:
    lengths = [median, median - 1, 2 * median] if ragged and median > 1 else [median] * 3
    X = Ragged(np.zeros(sum(lengths)), np.array(lengths)) if ragged else np.zeros((3, median))
    for n_convolutions in (1, 2, 3, 5):
        model = RecurrentClassifier(filters=[4] * n_convolutions)
        stem = model._make_stem(X)
        left = median
        for stride in stem.stride:
            left = math.ceil(left / stride)
        assert left == median if median < 64 else 32 <= left < 64
        # the first layers halve most, and none much more than the others
        assert list(stem.stride) == sorted(stem.stride, reverse=True)
        assert max(stem.stride) <= 2 * min(stem.stride)
        assert list(stem.kernel_size) == [7, 5, 3, 3, 3][:n_convolutions]


@each_estimator
def test_the_automatic_stem_is_for_numbers_and_has_three_convolutions(estimator: Any) -> None:
    model = make(estimator, filters="auto").fit(EQUAL, y)
    convolutions = model.module_.stem
    assert [each.conv.out_channels for each in convolutions] == [8, 8, 8]
    assert [each.conv.kernel_size for each in convolutions] == [(1, 7), (1, 5), (1, 3)]
    assert not len(make(estimator, "tokens", filters="auto").fit(TOKENS, FOUND).module_.stem)
    assert not len(make(estimator, filters=None).fit(EQUAL, y).module_.stem)
    one = make(estimator, "tokens", filters=5, kernel_size=2, stride=2).fit(TOKENS, FOUND)
    (layer,) = one.module_.stem
    assert (layer.conv.in_channels, layer.conv.out_channels) == (6, 5)
    assert (layer.kernel_size, layer.stride) == (2, 2)


@pytest.mark.parametrize(
    "parameters",
    [
        {"filters": (4, 5), "kernel_size": (4, 3), "stride": (3, 2)},
        {"filters": 4, "kernel_size": 4, "stride": 4},
        {"filters": 4, "kernel_size": 2, "stride": 5},
        {"filters": np.array([4, 4]), "kernel_size": 5, "stride": [1, 8]},
    ],
    ids=str,
)
@each_classifier
def test_a_stem_with_strides_shortens_what_the_encoder_sees(
    estimator: Any, parameters: dict[str, Any]
) -> None:
    for X in (EQUAL, RAGGED):
        model = make(estimator, **parameters, max_iter=1).fit(X, y)
        left = 12
        for stride in np.ravel(parameters["stride"]):
            left = math.ceil(left / stride)
        (part,) = model.module_.prepare(torch.from_numpy(EQUAL[:2]).float())
        assert part.series.shape[1] == left
        alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(10)])
        assert_allclose(model.predict_proba(X)[:10], alone, rtol=0, atol=1e-5)


# ----------------------------------------------------------------- early stopping and warm starts


@pytest.mark.parametrize("form", ["channels", "ragged", "ragged tokens"])
@each_estimator
def test_early_stopping_keeps_the_weights_with_the_best_score(estimator: Any, form: str) -> None:
    X, target = SERIES[form], target_of(estimator, form)
    X_val, y_val = take(X, range(40, N)), target[40:]
    model = make(estimator, form, max_iter=5, early_stopping=True, learning_rate_init=0.05)
    model.fit(take(X, range(40)), target[:40], X_val=X_val, y_val=y_val)
    assert len(model.validation_scores_) == 5
    assert len(set(model.validation_scores_)) > 1
    assert_allclose(model.score(X_val, y_val), max(model.validation_scores_), atol=1e-5)
    # without X_val, a tenth of the rows
    model.set_params(max_iter=1).fit(X, target)
    assert len(model.validation_scores_) == 1


@pytest.mark.parametrize("form", ["channels", "ragged"])
@each_classifier
def test_validation_data_are_scored_with_their_weights(estimator: Any, form: str) -> None:
    X = SERIES[form]
    weights = np.random.default_rng(0).uniform(size=20)
    model = make(estimator, max_iter=1)
    model.fit(
        take(X, range(40)),
        y[:40],
        X_val=take(X, range(40, N)),
        y_val=y[40:],
        sample_weight_val=weights,
    )
    found = model.history_[-1]
    P = model.predict_proba(take(X, range(40, N)))
    losses = -np.log(P[np.arange(20), y[40:]])
    assert_allclose(found["valid_loss"], np.average(losses, weights=weights), rtol=1e-4)
    right = P.argmax(1) == y[40:]
    assert_allclose(found["valid_score"], np.average(right, weights=weights), rtol=1e-5)


@each_estimator
def test_training_losses_and_scores_are_those_of_the_rows_in_any_order(estimator: Any) -> None:
    """Batches of similar length, without learning: each row is scored once, against its target."""
    target = target_of(estimator)
    still = {"solver": "sgd", "momentum": 0, "learning_rate_init": 1e-300, "alpha": 0.0}
    for X in (EQUAL, RAGGED):
        model = make(estimator, normalization=None, precision="float64", **still).fit(X, target)
        assert_allclose(model.history_[0]["train_score"], model.score(X, target), rtol=1e-9)
        if estimator in CLASSIFIERS:
            P = model.predict_proba(X)
            expected = -np.log(P[np.arange(N), target]).mean()
        else:
            expected = np.square(model.predict(X) - target).mean() / 2 / target.var()
        assert_allclose(model.loss_curve_, expected, rtol=1e-9)


@pytest.mark.parametrize("form", ["channels", "ragged"])
@each_estimator
def test_a_warm_start_goes_on(estimator: Any, form: str) -> None:
    X, target = SERIES[form], target_of(estimator)
    model = make(estimator, warm_start=True, max_iter=3).fit(X, target)
    (before,) = [find(model, Standardize)[0].mean.numpy().copy()]
    first = model.loss_curve_[:]
    other = [each + 10 for each in X]  # whose means are not taken over
    model.fit(other, target)
    assert model.loss_curve_[:3] == first
    assert len(model.loss_curve_) == 6
    assert_array_equal(find(model, Standardize)[0].mean, before)
    assert model.t_ == 6 * N


@each_classifier
def test_rows_of_a_warm_start_are_known_by_their_series(estimator: Any) -> None:
    """No series that was trained on is held out, whatever the order in which they come."""
    model = make(estimator, warm_start=True, early_stopping=True, validation_fraction=0.2)
    model.fit(RAGGED, y)
    memory = model._row_memory
    trained, held_out = memory.trained.copy(), memory.held_out.copy()
    assert len(held_out) == 12
    order = np.random.default_rng(0).permutation(N)
    model.fit(take(RAGGED, order), y[order])
    assert_array_equal(model._row_memory.trained, trained)
    assert_array_equal(model._row_memory.held_out, held_out)


@each_form
@each_estimator
def test_partial_fit_trains_for_an_epoch(estimator: Any, form: str) -> None:
    X, target = SERIES[form], target_of(estimator, form)
    model = make(estimator, form, batch_size="auto")
    classes = {"classes": [False, True]} if estimator in CLASSIFIERS else {}
    for _ in range(4):
        model.partial_fit(X, target, **classes)
    assert len(model.loss_curve_) == 4
    assert model.loss_curve_[3] < model.loss_curve_[0]
    longer = [np.concatenate([each] * 3) for each in take(X, range(9))]
    model.partial_fit(longer, target[:9])  # longer than any before
    model.partial_fit(take(X, [0, 1]), target[:2])
    assert model.t_ == 4 * N + 9 + 2
    assert model.predict(longer).shape == (9,)


# ------------------------------------------------------------------------------------------ solvers


@pytest.mark.parametrize("form", ["ragged", "tokens"])
@each_estimator
def test_lbfgs(estimator: Any, form: str) -> None:
    X, target = SERIES[form], target_of(estimator, form)
    model = make(estimator, form, solver="lbfgs", max_iter=12, normalization=None).fit(X, target)
    assert {p.dtype for p in model.module_.parameters()} == {torch.float64}
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
    assert model.score(X, target) > 0.8
    with pytest.raises(ValueError, match="dropout changes the loss .* solver='lbfgs'"):
        make(estimator, form, solver="lbfgs", dropout=0.1).fit(X, target)


@pytest.mark.parametrize("form", ["channels", "ragged", "ragged tokens"])
@each_estimator
def test_bfloat16(estimator: Any, form: str) -> None:
    X, target = SERIES[form], target_of(estimator, form)
    exact = make(estimator, form).fit(X, target)
    model = make(estimator, form, precision="bfloat16").fit(X, target)
    assert {p.dtype for p in model.module_.parameters()} == {torch.float32}
    scale = 1 if estimator in CLASSIFIERS else np.ptp(target)
    difference = abs(answers_of(model, X) - answers_of(exact, X)).max() / scale
    assert 0 < difference < 0.1


@pytest.mark.parametrize("form", ["channels", "ragged"])
@each_estimator
def test_gradients_are_clipped(estimator: Any, form: str) -> None:
    sgd = {"solver": "sgd", "momentum": 0.0, "batch_size": "all", "alpha": 0.0, "max_iter": 1}
    sgd |= {"precision": "float64", "learning_rate": "constant"}
    still, clipped, free = (
        make(estimator, **(sgd | {"learning_rate_init": rate, "max_grad_norm": norm}))
        for rate, norm in [(1e-300, None), (0.5, 1e-3), (0.5, None)]
    )
    vectors = []
    for model in (still, clipped, free):
        model.fit(SERIES[form], target_of(estimator))
        parameters = [p.detach().numpy().ravel() for p in model.module_.parameters()]
        vectors.append(np.concatenate(parameters))
    before, after, unbound = vectors
    assert_allclose(np.linalg.norm(after - before), 0.5 * 1e-3, rtol=1e-5)
    assert np.linalg.norm(unbound - before) > 0.5 * 2e-3


@pytest.mark.parametrize(
    ("n", "batch_size"), [(10, 10), (100, 16), (200, 20), (1280, 128), (5000, 128)]
)
def test_the_automatic_batch_is_a_tenth_of_the_series(n: int, batch_size: int) -> None:
    for estimator in CLASSIFIERS:
        assert estimator()._resolve_batch_size(n) == batch_size
        assert estimator(batch_size="all")._resolve_batch_size(n) == n
        assert estimator(batch_size=7)._resolve_batch_size(n) == 7


# ------------------------------------------------------------------------------------- own modules


class Own(nn.Module):
    """Means over the valid steps, and a linear layer; remembers how it was called."""

    calls: list[tuple[Any, ...]] = []

    def __init__(self, n_channels: int, n_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_channels, n_outputs)

    def forward(self, series: Tensor, *others: Tensor) -> Tensor:
        type(self).calls.append((series.shape, others))
        if not others:
            return self.linear(F.relu(series).mean(1))
        (lengths,) = others
        assert not series[torch.arange(series.shape[1]) >= lengths[:, None]].any()
        return self.linear(F.relu(series).sum(1) / lengths[:, None])


@each_estimator
def test_a_module_of_the_users_own_gets_series_and_lengths(estimator: Any) -> None:
    target = target_of(estimator)
    Own.calls.clear()
    model = make(estimator, module=Own, batch_size=20, max_iter=1).fit(EQUAL, target)
    assert Own.calls.pop(0)[0] == (8, 12, 2)  # tried, before anything is trained
    model.predict(EQUAL)
    assert Own.calls == [((20, 12, 2), ())] * 3 + [((N, 12, 2), ())]
    expected = np.maximum(EQUAL, 0).mean(1)
    Own.calls.clear()
    model = make(estimator, module=Own, batch_size=20, max_iter=1).fit(RAGGED, target)
    assert len(Own.calls.pop(0)[0]) == 3
    assert len(Own.calls) == 3
    seen = []
    for shape, (lengths,) in Own.calls:
        assert shape == (20, int(lengths.max()), 2)
        seen += lengths.tolist()
    assert sorted(seen) == sorted(LENGTHS)
    # batches of similar length: all sixty in order, cut in three
    assert sorted(max(lengths) for _, (lengths,) in Own.calls) == sorted(LENGTHS)[19::20]
    expected = np.stack([np.maximum(each, 0).mean(0) for each in RAGGED])
    weight, bias = (p.detach().numpy() for p in model.module_.parameters())
    outputs = (expected @ weight.T + bias)[:, 0]
    method = model.decision_function if estimator in CLASSIFIERS else model.predict
    assert_allclose(method(RAGGED), outputs, atol=1e-5)


def test_a_module_of_the_users_own_gets_tokens() -> None:
    class Counts(nn.Module):
        def __init__(self, n_tokens: int, n_features_in: int, n_outputs: int) -> None:
            super().__init__()
            assert (n_tokens, n_features_in) == (9, 6)
            self.embedding = nn.EmbeddingBag(n_tokens, n_outputs)

        def forward(self, tokens: Tensor) -> Tensor:
            assert tokens.dtype == torch.int64
            return self.embedding(tokens)

    model = make(RecurrentClassifier, "tokens", module=Counts).fit(TOKENS, FOUND)
    assert model.predict(TOKENS).shape == (N,)


def test_a_module_whose_outputs_are_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outputs of shape \(8, 12, 1\) for a batch of 8"):
        make(RecurrentClassifier, module=nn.Linear(2, 1)).fit(EQUAL, y)


# ---------------------------------------------------------------------------------- reproducibility


@pytest.mark.parametrize("form", ["channels", "ragged", "ragged tokens"])
@each_estimator
def test_equal_seeds_give_equal_weights_and_no_global_generator_is_used(
    estimator: Any, form: str
) -> None:
    X, target = SERIES[form], target_of(estimator, form)
    parameters = {"dropout": 0.3, "n_layers": 2, "early_stopping": True, "max_iter": 1}
    before = global_generators()
    one = make(estimator, form, **parameters).fit(X, target)
    assert global_generators() == before
    with torch.random.fork_rng():
        torch.manual_seed(99)
        other = make(estimator, form, **parameters).fit(X, target)
    assert_same_weights(one, other)
    assert one.loss_curve_ == other.loss_curve_
    third = make(estimator, form, **parameters, random_state=1).fit(X, target)
    assert third.loss_curve_ != one.loss_curve_
    without = make(estimator, form, **(parameters | {"dropout": 0.0})).fit(X, target)
    assert without.loss_curve_ != one.loss_curve_


@each_estimator
def test_noise_is_drawn_from_the_seed_alone(estimator: Any) -> None:
    X, target = SERIES["ragged"], target_of(estimator, "ragged")
    parameters = {"dropout": 0.0, "noise": 0.3, "max_iter": 1}
    before = global_generators()
    one = make(estimator, **parameters).fit(X, target)
    assert global_generators() == before
    assert_same_weights(one, make(estimator, **parameters).fit(X, target))
    quiet = make(estimator, **(parameters | {"noise": 0.0})).fit(X, target)
    assert quiet.loss_curve_ != one.loss_curve_


@each_estimator
def test_the_order_of_the_series_does_not_matter_to_predictions(estimator: Any) -> None:
    order = np.random.default_rng(0).permutation(N)
    for X in (EQUAL, RAGGED):
        model = make(estimator).fit(X, target_of(estimator))
        found = answers_of(model, take(X, order))
        assert_allclose(found, answers_of(model, X)[order], rtol=0, atol=1e-6)
