"""Numbers of any size: in all families of series, X may be far from zero and y of any unit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import is_regressor
from torch import Tensor, nn

import sknn
from sknn import (
    AttentionClassifier,
    AttentionRegressor,
    ConvSeriesClassifier,
    ConvSeriesRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
)
from sknn.data import Ragged, with_lengths
from sknn.estimators._statistics import centre_of
from sknn.sequences import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    StepClassifier,
    StepRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 40
rng = np.random.default_rng(0)
SLOPE = rng.uniform(-2, 2, N)
# multiples of 1/8, which float64 holds at any distance that is tried here
X = (
    np.round(8 * (SLOPE[:, None] * np.linspace(-1, 1, 12) + rng.normal(scale=0.3, size=(N, 12))))
    / 8
)
STEPS = X.cumsum(1)
CURVES = SLOPE[:, None] * np.array([1.0, 2.0, 3.0])

TARGETS: dict[Any, Any] = {
    RecurrentClassifier: SLOPE > 0,
    AttentionClassifier: SLOPE > 0,
    StepClassifier: STEPS > 0,
    EncoderDecoderClassifier: np.round(CURVES).astype(int) % 3,
    RecurrentRegressor: SLOPE,
    AttentionRegressor: SLOPE,
    StepRegressor: STEPS,
    EncoderDecoderRegressor: CURVES,
}
each_estimator = pytest.mark.parametrize("estimator", TARGETS)


def make(estimator: Any, **parameters: Any) -> Any:
    small = {"hidden_size": 4, "filters": (4,), "max_iter": 2, "random_state": 0}
    return estimator(**(small | parameters))


def outputs_of(model: Any, series: Any) -> np.ndarray:
    """Return the network's outputs for all series; those of a decoder after the first label."""
    rows = model._format.rows(series, torch.device("cpu"), torch.float32, model.module_)
    inputs = with_lengths(rows.slice(0, len(rows)))
    if isinstance(model, EncoderDecoderClassifier):
        ones = torch.ones(len(rows), dtype=torch.int64)
        inputs = (*inputs, ones[:, None], ones)
    with torch.inference_mode():
        return model.module_(*inputs).numpy()


# ---------------------------------------------------------------------------------------------- X


@pytest.mark.parametrize("form", ["float64", "int64", "ragged"])
@each_estimator
def test_x_far_from_zero_is_as_good_as_near(estimator: Any, form: str) -> None:
    near = X if form == "float64" else 8 * X
    far = near + 2.0**33  # Unix times, say; the spacing of float32 there is 512
    if form == "int64":
        near, far = (np.rint(each).astype(np.int64) for each in (near, far))
    lengths = [12] * (N - 1) + [9 if form == "ragged" else 12]
    near, far = (
        [each[:n] for each, n in zip(series, lengths, strict=True)] for series in (near, far)
    )
    target = TARGETS[estimator]
    if estimator in (StepClassifier, StepRegressor):
        target = [each[:n] for each, n in zip(target, lengths, strict=True)]
    model, other = (make(estimator).fit(series, target) for series in (near, far))
    assert abs(model.history_[-1]["train_loss"] - other.history_[-1]["train_loss"]) < 1e-4
    inputs = [
        Ragged.from_list(each) if form == "ragged" else np.stack(each) for each in (near, far)
    ]
    expected = outputs_of(model, inputs[0])
    assert expected.std() > 1e-3
    assert_allclose(outputs_of(other, inputs[1]), expected, rtol=0, atol=1e-4)


def test_convolutional_features_of_x_far_from_zero_are_as_good() -> None:
    far = X + 2.0**33
    classifiers = [ConvSeriesClassifier(random_state=0).fit(each, SLOPE > 0) for each in (X, far)]
    regressors = [ConvSeriesRegressor(random_state=0).fit(each, SLOPE) for each in (X, far)]
    for (near, other), method in ((classifiers, "decision_function"), (regressors, "predict")):
        expected = getattr(near, method)(X)
        assert_allclose(getattr(other, method)(far), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("factor", [1e-6, 1e12])
def test_the_unit_of_y_does_not_matter_to_convolutional_features(factor: float) -> None:
    expected = ConvSeriesRegressor(random_state=0).fit(X, SLOPE).predict(X)
    found = ConvSeriesRegressor(random_state=0).fit(X, factor * SLOPE).predict(X)
    assert_allclose(found / factor, expected, rtol=1e-6, atol=1e-9)


def test_channels_have_centres_of_their_own() -> None:
    channels = np.stack([X, X + 2.0**33, np.full_like(X, -1e9)], 2)
    found = make(RecurrentRegressor).fit(channels, SLOPE)._format.centre
    assert_allclose(found, [0, channels[..., 1].mean(), -1e9], rtol=1e-15)
    assert centre_of(channels[..., 0]) is None
    assert centre_of(Ragged.from_list(list(channels))) == found


def test_float32_keeps_what_it_has() -> None:
    far = (X + 4096).astype(np.float32)  # multiples of 1/8 are exact
    model, other = (make(RecurrentRegressor).fit(each, SLOPE) for each in (X, far))
    assert other._format.centre is not None
    assert other.predict(far).dtype == np.float32
    assert_allclose(other.predict(far), model.predict(X), rtol=0, atol=1e-5)


def test_padding_stays_zero() -> None:
    series = [each[:n] + 2.0**33 for each, n in zip(X, [12, 3] * (N // 2), strict=True)]
    model = make(RecurrentRegressor).fit(series, SLOPE)
    device = torch.device("cpu")
    rows = model._format.rows(Ragged.from_list(series), device, torch.float32, model.module_)
    batch, lengths = rows.slice(0, 2)
    assert lengths.tolist() == [12, 3]
    assert_allclose(batch[1, :3, 0], series[1] - model._format.centre[0], rtol=1e-6)
    assert_array_equal(batch[1, 3:], 0)


class Remembers(nn.Module):
    """Keeps the largest number that it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.largest = 0.0

    def forward(self, series: Tensor) -> Tensor:
        self.largest = max(self.largest, float(series.max()))
        return series.mean(1) * 0 + self.weight


@pytest.mark.parametrize("options", [{"module": Remembers()}, {"standardize": False}], ids=str)
def test_who_does_not_want_it_gets_the_numbers_as_they_are(options: dict[str, Any]) -> None:
    model = make(RecurrentRegressor, **options).fit(X + 1e8, SLOPE)
    assert model._format.centre is None
    if "module" in options:
        assert model.module_.largest == pytest.approx(1e8)


def test_warm_starts_files_and_copies_keep_the_centre(tmp_path: Path) -> None:
    far = X + 2.0**33
    model = make(RecurrentClassifier, warm_start=True).fit(far, SLOPE > 0)
    found = model._format.centre
    model.fit(far + 1, SLOPE > 0)
    assert model._format.centre == found
    path = tmp_path / "model.sknn"
    sknn.save(model, path)
    assert_array_equal(sknn.load(path).predict_proba(far), model.predict_proba(far))


# ---------------------------------------------------------------------------------------------- y


REGRESSORS = [each for each in TARGETS if is_regressor(each())]
# whose predictions are in the units of y; "msle" counts in units of 1, "cosine" takes no unit
LOSSES = ["squared_error", "absolute_error", "poisson", "gamma", "mape"]
CASES = [(each, loss) for each in REGRESSORS for loss in LOSSES]
# a decoder has one output a value
several = [each for each in REGRESSORS if each is not EncoderDecoderRegressor]
CASES += [(each, loss) for each in several for loss in ("quantiles", "gaussian")]


def with_loss(estimator: Any, loss: str, **parameters: Any) -> Any:
    several = {"loss": "quantile", "quantiles": (0.1, 0.5, 0.9)}
    options = several if loss == "quantiles" else {"loss": loss}
    return make(estimator, **(options | parameters))


@pytest.mark.parametrize("factor", [1e-6, 1e12])
@pytest.mark.parametrize(("estimator", "loss"), CASES)
def test_the_unit_of_y_does_not_matter(estimator: Any, loss: str, factor: float) -> None:
    target = np.exp(TARGETS[estimator] / 4)
    # the stopping rule and the penalty count in the same units as the loss
    options = {"alpha": 0.1, "tol": 0.02, "n_iter_no_change": 1, "learning_rate": "constant"}
    model = with_loss(estimator, loss, max_iter=4, **options)
    expected = model.fit(X, target).predict(X)
    losses = model.loss_curve_
    found = model.fit(X, factor * target).predict(X)
    assert_allclose(model.loss_curve_, losses, rtol=1e-4, atol=1e-6)
    assert_allclose(found / factor, expected, rtol=1e-4)


@pytest.mark.parametrize("estimator", REGRESSORS)
def test_y_may_be_far_from_zero(estimator: Any) -> None:
    target = np.round(8 * TARGETS[estimator]) / 8
    model, other = (make(estimator).fit(X, each) for each in (target, target + 2.0**33))
    assert_allclose(other.predict(X) - 2.0**33, model.predict(X), atol=1e-5)


@pytest.mark.parametrize("estimator", REGRESSORS)
def test_later_calls_keep_the_unit(estimator: Any) -> None:
    model = make(estimator, warm_start=True).fit(X, 1e6 * TARGETS[estimator])
    scale = getattr(model._targets, "of_steps", model._targets).scale
    model.fit(X, TARGETS[estimator])
    assert_array_equal(getattr(model._targets, "of_steps", model._targets).scale, scale)


@pytest.mark.parametrize("estimator", [RecurrentRegressor, sknn.ConvRegressor])
def test_values_beyond_float32_are_answered_in_float64(estimator: Any) -> None:
    X = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    small = {"hidden_size": 4} if estimator is RecurrentRegressor else {"filters": (2,)}
    model = estimator(max_iter=2, random_state=0, **small)
    assert model.fit(X, X[:, 0]).predict(X).dtype == np.float32
    large = model.fit(X, X[:, 0].astype(float) * 1e39).predict(X)
    assert large.dtype == np.float64
    assert np.isfinite(large).all()
