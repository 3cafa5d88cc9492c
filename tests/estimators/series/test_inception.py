"""Convolutional networks for series that are trained from end to end."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import sknn
from sknn import ConvSeriesClassifier, ConvSeriesRegressor
from sknn.nn import InceptionEncoder, LiteEncoder, Noise
from tests.helpers import assert_same_weights, global_generators

SHORT: dict[str, Any] = {
    "n_estimators": 1,
    "max_iter": 30,
    "learning_rate_init": 0.01,
    "random_state": 0,
}
ENCODERS = {"inception": InceptionEncoder, "lite": LiteEncoder}
each_architecture = pytest.mark.parametrize("architecture", ENCODERS)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
SLOPE = rng.uniform(-2, 2, 40)
LENGTHS = rng.integers(4, 12, 40)
SERIES = [
    np.column_stack([s * np.linspace(-1, 1, n), np.zeros(n)]) + rng.normal(scale=0.2, size=(n, 2))
    for s, n in zip(SLOPE, LENGTHS, strict=True)
]


@each_architecture
def test_classes_are_learned_and_a_series_is_predicted_the_same_alone(architecture: str) -> None:
    model = ConvSeriesClassifier(architecture=architecture, **SHORT)
    model.fit(SERIES, SLOPE > 0)
    assert isinstance(model.module_.encoder, ENCODERS[architecture])
    assert model.score(SERIES, SLOPE > 0) > 0.9
    together = model.predict_proba(SERIES)
    alone = np.vstack([model.predict_proba([each]) for each in SERIES])
    assert_allclose(alone, together, rtol=2e-5, atol=2e-6)


@each_architecture
def test_values_are_learned_and_stored(architecture: str, tmp_path: Any) -> None:
    model = ConvSeriesRegressor(architecture=architecture, **SHORT)
    model.fit(SERIES, SLOPE * 1000)
    assert model.score(SERIES, SLOPE * 1000) > 0.7
    path = tmp_path / "model.sknn"
    sknn.save(model, path)
    assert_array_equal(sknn.load(path).predict(SERIES), model.predict(SERIES))


def test_noise_is_a_layer_that_may_be_left_out() -> None:
    for noise in (0.0, 0.3):
        model = ConvSeriesClassifier(
            architecture="lite", noise=noise, n_estimators=1, max_iter=1, random_state=0
        ).fit(SERIES, SLOPE > 0)
        found = [layer.scale for layer in model.module_.input if isinstance(layer, Noise)]
        assert found == [noise] * (noise > 0)


@each_architecture
def test_equal_seeds_give_equal_networks(architecture: str) -> None:
    before = global_generators()
    one, other = (
        ConvSeriesRegressor(architecture=architecture, **(SHORT | {"max_iter": 2})).fit(
            SERIES, SLOPE
        )
        for _ in range(2)
    )
    assert global_generators() == before
    assert_same_weights(one, other)


@pytest.mark.parametrize(("n", "batch_size", "epochs"), [(40, "auto", 200), (600, "auto", 30)])
def test_few_series_get_more_epochs(n: int, batch_size: Any, epochs: int) -> None:
    model = ConvSeriesClassifier(architecture="lite", batch_size=batch_size)
    assert model._resolve_max_iter(n) == epochs
    assert ConvSeriesClassifier()._resolve_max_iter(n) == 30
    assert ConvSeriesClassifier(architecture="lite", batch_size=10)._resolve_max_iter(100) == 30
    assert ConvSeriesClassifier(architecture="lite", batch_size="all")._resolve_max_iter(100) == 200


def test_a_network_has_one_activation() -> None:
    model = ConvSeriesClassifier(architecture="lite", activation=["relu", "tanh"])
    with pytest.raises(ValueError, match="takes one activation for all hidden layers"):
        model.fit(SERIES, SLOPE > 0)
