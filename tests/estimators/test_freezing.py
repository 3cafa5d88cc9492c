"""Parameters that are frozen or set free between two calls, or by a callback."""

import copy
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Freezer, Unfreezer
from torch import Tensor, nn

import sknn
from sknn import (
    AttentionRegressor,
    ConvRegressor,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentRegressor,
)
from sknn.nn import DenseNetwork
from sknn.training import SOLVERS, make_optimizer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 4))
y = X[:, 0] - X[:, 1]
images = rng.normal(size=(30, 8, 8, 1)).astype(np.float32)
series = rng.normal(size=(30, 6, 2)).astype(np.float32)

N_STEPS = 4


class TwoLayers(nn.Module):
    def __init__(self, n_features_in: int, n_outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(n_features_in, 6)
        self.second = nn.Linear(6, n_outputs)

    def forward(self, X: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(X)))


ESTIMATORS: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
    "dense": (partial(NeuralRegressor, hidden_layer_sizes=(6,), activation="tanh"), X),
    "no closed form": (partial(NeuralRegressor, hidden_layer_sizes=(6,), activation="gelu"), X),
    "module": (partial(NeuralRegressor, module=TwoLayers), X),
    "conv": (partial(ConvRegressor, filters=(3,), hidden_layer_sizes=(5,)), images),
    "recurrent": (partial(RecurrentRegressor, hidden_size=4), series),
    "attention": (partial(AttentionRegressor, hidden_size=8, n_heads=2), series),
}


def first_parameter(model: Any) -> nn.Parameter:
    return next(p for p in model.module_.parameters() if p.numel() and p.ndim >= 2)


def stored(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("transport", [lambda model: model, stored], ids=["same", "pickled"])
@pytest.mark.parametrize("name", ["dense", "module"])
@pytest.mark.parametrize("solver", [*SOLVERS, "class"])
def test_new_parameters_begin_without_a_state_and_others_keep_theirs(
    solver: Any, name: str, transport: Callable[[Any], Any]
) -> None:
    """One optimizer, from which the state of what is frozen is deleted, goes the same way."""
    make, inputs = ESTIMATORS[name]
    chosen = torch.optim.Adagrad if solver == "class" else solver
    model = make(
        solver=chosen, alpha=0, batch_size="all", shuffle=False, random_state=0, max_iter=1
    )
    model.partial_fit(inputs, y)  # which makes the network
    module = copy.deepcopy(model.module_)
    # the names of the settings are those of the parameters
    optimizer = make_optimizer(model, list(module.parameters()), [])
    # the first step, again
    start = make(solver=chosen, max_iter=1, random_state=0)
    start.set_params(learning_rate_init=1e-300, alpha=0).partial_fit(inputs, y)
    module.load_state_dict(start.module_.state_dict())

    def step() -> None:
        optimizer.zero_grad()
        outputs = module(torch.from_numpy(inputs))
        model._loss(outputs, torch.from_numpy(y)[:, None]).mean().backward()
        with torch.no_grad():
            optimizer.step()

    step()
    for is_frozen in (False, True, False):
        model = transport(model)
        for network in (model.module_, module):
            next(network.parameters()).requires_grad = not is_frozen
        if is_frozen:
            next(module.parameters()).grad = None
            optimizer.state.pop(next(module.parameters()))
            frozen = first_parameter(model).detach().clone()
        for _ in range(N_STEPS):
            model.partial_fit(inputs, y)
            step()
        if is_frozen:
            assert_array_equal(first_parameter(model).detach(), frozen)
        for one, other in zip(model.module_.parameters(), module.parameters(), strict=True):
            assert_allclose(one.detach(), other.detach(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("alpha", [0, 0.5])
@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_frozen_parameters_stay(name: str, solver: str, alpha: float) -> None:
    make, inputs = ESTIMATORS[name]
    model = make(solver=solver, alpha=alpha, random_state=0).partial_fit(inputs, y)
    frozen = first_parameter(model)
    frozen.requires_grad = False
    before = [p.detach().clone() for p in model.module_.parameters()]
    model.partial_fit(inputs, y)
    changed = [
        not torch.equal(p, earlier)
        for p, earlier in zip(model.module_.parameters(), before, strict=True)
    ]
    moved = [p is not frozen for p in model.module_.parameters()]
    assert changed == moved
    frozen.requires_grad = True
    earlier = frozen.detach().clone()
    model.partial_fit(inputs, y)
    assert not torch.equal(first_parameter(model), earlier)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", ["dense", "module"])
def test_a_warm_start_leaves_frozen_parameters(name: str, solver: str) -> None:
    make, inputs = ESTIMATORS[name]
    model = make(solver=solver, warm_start=True, max_iter=3, random_state=0).fit(inputs, y)
    first_parameter(model).requires_grad = False
    before = [p.detach().clone() for p in model.module_.parameters()]
    model.fit(inputs, y)
    same = [torch.equal(p, q) for p, q in zip(model.module_.parameters(), before, strict=True)]
    assert same[0]
    assert not all(same)


@pytest.mark.parametrize("alpha", [0, 0.5])
@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("name", ["dense", "module"])
def test_callbacks_freeze_and_free(name: str, solver: str, alpha: float) -> None:
    make, inputs = ESTIMATORS[name]
    pattern = "*.0.*" if name == "dense" else "first.*"
    common = {"solver": solver, "alpha": alpha, "random_state": 0}
    start = make(**common, learning_rate_init=1e-300, max_iter=1).fit(inputs, y)
    frozen = make(**common, max_iter=3, callbacks=[Freezer(pattern)]).fit(inputs, y)
    assert_allclose(first_parameter(frozen).detach(), first_parameter(start).detach())
    freed = [Freezer(pattern), Unfreezer(pattern, at=2)]
    moved = make(**common, max_iter=3, callbacks=freed).fit(inputs, y)
    assert not torch.equal(first_parameter(moved), first_parameter(frozen))


def test_nothing_to_train_is_refused() -> None:
    model = NeuralClassifier((3,), random_state=0).partial_fit(X, y > 0, classes=[False, True])
    model.module_.requires_grad_(False)
    before = copy.deepcopy(model.module_.state_dict())
    with pytest.raises(ValueError, match="module_ has no trainable parameters"):
        model.partial_fit(X, y > 0)
    for name, tensor in model.module_.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_replaced_layer_begins_without_a_state() -> None:
    model = NeuralRegressor(module=TwoLayers, random_state=0).partial_fit(X, y)
    model.module_.second = nn.Sequential(nn.Linear(6, 3), nn.Linear(3, 1)).double()
    model.partial_fit(X, y).partial_fit(X, y)
    model.module_.first = nn.Linear(4, 6, bias=False).double()
    assert np.isfinite(model.partial_fit(X, y).loss_)


@pytest.mark.parametrize("name", ["dense", "module"])
def test_a_file_keeps_what_the_state_is_about(name: str, tmp_path: Path) -> None:
    make, inputs = ESTIMATORS[name]
    model = make(random_state=0).partial_fit(inputs, y)
    first_parameter(model).requires_grad = False
    model.partial_fit(inputs, y)
    sknn.save(model, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn", trusted=[TwoLayers])
    for each in (model, loaded):
        first_parameter(each).requires_grad = True
        each.partial_fit(inputs, y)
    for one, other in zip(model.module_.parameters(), loaded.module_.parameters(), strict=True):
        assert_array_equal(one.detach(), other.detach())


@pytest.mark.parametrize("name", ["dense", "no closed form", "module"])
def test_a_state_that_names_no_parameters_goes_on(name: str) -> None:
    """Models that were stored before have one."""
    make, inputs = ESTIMATORS[name]
    model = make(random_state=0).partial_fit(inputs, y)
    first_parameter(model).requires_grad = False
    old = copy.deepcopy(model)
    old._state.optimized = None
    for each in (model, old):
        each.partial_fit(inputs, y)
    for one, other in zip(model.module_.parameters(), old.module_.parameters(), strict=True):
        assert_array_equal(one.detach(), other.detach())


def test_the_flat_way_is_left_and_taken_again() -> None:
    model = NeuralRegressor(hidden_layer_sizes=(6,), warm_start=True, random_state=0, max_iter=2)
    model.fit(X, y)
    assert isinstance(model.module_, DenseNetwork)
    assert model._state.optimized is None
    first_parameter(model).requires_grad = False
    model.partial_fit(X, y)
    assert model._state.optimized is not None
    first_parameter(model).requires_grad = True
    model.fit(X, y)  # which renews the optimizer
    assert model._state.optimized is None
