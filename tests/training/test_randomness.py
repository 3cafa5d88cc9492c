import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.training import TrainingState, isolated_torch_rng
from sknn.training._randomness import OwnGenerators

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CPU = torch.device("cpu")
X = np.random.default_rng(0).normal(size=(40, 4))
y = X[:, 0] - X[:, 1] ** 2


class NoisyModule(nn.Module):
    """Draws from torch's generator when it is made and when it is run."""

    def __init__(self, n_features_in: int, n_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_features_in, n_outputs)

    def forward(self, X: Tensor) -> Tensor:
        outputs = self.linear(X)
        return outputs + torch.randn_like(outputs) if self.training else outputs


class RandomSlope(nn.Module):
    """An activation whose initial parameter is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.rand(()))

    def forward(self, z: Tensor) -> Tensor:
        return torch.maximum(z, self.slope * z)


def noisy_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return ((outputs - targets + 0.1 * torch.randn_like(outputs)) ** 2).sum(1)


DRAWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dropout": {"dropout": 0.5},
    "noisy module": {"module": NoisyModule},
    "module instance": {"module": NoisyModule(4, 1)},
    "drawn activation": {"activation": RandomSlope},
    "noisy loss": {"loss": noisy_loss},
    "early stopping": {"early_stopping": True},
    "lbfgs": {"solver": "lbfgs"},
}


def generator_states(with_numpy: bool) -> list[Any]:
    states: list[Any] = [random.getstate(), torch.get_rng_state().tolist()]
    if with_numpy:
        name, keys, *rest = np.random.get_state()  # noqa: NPY002
        states.append((name, keys.tolist(), *rest))
    return states


def make_regressor(**parameters: Any) -> NeuralRegressor:
    parameters = {"batch_size": 10, "max_iter": 3, "random_state": 0} | parameters
    return NeuralRegressor(hidden_layer_sizes=(6,), **parameters)


@pytest.mark.parametrize("parameters", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize("make_seed", [lambda: 0, lambda: np.random.RandomState(0), lambda: None])
def test_global_generators_are_left_alone(
    make_seed: Callable[[], Any], parameters: dict[str, Any]
) -> None:
    seed = make_seed()
    model = make_regressor(**{**parameters, "random_state": seed})
    before = generator_states(with_numpy=seed is not None)
    model.fit(X, y).predict(X)
    if model.solver != "lbfgs" and not model.early_stopping:
        model.partial_fit(X, y)
    assert generator_states(with_numpy=seed is not None) == before


@pytest.mark.parametrize("parameters", DRAWS.values(), ids=DRAWS)
def test_an_integer_seed_decides_everything(parameters: dict[str, Any]) -> None:
    predictions = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        np.random.seed(global_seed)  # noqa: NPY002
        random.seed(global_seed)
        predictions.append(make_regressor(**parameters).fit(X, y).predict(X))
    assert_array_equal(*predictions)


@pytest.mark.parametrize("parameters", [{}, {"dropout": 0.5}, {"module": NoisyModule}], ids=str)
def test_another_seed_gives_other_weights(parameters: dict[str, Any]) -> None:
    first, second = (
        make_regressor(**{**parameters, "random_state": seed}).fit(X, y).predict(X)
        for seed in (0, 1)
    )
    assert not np.allclose(first, second)


def test_without_a_seed_numpys_global_one_decides() -> None:
    def predict(seed: int) -> np.ndarray:
        np.random.seed(seed)  # noqa: NPY002
        return make_regressor(random_state=None, dropout=0.2).fit(X, y).predict(X)

    assert_array_equal(predict(3), predict(3))
    assert not np.allclose(predict(3), predict(4))


def test_a_generator_goes_on_from_fit_to_fit() -> None:
    generator = np.random.RandomState(0)
    model = make_regressor(random_state=generator)
    first = model.fit(X, y).predict(X)
    assert not np.allclose(model.fit(X, y).predict(X), first)


def test_dropout_differs_from_epoch_to_epoch() -> None:
    """Two partial fits draw other masks, so the second does not repeat the first one's."""
    state = TrainingState(np.random.RandomState(0))
    draws = []
    for _ in range(2):
        with isolated_torch_rng(state, CPU):
            draws.append(torch.rand(5).tolist())
    assert draws[0] != draws[1]


def test_isolated_generator_goes_on_as_if_never_interrupted() -> None:
    state, uninterrupted = (TrainingState(np.random.RandomState(0)) for _ in range(2))
    draws = []
    for _ in range(2):
        with isolated_torch_rng(state, CPU):
            draws += torch.rand(5).tolist()
        torch.rand(3)
    with isolated_torch_rng(uninterrupted, CPU):
        assert torch.rand(10).tolist() == draws


def test_isolated_generator_is_given_back_after_an_exception() -> None:
    state = TrainingState(np.random.RandomState(0))
    before = torch.get_rng_state()

    def interrupt() -> None:
        with isolated_torch_rng(state, CPU):
            torch.rand(5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert_array_equal(torch.get_rng_state(), before)
    assert state.torch_rng is not None


def test_predictions_draw_nothing() -> None:
    model = NeuralClassifier(dropout=0.5, max_iter=2, random_state=0).fit(X, y > 0)
    assert_array_equal(model.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("has_state", [False, True])
def test_an_own_generator_draws_what_the_isolated_global_one_draws(has_state: bool) -> None:
    device = torch.device("cpu")
    states = [TrainingState(np.random.RandomState(3)) for _ in range(2)]
    if has_state:
        for state in states:
            state.torch_rng = torch.Generator().manual_seed(8).get_state()
    for _ in range(2):  # the second goes on from the first
        with isolated_torch_rng(states[0], device):
            expected = torch.rand(5)
        own = OwnGenerators(states[1], device)
        before = torch.random.get_rng_state()
        assert torch.equal(torch.rand(5, generator=own.generator), expected)
        own.remember()
        assert torch.equal(torch.random.get_rng_state(), before)
        assert torch.equal(states[0].torch_rng, states[1].torch_rng)


def test_generators_go_on_where_others_stood_alone_and_in_a_stack() -> None:
    state = TrainingState(np.random.RandomState(0))
    with isolated_torch_rng(state, CPU) as lent:
        torch.rand(5)
        states = lent.states()
        expected = torch.rand(5)
    own = OwnGenerators(TrainingState(np.random.RandomState(1)), CPU)
    own.restore(states)
    assert torch.equal(own.states()[0], states[0])
    assert torch.equal(torch.rand(5, generator=own.generator), expected)
    own.restore(states)
    with isolated_torch_rng(TrainingState(np.random.RandomState(2)), CPU) as lent:
        lent.restore(own.states())
        assert torch.equal(torch.rand(5), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_generators_of_a_gpu_go_on_too() -> None:
    device = torch.device("cuda")
    state = TrainingState(np.random.RandomState(0))
    with isolated_torch_rng(state, device) as lent:
        torch.rand(5, device=device)
        states = lent.states()
        expected = torch.rand(5, device=device)
    assert len(states) == 2
    own = OwnGenerators(TrainingState(np.random.RandomState(1)), device)
    own.restore(states)
    assert torch.equal(torch.rand(5, device=device, generator=own.generator), expected)
    with isolated_torch_rng(TrainingState(np.random.RandomState(2)), device) as lent:
        lent.restore(states)
        assert torch.equal(torch.rand(5, device=device), expected)
