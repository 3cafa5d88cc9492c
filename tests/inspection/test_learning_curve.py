from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import (
    AttentionRegressor,
    ConvClassifier,
    ConvRegressor,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    TabularRegressor,
)
from sknn.decomposition import Autoencoder
from sknn.generative import AdversarialGenerator
from sknn.inspection import plot_learning_curve

plt = pytest.importorskip("matplotlib.pyplot")

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.normal(size=40)


def lines(ax: Any) -> dict[str, list[tuple[float, float]]]:
    return {
        line.get_label(): list(zip(*map(np.ndarray.tolist, line.get_data()), strict=True))
        for line in ax.get_lines()
    }


def dense(**parameters: Any) -> NeuralRegressor:
    defaults = {"learning_rate": "cosine", "max_iter": 4, "random_state": 0}
    return NeuralRegressor(hidden_layer_sizes=(3,), **(defaults | parameters))


def test_training_alone() -> None:
    regressor = dense().fit(X, Y)
    loss, score = plot_learning_curve(regressor)
    assert lines(loss) == {"training": list(enumerate(regressor.loss_curve_, start=1))}
    assert list(lines(score)) == ["training"]
    assert (loss.get_ylabel(), score.get_ylabel()) == ("loss", "R²")
    assert loss.get_xlabel() == score.get_xlabel() == "epoch"


def test_validation_data() -> None:
    classifier = NeuralClassifier((3,), learning_rate="cosine", max_iter=3, random_state=0)
    classifier.fit(X, Y > 0, X_val=X[:9], y_val=Y[:9] > 0)
    loss, score = plot_learning_curve(classifier)
    assert list(lines(loss)) == list(lines(score)) == ["training", "validation"]
    assert [value for _, value in lines(score)["validation"]] == classifier.validation_scores_
    assert score.get_ylabel() == "accuracy"


def test_scores_of_autoencoders_are_no_accuracies() -> None:
    model = Autoencoder(2, hidden_layer_sizes=4, max_iter=2, random_state=0).fit(X)
    assert plot_learning_curve(model)[1].get_ylabel() == "R²"


def test_both_networks_of_a_generator() -> None:
    gan = AdversarialGenerator(max_iter=3, random_state=0).fit(X)
    loss, score = plot_learning_curve(gan)
    for name in ("discriminator", "generator"):
        curve = [epoch[f"{name}_loss"] for epoch in gan.history_]
        assert lines(loss)[name] == list(enumerate(curve, start=1))
    assert len(lines(loss)) == 2
    assert score.get_ylabel() == "taken for real"


def test_networks_of_an_ensemble() -> None:
    ensemble = dense(n_estimators=3).fit(X, Y)
    loss, score = plot_learning_curve(ensemble)
    curves = [line.get_ydata().tolist() for line in loss.get_lines()]
    assert curves == [member.loss_curve_ for member in ensemble.estimators_]
    assert len({line.get_color() for line in loss.get_lines()}) == 1
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["training"]
    assert len(score.get_lines()) == 3


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_of_tables_hold_out_folds() -> None:
    table = np.c_[X, RNG.integers(0, 3, len(X))]
    model = TabularRegressor(hidden_layer_sizes=(3,), n_estimators=2, max_iter=3, random_state=0)
    loss, score = plot_learning_curve(model.fit(table, Y))
    for axes in (loss, score):
        assert [text.get_text() for text in axes.get_legend().get_texts()] == [
            "training",
            "validation",
        ]
        assert len(axes.get_lines()) == 4
        assert len({line.get_color() for line in axes.get_lines()}) == 2


@pytest.mark.parametrize("max_iter", [1, 2, 4, 40])
def test_ticks_are_whole_epochs(max_iter: int) -> None:
    loss, _ = plot_learning_curve(dense(max_iter=max_iter).fit(X, Y))
    loss.figure.canvas.draw()
    ticks = loss.get_xticks()
    assert_array_equal(ticks, np.round(ticks))
    # a single epoch has a marker, since it has no line
    assert loss.get_lines()[0].get_marker() == ("None" if max_iter == 40 else "o")


@pytest.mark.parametrize("fixture", ["grey_classifier", "regressor"])
def test_images(fixture: str, request: pytest.FixtureRequest) -> None:
    estimator: ConvClassifier | ConvRegressor = request.getfixturevalue(fixture)
    loss, _ = plot_learning_curve(estimator)
    assert lines(loss)["training"] == [(1, estimator.loss_)]


@pytest.mark.parametrize(
    ("estimator", "score"), [(RecurrentClassifier, "accuracy"), (AttentionRegressor, "R²")]
)
def test_series(estimator: Any, score: str) -> None:
    series = [RNG.normal(size=(3 + i % 4, 2)) for i in range(40)]
    model = estimator(hidden_size=4, max_iter=3).fit(
        series, Y > 0, X_val=series[:9], y_val=Y[:9] > 0
    )
    axes = plot_learning_curve(model)
    for ax in axes:
        assert list(lines(ax)) == ["training", "validation"]
    assert [value for _, value in lines(axes[0])["training"]] == model.loss_curve_
    assert [value for _, value in lines(axes[1])["validation"]] == model.validation_scores_
    assert axes[1].get_ylabel() == score


def test_pipelines_lbfgs_and_given_axes() -> None:
    network = dense(solver="lbfgs", learning_rate="constant", max_iter=500, tol=1e-3)
    pipeline = make_pipeline(StandardScaler(), network).fit(X, Y)
    figure, grid = plt.subplots(2, 1)
    axes = plot_learning_curve(pipeline, axes=grid)
    assert_array_equal(axes, grid)
    assert plt.get_fignums() == [figure.number]
    assert len(lines(axes[0])["training"]) == network.n_iter_
    # scores of the training data are not computed by this solver
    assert lines(axes[1]) == {}
    assert axes[1].texts[0].get_text() == "not recorded"


def test_logarithmic_losses() -> None:
    loss, score = plot_learning_curve(dense().fit(X, Y), log_scale=True)
    assert (loss.get_yscale(), score.get_yscale()) == ("log", "linear")
    regressor = dense().fit(X, Y)
    regressor.history_[1]["train_loss"] = 0.0
    with pytest.raises(ValueError, match="log_scale=True needs losses that are positive"):
        plot_learning_curve(regressor, log_scale=True)


def test_bad_input() -> None:
    regressor = dense().fit(X, Y)
    with pytest.raises(ValueError, match="axes has 1 Axes, but 2 are needed"):
        plot_learning_curve(regressor, axes=plt.figure().subplots())
    with pytest.raises(ValueError, match="The 'log_scale' parameter"):
        plot_learning_curve(regressor, log_scale="yes")
    regressor.history_.clear()
    with pytest.raises(ValueError, match="no epoch of its training has been completed"):
        plot_learning_curve(regressor)


def test_an_ensemble_has_a_curve_for_each_network() -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = TabularRegressor(max_iter=40, n_estimators=3, n_iter_no_change=5, random_state=0)
    axes = plot_learning_curve(model.fit(X, X[:, 0]))
    for ax, quantity in zip(axes, ("loss", "score"), strict=True):
        lines = ax.get_lines()
        for part, drawn in (("train", lines[:3]), ("valid", lines[3:])):
            for line, network in zip(drawn, model.estimators_, strict=True):
                expected = [epoch[f"{part}_{quantity}"] for epoch in network.history_]
                assert_array_equal(line.get_ydata(), expected)
            assert len({line.get_color() for line in drawn}) == 1
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [
            "training",
            "validation",
        ]
