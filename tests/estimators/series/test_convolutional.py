"""ConvSeriesClassifier and ConvSeriesRegressor."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from sknn import ConvSeriesClassifier, ConvSeriesRegressor
from sknn.preprocessing import MiniRocket
from sknn.text import Tokenizer

random = np.random.default_rng(0)
N = 60
SPEED = np.arange(N) % 3
X = np.sin(np.outer(1 + SPEED, np.arange(40) / 4) + random.uniform(0, 6, size=(N, 1)))
X += random.normal(scale=0.3, size=X.shape)
LABELS = np.array(["slow", "fast", "faster"])[SPEED]
VALUES = SPEED + random.normal(scale=0.1, size=N)
RAGGED = [row[: 25 + i % 16] for i, row in enumerate(X)]
CHANNELS = np.stack([X, random.normal(size=X.shape)], 2)


def classifier(**parameters):
    return ConvSeriesClassifier(**({"n_features": 420, "random_state": 0} | parameters))


@pytest.mark.parametrize("data", [X, RAGGED, CHANNELS], ids=["rows", "ragged", "channels"])
def test_it_learns_series_of_all_forms(data):
    train = data[:40]
    model = classifier().fit(train, LABELS[:40])
    assert model.score(data[40:], LABELS[40:]) > 0.9
    assert model.n_iter_ == 1 and len(model.history_) == 1
    assert list(model.classes_) == ["fast", "faster", "slow"]
    probabilities = model.predict_proba(data[40:])
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert log_loss(LABELS[40:], probabilities) < 0.5
    together = model.decision_function(data)
    np.testing.assert_allclose(model.decision_function(data[3:4]), together[3:4], rtol=1e-9)


def test_values_are_those_of_ridge_regression_on_standardized_features():
    model = ConvSeriesRegressor(n_features=420, random_state=0).fit(X[:40], VALUES[:40])
    rocket = MiniRocket(420, differences=True, random_state=0)
    scaled = StandardScaler().fit(rocket.fit_transform(X[:40]))
    scaled.scale_ = np.maximum(scaled.scale_, 0.01)
    scaled.scale_[420:] *= 2  # of the changes from step to step
    penalty = model.history_[-1]["penalty"]
    ridge = RidgeCV([penalty]).fit(scaled.transform(rocket.transform(X[:40])), VALUES[:40])
    expected = ridge.predict(scaled.transform(rocket.transform(X[40:])))
    np.testing.assert_allclose(model.predict(X[40:]), expected, rtol=1e-4, atol=1e-4)
    assert model.score(X[40:], VALUES[40:]) > 0.8


def test_the_loss_is_of_series_left_out():
    """With labels drawn at random there is nothing to learn, however well a layer fits them."""
    y = np.random.default_rng(1).integers(0, 2, N)
    model = classifier().fit(X, y)
    (epoch,) = model.history_
    assert 0.6 < epoch["train_loss"] < 1.0
    assert epoch["train_score"] < 0.75


def test_levels_and_units_change_nothing():
    expected = classifier().fit(X, LABELS).predict_proba(X)
    np.testing.assert_allclose(classifier().fit(X + 1e8, LABELS).predict_proba(X + 1e8), expected,
                               atol=0.02)  # fmt: skip
    one = ConvSeriesRegressor(n_features=420, random_state=0)
    values = clone(one).fit(X, VALUES).predict(X)
    for unit in (1e-6, 1e12):
        found = clone(one).fit(X, VALUES * unit).predict(X)
        np.testing.assert_allclose(found, values * unit, rtol=1e-6)


@pytest.mark.parametrize("parameters", [
    {"solver": "adam", "max_iter": 20},
    {"hidden_layer_sizes": (16,), "dropout": 0.1, "max_iter": 20},
    {"solver": "lbfgs", "max_iter": 50, "alpha": 1.0},
    {"early_stopping": True},
    {"loss": "hinge"},
], ids=["adam", "hidden", "lbfgs", "stopping", "hinge"])  # fmt: skip
def test_other_ways_to_train(parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = classifier(**parameters).fit(X[:40], LABELS[:40])
    assert model.score(X[40:], LABELS[40:]) > 0.8
    assert "penalty" not in model.history_[-1]


def test_many_series_are_trained_in_batches(monkeypatch):
    from sknn.estimators.series import _convolutional

    monkeypatch.setattr(_convolutional, "MOST_SOLVED", 30)
    model = classifier(max_iter=3).fit(X, LABELS)
    assert model.n_iter_ == 3


@pytest.mark.parametrize(("parameters", "named"), [
    ({"hidden_layer_sizes": (5,)}, "hidden_layer_sizes"),
    ({"loss": "hinge"}, "loss='hinge'"),
], ids=["hidden", "hinge"])  # fmt: skip
def test_ridge_says_what_does_not_go_with_it(parameters, named):
    with pytest.raises(ValueError, match=f"solver='ridge' solves for one linear layer.*{named}"):
        classifier(solver="ridge", **parameters).fit(X, LABELS)


def test_networks_that_would_be_equal_are_refused():
    for parameters in ({}, {"solver": "ridge"}):
        with pytest.raises(ValueError, match="n_estimators=3 networks would be equal"):
            classifier(n_estimators=3, **parameters).fit(X, LABELS)


def test_ensembles_average_probabilities():
    model = classifier(n_estimators=3, solver="adam", max_iter=5).fit(X, LABELS)
    members = [member.predict_proba(X) for member in model.estimators_]
    assert np.abs(members[0] - members[1]).max() > 1e-6
    np.testing.assert_allclose(model.predict_proba(X), np.mean(members, 0), rtol=1e-5)
    trained = ConvSeriesClassifier(architecture="lite", max_iter=1, random_state=0)
    assert len(trained.fit(X, LABELS).estimators_) == 5
    assert not hasattr(classifier().fit(X, LABELS), "estimators_")


def test_ridge_takes_no_parts():
    with pytest.raises(AttributeError, match="ridge is not stochastic; solver='adam' is"):
        classifier(solver="ridge").partial_fit  # noqa: B018
    with pytest.raises(ValueError, match="checkpoint needs a solver.*'ridge'"):
        classifier(checkpoint="folder").fit(X, LABELS)


def test_parts_of_a_stream():
    model = classifier(solver="adam")
    for part in (slice(0, 30), slice(30, 60)):
        model.partial_fit(X[part], LABELS[part], classes=np.unique(LABELS))
    assert model.n_iter_ == 1 and len(model.history_) == 2


def test_several_labels_and_targets():
    several = np.stack([SPEED > 0, SPEED > 1], 1).astype(int)
    model = classifier().fit(X, several)
    assert model.predict_proba(X).shape == (N, 2)
    assert model.score(X, several) > 0.9
    both = np.stack([VALUES, 1e6 - VALUES], 1)
    regressor = ConvSeriesRegressor(n_features=420, random_state=0).fit(X, both)
    assert regressor.score(X, both) > 0.9


def test_files_and_searches(tmp_path):
    model = classifier().fit(RAGGED, LABELS)
    sknn.save(model, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn")
    np.testing.assert_array_equal(loaded.predict_proba(RAGGED), model.predict_proba(RAGGED))
    pipeline = make_pipeline(StandardScaler(), classifier())
    search = GridSearchCV(pipeline, {"convseriesclassifier__n_features": [84, 168]}, cv=2)
    assert search.fit(X, LABELS).best_score_ > 0.7


def test_tokens_are_referred_to_the_families_that_take_them():
    tokens = Tokenizer().fit_transform(["good film", "bad film"])
    with pytest.raises(ValueError, match="ConvSeriesClassifier is for series.*RecurrentClassifier"):
        classifier().fit(tokens, [0, 1])


def test_the_unit_of_the_weights_changes_nothing():
    weights = np.linspace(0, 2, N)
    expected = classifier().fit(X, LABELS, sample_weight=weights).predict_proba(X)
    for factor in (1 / N, 1e-20, 1e6):
        found = classifier().fit(X, LABELS, sample_weight=weights * factor).predict_proba(X)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_estimators", [1, "auto"])
@pytest.mark.parametrize("names", [("minirocket", "lite"), ("lite", "minirocket")])
def test_a_warm_start_goes_on_with_the_same_kind_of_network(names, n_estimators):
    first, second = names
    model = classifier(architecture=first, max_iter=1, noise=0.0, warm_start=True)
    model.set_params(solver="adam", n_estimators=n_estimators).fit(X, LABELS)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="go on with the network"):
        model.set_params(architecture=second, n_estimators=5).fit(X, LABELS)
    np.testing.assert_array_equal(model.set_params(architecture=first).predict_proba(X), before)
    clone(model).set_params(architecture=second, n_estimators=1).fit(X, LABELS)
