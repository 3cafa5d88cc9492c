"""What only the attention family has; the rest is in test_series_family.py."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from torch import nn

from sknn import AttentionClassifier, AttentionRegressor
from sknn.nn import SeriesNetwork
from sknn.nn.attention import AttentionBlock

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 9, 2))
RAGGED = [each[: 3 + i % 7] for i, each in enumerate(X)]
y = np.arange(40) % 2


def make(estimator: Any = AttentionClassifier, **parameters: Any) -> Any:
    small = {"hidden_size": 8, "filters": None, "dropout": 0.0, "max_iter": 1, "random_state": 0}
    return estimator(**(small | {"n_heads": 2} | parameters))


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize(("hidden_size", "n_heads"), [(8, 1), (8, 4), (6, 3), (2, 2)])
def test_parameters_describe_the_network(hidden_size: int, n_heads: int, n_layers: int) -> None:
    model = make(hidden_size=hidden_size, n_heads=n_heads, n_layers=n_layers).fit(RAGGED, y)
    assert type(model.module_) is SeriesNetwork
    blocks = [module for module in model.module_.modules() if type(module) is AttentionBlock]
    assert len(blocks) == n_layers
    assert {block.n_heads for block in blocks} == {n_heads}
    w = hidden_size
    # queries, keys, values and output; two dense layers; two normalizations
    block = 4 * w * w + 4 * w + 8 * w * w + 5 * w + 4 * w
    assert model.n_parameters_ == (2 * w + w) + n_layers * block + 2 * w + (w + 1)
    alone = np.concatenate([model.predict_proba([each]) for each in RAGGED])
    assert_allclose(model.predict_proba(RAGGED), alone, rtol=0, atol=1e-5)


def test_defaults_are_two_blocks_with_gelu() -> None:
    model = AttentionClassifier(max_iter=1).fit(X, y)
    assert model.module_.pooling.kind == model.pooling
    blocks = model.module_.encoder.blocks
    assert len(blocks) == 2
    assert all(isinstance(block.activation, nn.GELU) for block in blocks)
    assert (model.module_.encoder.width, blocks[0].n_heads) == (64, 4)
    assert {m.p for m in model.module_.modules() if isinstance(m, nn.Dropout)} == {model.dropout}


@pytest.mark.parametrize(
    ("hidden_size", "n_heads"), [(10, 4), (7, 1), (9, 3), (4, 8), (64, 5)], ids=str
)
def test_the_width_is_even_and_a_multiple_of_the_heads(hidden_size: int, n_heads: int) -> None:
    message = f"hidden_size={hidden_size} has to be even, and a multiple of n_heads={n_heads}"
    for data in (X, RAGGED):
        with pytest.raises(ValueError, match=message):
            make(hidden_size=hidden_size, n_heads=n_heads).fit(data, y)


@pytest.mark.parametrize("form", ["equal", "ragged"])
@pytest.mark.parametrize(("positional_encoding", "matters"), [("sinusoidal", True), (None, False)])
def test_the_order_of_the_steps_counts_with_positions_only(
    positional_encoding: str | None, matters: bool, form: str
) -> None:
    series = list(X) if form == "equal" else RAGGED
    model = make(positional_encoding=positional_encoding).fit(series, y)
    shuffled = [rng.permutation(each) for each in series]
    difference = abs(model.decision_function(series) - model.decision_function(shuffled)).max()
    assert (difference > 1e-3) == matters
    assert matters or difference < 1e-5


def test_the_order_is_learned() -> None:
    """Which of two marks comes first: no sum over the steps knows."""
    tokens = np.array([rng.permutation(5) for _ in range(120)])
    first = (tokens == 0).argmax(1) < (tokens == 1).argmax(1)
    settings = {"embedding_size": 8, "hidden_size": 16, "learning_rate_init": 0.02, "n_layers": 1}
    model = make(**settings, batch_size=16, max_iter=20).fit(tokens[:90], first[:90])
    assert model.score(tokens[90:], first[90:]) > 0.9
    model.set_params(positional_encoding=None, max_iter=2).fit(tokens[:90], first[:90])
    assert np.ptp(model.decision_function(tokens)) < 1e-5


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_values_are_learned_with_every_pooling(pooling: str) -> None:
    target = np.array([each[:, 0].mean() for each in RAGGED])
    model = make(AttentionRegressor, pooling=pooling, max_iter=25, learning_rate_init=0.03)
    assert model.fit(RAGGED, target).score(RAGGED, target) > 0.8


def test_the_cost_of_a_series_grows_with_its_steps() -> None:
    """All steps go through a layer at once, unlike in recurrent layers."""
    short, long = (make().fit(np.ones((4, n, 1)), [0, 1, 0, 1]) for n in (5, 50))
    assert long._work.flops == 10 * short._work.flops
    assert long._work.layer_size == 10 * short._work.layer_size
