"""Standard deviations and quantiles of regressors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import mean_pinball_loss, r2_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import ConvRegressor, NeuralRegressor, RecurrentRegressor, export_torch, load, save
from sknn.model_selection import GridSearchCV
from sknn.sequences import EncoderDecoderRegressor, StepRegressor

rng = np.random.default_rng(0)
LEVELS = (0.1, 0.5, 0.9)
N = 400
X = rng.uniform(-1, 1, size=(N, 2))
NOISE = np.where(X[:, 0] > 0, 2.0, 0.5)  # the standard deviation
MEAN = 100 + 10 * X[:, 1]
Y = MEAN + NOISE * rng.normal(size=N)
TWO = np.column_stack([Y, -1000 * Y])
SMALL: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 3, "learning_rate": "cosine"}
TRAINED: dict[str, Any] = {
    "hidden_layer_sizes": (32,),
    "max_iter": 150,
    "batch_size": 64,
    "learning_rate": "cosine",
    "learning_rate_init": 0.01,
    "random_state": 0,
}


def make(**parameters: Any) -> NeuralRegressor:
    return NeuralRegressor(**SMALL | {"random_state": 0} | parameters)


# -------------------------------------------------------------------------------- one number a row


@pytest.mark.parametrize("n_estimators", [1, 3])
def test_a_gaussian_loss_learns_how_noisy_targets_are(n_estimators: int) -> None:
    model = NeuralRegressor(**TRAINED, loss="gaussian", n_estimators=n_estimators).fit(X, Y)
    mean, std = model.predict(X, return_std=True)
    assert_array_equal(mean, model.predict(X))
    assert np.abs(mean - MEAN).mean() < 0.5
    inner = np.abs(X[:, 0]) > 0.2  # away from the jump
    assert np.abs(std[inner & (X[:, 0] > 0)].mean() - 2) < 0.4
    assert np.abs(std[inner & (X[:, 0] < 0)].mean() - 0.5) < 0.25
    # a constant variance makes the rows less likely
    constant = norm.logpdf(Y, mean, np.sqrt(np.mean((Y - mean) ** 2)))
    assert norm.logpdf(Y, mean, std).mean() > constant.mean() + 0.1
    assert model.score(X, Y) == pytest.approx(r2_score(Y, mean))


@pytest.mark.parametrize("y", [Y, TWO], ids=["one", "two"])
def test_an_ensemble_of_gaussians_is_their_mixture(y: np.ndarray) -> None:
    model = make(loss="gaussian", n_estimators=4).fit(X, y)
    means, stds = np.swapaxes(
        [each.predict(X, return_std=True) for each in model.estimators_], 0, 1
    )
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == y.shape
    assert_allclose(mean, means.mean(0), rtol=1e-5)
    expected = np.sqrt((stds**2).mean(0) + means.var(0))
    assert_allclose(std, expected, rtol=1e-4)


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "quantile"])
@pytest.mark.parametrize("y", [Y, np.abs(TWO)], ids=["one", "two"])
def test_other_ensembles_return_the_spread_of_their_members(loss: str, y: np.ndarray) -> None:
    model = make(loss=loss, n_estimators=3).fit(X, y / 1000)
    members = [member.predict(X) for member in model.estimators_]
    mean, std = model.predict(X, return_std=True)
    assert std.shape == y.shape
    assert_array_equal(mean, model.predict(X))
    assert_allclose(std, np.std(members, axis=0), rtol=1e-4, atol=1e-6)


def test_answers_are_in_the_float_type_of_the_samples() -> None:
    model = make(loss="gaussian", n_estimators=2).fit(X, Y)
    for dtype in (np.float32, np.float64):
        mean, std = model.predict(X.astype(dtype), return_std=True)
        assert mean.dtype == std.dtype == dtype


def test_one_network_without_a_variance_refuses() -> None:
    with pytest.raises(ValueError, match=r'loss="gaussian", or several networks, n_estimators > 1'):
        make().fit(X, Y).predict(X, return_std=True)
    images = rng.normal(size=(20, 8, 8))
    conv = ConvRegressor(max_iter=1, filters=4).fit(images, Y[:20])
    with pytest.raises(ValueError, match='loss="gaussian"; this is'):
        conv.predict(images, return_std=True)
    with pytest.raises(NotFittedError):
        make().predict(X, return_std=True)


def test_the_fit_does_not_depend_on_the_unit_of_y() -> None:
    model, other = make(loss="gaussian").fit(X, Y), make(loss="gaussian").fit(X, 2.0**40 * Y)
    for first, second in zip(
        model.predict(X, return_std=True), other.predict(X, return_std=True), strict=True
    ):
        assert_array_equal(2.0**40 * first, second)


def test_a_pipeline_hands_return_std_on() -> None:
    model = make_pipeline(StandardScaler(), make(loss="gaussian")).fit(X, Y)
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == (N,)


@pytest.mark.filterwarnings("ignore:lbfgs ended before it converged")
def test_lbfgs_learns_the_variance_too() -> None:
    model = NeuralRegressor(
        hidden_layer_sizes=(16,), loss="gaussian", solver="lbfgs", alpha=0.01, max_iter=300
    )
    _, std = model.set_params(random_state=0).fit(X, Y).predict(X, return_std=True)
    assert std[X[:, 0] > 0].mean() > 2 * std[X[:, 0] < 0].mean()


def test_partial_fit_keeps_the_units_of_its_first_call() -> None:
    model = make(loss="gaussian")
    for start in range(0, N, 100):
        model.partial_fit(X[start : start + 100], Y[start : start + 100])
    assert_allclose(model._targets.scale, Y[:100].std())  # type: ignore[union-attr]
    assert model.predict(X, return_std=True)[1].shape == (N,)
    with pytest.raises(ValueError, match=r"loss needs 1 output\(s\) for each target"):
        model.set_params(loss="squared_error").partial_fit(X, Y)


# --------------------------------------------------------------------------------------- quantiles


@pytest.mark.parametrize("n_estimators", [1, 3])
def test_quantiles_cover_what_they_say(n_estimators: int) -> None:
    model = NeuralRegressor(
        **TRAINED, loss="quantile", quantiles=LEVELS, n_estimators=n_estimators
    ).fit(X, Y)
    quantiles = model.predict(X)
    assert quantiles.shape == (N, 3)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert_allclose((Y[:, np.newaxis] < quantiles).mean(0), LEVELS, atol=0.05)
    widths = quantiles[:, 2] - quantiles[:, 0]
    assert widths[X[:, 0] > 0.2].mean() > 2 * widths[X[:, 0] < -0.2].mean()
    alone = NeuralRegressor(**TRAINED, loss="quantile", quantile=0.9).fit(X, (Y - 100) / Y.std())
    expected = mean_pinball_loss(Y, 100 + Y.std() * alone.predict(X), alpha=0.9)
    assert mean_pinball_loss(Y, quantiles[:, 2], alpha=0.9) < 1.15 * expected


def test_shapes_of_several_targets() -> None:
    model = make(loss="quantile", quantiles=LEVELS).fit(X, TWO)
    quantiles = model.predict(X)
    assert quantiles.shape == (N, 2, 3)
    assert model.n_outputs_ == 6
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert model.score(X, TWO) == pytest.approx(r2_score(TWO, quantiles[:, :, 1]))
    assert make(loss="quantile", quantiles=[0.3]).fit(X, Y).predict(X).shape == (N, 1)


def test_untrained_networks_do_not_cross_either() -> None:
    model = make(loss="quantile", quantiles=np.linspace(0.05, 0.95, 19), max_iter=1, n_estimators=2)
    assert (np.diff(model.fit(X, Y).predict(X), axis=1) >= 0).all()


def test_scores_are_those_of_the_median() -> None:
    model = make(loss="quantile", quantiles=(0.3, 0.6), max_iter=20, early_stopping=True)
    model.fit(X, Y)
    low, high = model.predict(X).T
    median = low + 2 / 3 * (high - low)  # 0.5 is two thirds of the way from 0.3 to 0.6
    assert model.score(X, Y) == pytest.approx(r2_score(Y, median))
    weights = rng.uniform(size=N)
    assert model.score(X, Y, weights) == pytest.approx(r2_score(Y, median, sample_weight=weights))
    model = make(loss="quantile", quantiles=LEVELS, max_iter=20).fit(X, Y, X_val=X, y_val=Y)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X, Y), abs=1e-4)


def test_quantiles_have_no_standard_deviation() -> None:
    model = make(loss="quantile", quantiles=LEVELS, n_estimators=2).fit(X, Y)
    with pytest.raises(ValueError, match="not available for several quantiles"):
        model.predict(X, return_std=True)


def test_other_levels_of_a_warm_start() -> None:
    model = make(loss="quantile", quantiles=LEVELS, warm_start=True).fit(X, Y)
    model.set_params(quantiles=(0.2, 0.5, 0.8)).fit(X, Y)
    before = model.predict(X)
    with pytest.raises(ValueError, match=r"loss needs 2 output\(s\) for each target"):
        model.set_params(quantiles=(0.2, 0.8)).fit(X, Y)
    assert_array_equal(model.predict(X), before)


def test_searches_over_levels_and_losses_equal_single_fits() -> None:
    grid = {"loss": ["quantile"], "quantiles": [LEVELS, (0.2, 0.5, 0.7), (0.1, 0.9), None]}
    search = GridSearchCV(make(), grid, cv=3).fit(X, Y)
    for parameters, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        alone = cross_val_score(clone(make().set_params(**parameters)), X, Y, cv=3)
        assert score == pytest.approx(alone.mean(), abs=1e-5)


@pytest.mark.parametrize("loss", ["gaussian", "quantile"])
@pytest.mark.usefixtures("stacks_on_a_cpu")
def test_a_stack_trains_them_as_they_are_alone(loss: str) -> None:
    parameters: dict[str, Any] = {"loss": loss, "dropout": 0.1}
    if loss == "quantile":
        parameters["quantiles"] = LEVELS
    model = make(**parameters, n_estimators=3).fit(X, Y)
    for member in model.estimators_:
        alone = make(**parameters).set_params(random_state=member.random_state).fit(X, Y)
        assert_allclose(member.predict(X), alone.predict(X), rtol=1e-4)
        assert_allclose(
            [epoch["train_score"] for epoch in member.history_],
            [epoch["train_score"] for epoch in alone.history_],
            rtol=1e-3,
        )


# ------------------------------------------------------------------------ files, programs, families

BOTH = pytest.mark.parametrize(
    "parameters",
    [{"loss": "gaussian"}, {"loss": "quantile", "quantiles": LEVELS}],
    ids=["gaussian", "quantiles"],
)


@BOTH
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_files(parameters: dict[str, Any], n_estimators: int, tmp_path: Any) -> None:
    model = make(**parameters, n_estimators=n_estimators).fit(X, TWO)
    save(model, tmp_path / "model.sknn")
    loaded = load(tmp_path / "model.sknn")
    assert_array_equal(loaded.predict(X), model.predict(X))
    if parameters["loss"] == "gaussian":
        assert_array_equal(loaded.predict(X, return_std=True), model.predict(X, return_std=True))


@BOTH
@pytest.mark.parametrize("n_estimators", [1, 2])
def test_programs(parameters: dict[str, Any], n_estimators: int) -> None:
    model = make(**parameters, n_estimators=n_estimators).fit(X, TWO)
    answers = export_torch(model).module()(torch.tensor(X))
    assert_allclose(answers, model.predict(X), rtol=1e-5)


@BOTH
def test_images_and_series(parameters: dict[str, Any]) -> None:
    images = rng.normal(size=(40, 8, 8))
    series = rng.normal(size=(40, 6, 2))
    for model, samples in (
        (ConvRegressor(max_iter=2, filters=4, random_state=0, **parameters), images),
        (RecurrentRegressor(max_iter=2, hidden_size=4, random_state=0, **parameters), series),
    ):
        model.fit(samples, TWO[:40])
        answers = model.predict(samples)
        assert np.isfinite(answers).all()
        if "quantiles" in parameters:
            assert answers.shape == (40, 2, 3)
            assert (np.abs(answers - TWO[:40].mean(0)[:, None]).mean((0, 2)) < [20, 20_000]).all()
        else:
            deviations = model.predict(samples, return_std=True)[1]
            assert answers.shape == deviations.shape == (40, 2)
            assert_allclose(np.log(deviations.mean(0) / TWO[:40].std(0)), 0, atol=np.log(5))


@BOTH
def test_steps_of_series(parameters: dict[str, Any]) -> None:
    samples = [rng.normal(size=(length, 2)) for length in (3, 5, 4, 6)]
    targets = [1000 + 100 * each[:, 0] for each in samples]
    model = StepRegressor(max_iter=2, hidden_size=4, random_state=0, **parameters)
    model.fit(samples, targets)
    answers = model.predict(samples)
    assert np.isfinite(model.score(samples, targets))
    if "quantiles" in parameters:
        assert [each.shape for each in answers] == [(3, 3), (5, 3), (4, 3), (6, 3)]
    else:
        mean, std = model.predict(samples, return_std=True)
        assert [each.shape for each in std] == [(3,), (5,), (4,), (6,)]
        assert_array_equal(mean[0], answers[0])


@BOTH
def test_a_decoder_refuses_them_and_stays_as_it_was(parameters: dict[str, Any]) -> None:
    model = EncoderDecoderRegressor(max_iter=1, hidden_size=4, **parameters)
    with pytest.raises(ValueError, match="loss needs several outputs for each value"):
        model.fit(rng.normal(size=(5, 1, 2)), rng.normal(size=(5, 3)))
    assert not hasattr(model, "module_")


@BOTH
def test_a_module_of_the_user_is_told_the_number_of_outputs(parameters: dict[str, Any]) -> None:
    model = make(**parameters, module=torch.nn.Sequential(torch.nn.Linear(2, 5)))
    n_outputs = 2 * (3 if "quantiles" in parameters else 2)
    with pytest.raises(ValueError, match=rf", {n_outputs}\) is needed"):
        model.fit(X, TWO)
    model.set_params(module=lambda n_outputs: torch.nn.Linear(2, n_outputs)).fit(X, TWO)
    assert model.n_outputs_ == n_outputs
