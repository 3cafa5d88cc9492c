import copy
import functools
import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from sknn.training import SOLVERS, make_optimizer
from sknn.training.solvers import (
    JointOptimizer,
    optimizer_state,
    restore_optimizer_state,
)

N_STEPS = 30
SHAPES = [(4, 3), (3,), (3, 1), (1,)]
DEFAULTS: dict[str, Any] = {
    "learning_rate_init": 0.03,
    "alpha": 0.0,
    "beta_1": 0.8,
    "beta_2": 0.95,
    "epsilon": 1e-3,
    "momentum": 0.9,
    "nesterovs_momentum": True,
}


def initial_values() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in SHAPES]


def gradients(i: int) -> list[np.ndarray]:
    """Return the gradients of step i, of very different sizes."""
    rng = np.random.default_rng(100 + i)
    return [rng.normal(size=shape) * 10.0 ** rng.integers(-5, 1) for shape in SHAPES]


def make_tensors() -> list[torch.Tensor]:
    return [torch.nn.Parameter(torch.from_numpy(value)) for value in initial_values()]


def settings_of(solver: Any, parameters: dict[str, Any]) -> Any:
    return SimpleNamespace(**DEFAULTS | {"solver": solver} | parameters)


def build(solver: Any, tensors: list[torch.Tensor], **parameters: Any) -> torch.optim.Optimizer:
    weights = [tensor.data for tensor in tensors if tensor.ndim > 1]
    return make_optimizer(settings_of(solver, parameters), tensors, weights)


@torch.no_grad()
def run(optimizer: torch.optim.Optimizer, steps: range) -> None:
    tensors = optimizer.param_groups[0]["params"]
    for i in steps:
        for tensor, gradient in zip(tensors, gradients(i), strict=True):
            tensor.grad = torch.from_numpy(gradient)
        optimizer.step()


def train(solver: Any, **parameters: Any) -> list[np.ndarray]:
    tensors = make_tensors()
    run(build(solver, tensors, **parameters), range(N_STEPS))
    return [tensor.detach().numpy() for tensor in tensors]


def assert_all_close(actual: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(actual, expected, strict=True):
        assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def train_scikit_learn(optimizer: Any, params: list[np.ndarray]) -> list[np.ndarray]:
    for i in range(N_STEPS):
        optimizer.update_params(params, gradients(i))
    return params


# ------------------------------------------------------------------------- against a reference


@pytest.mark.parametrize("epsilon", [1e-8, 1e-2])
def test_adam_is_its_formula_with_epsilon_outside_of_the_correction(epsilon: float) -> None:
    lr, b1, b2 = DEFAULTS["learning_rate_init"], DEFAULTS["beta_1"], DEFAULTS["beta_2"]
    expected = initial_values()
    m = [np.zeros(shape) for shape in SHAPES]
    v = [np.zeros(shape) for shape in SHAPES]
    for t in range(1, N_STEPS + 1):
        rate = lr * np.sqrt(1 - b2**t) / (1 - b1**t)
        for k, g in enumerate(gradients(t - 1)):
            m[k] = b1 * m[k] + (1 - b1) * g
            v[k] = b2 * v[k] + (1 - b2) * g**2
            expected[k] -= rate * m[k] / (np.sqrt(v[k]) + epsilon)
    assert_all_close(train("adam", epsilon=epsilon), expected)


@pytest.mark.parametrize("epsilon", [1e-8, 1e-2])
def test_adam_is_scikit_learns(epsilon: float) -> None:
    params = initial_values()
    optimizer = AdamOptimizer(
        params, DEFAULTS["learning_rate_init"], DEFAULTS["beta_1"], DEFAULTS["beta_2"], epsilon
    )
    assert_all_close(train("adam", epsilon=epsilon), train_scikit_learn(optimizer, params))


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_sgd_is_scikit_learns(momentum: float, nesterov: bool) -> None:
    params = initial_values()
    optimizer = SGDOptimizer(
        params, DEFAULTS["learning_rate_init"], momentum=momentum, nesterov=nesterov
    )
    ours = train("sgd", momentum=momentum, nesterovs_momentum=nesterov)
    assert_all_close(ours, train_scikit_learn(optimizer, params))


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_keeps_its_velocity_when_the_learning_rate_changes(nesterov: bool) -> None:
    params, tensors = initial_values(), make_tensors()
    theirs = SGDOptimizer(params, 0.1, momentum=0.9, nesterov=nesterov)
    ours = build("sgd", tensors, learning_rate_init=0.1, nesterovs_momentum=nesterov)
    for i in range(N_STEPS):
        theirs.learning_rate = 0.1 / (i + 1)
        ours.change_learning_rate(0.1 / (i + 1))  # type: ignore[attr-defined]
        theirs.update_params(params, gradients(i))
        run(ours, range(i, i + 1))
    assert_all_close([tensor.detach().numpy() for tensor in tensors], params)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_adamw_is_torchs_with_decay_on_the_weights_only(alpha: float) -> None:
    tensors = make_tensors()
    groups = [
        {"params": [t for t in tensors if t.ndim > 1], "weight_decay": alpha},
        {"params": [t for t in tensors if t.ndim == 1], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.03, betas=(0.8, 0.95), eps=1e-3)
    for i in range(N_STEPS):
        for tensor, gradient in zip(tensors, gradients(i), strict=True):
            tensor.grad = torch.from_numpy(gradient)
        reference.step()
    assert_all_close(train("adamw", alpha=alpha), [t.detach().numpy() for t in tensors])


@pytest.mark.parametrize(
    ("solver", "torch_class", "arguments"),
    [
        ("nadam", torch.optim.NAdam, {"betas": (0.8, 0.95), "eps": 1e-3}),
        ("radam", torch.optim.RAdam, {"betas": (0.8, 0.95), "eps": 1e-3}),
        ("adamax", torch.optim.Adamax, {"betas": (0.8, 0.95), "eps": 1e-3}),
        ("rmsprop", torch.optim.RMSprop, {"eps": 1e-3}),
        ("adagrad", torch.optim.Adagrad, {"eps": 1e-3}),
        ("adadelta", torch.optim.Adadelta, {"eps": 1e-3}),
    ],
)
def test_the_other_solvers_are_torchs(
    solver: str, torch_class: Any, arguments: dict[str, Any]
) -> None:
    tensors = make_tensors()
    run(torch_class(tensors, lr=0.03, **arguments), range(N_STEPS))
    assert_all_close(train(solver), [tensor.detach().numpy() for tensor in tensors])


def test_every_solver_is_compared_with_a_reference() -> None:
    compared = {"adam", "sgd", "adamw", "nadam", "radam", "adamax"}
    assert set(SOLVERS) == compared | {"rmsprop", "adagrad", "adadelta"}


# ----------------------------------------------------------------------------------- the state


@pytest.mark.parametrize(
    "transport", [lambda s: s, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_restored_state_goes_on_bit_for_bit(solver: str, transport: Any) -> None:
    expected = train(solver, alpha=0.01)
    tensors = make_tensors()
    first = build(solver, tensors, alpha=0.01)
    run(first, range(10))
    second = build(solver, tensors, alpha=0.01)
    restore_optimizer_state(second, transport(optimizer_state(first)))
    run(second, range(10, N_STEPS))
    for tensor, value in zip(tensors, expected, strict=True):
        assert_array_equal(tensor.detach().numpy(), value)


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw"])
def test_torchs_state_dict_goes_on_bit_for_bit(solver: str) -> None:
    """What skorch's checkpoints store."""
    expected = train(solver)
    tensors = make_tensors()
    first = build(solver, tensors)
    run(first, range(10))
    stored = copy.deepcopy(first.state_dict())
    second = build(solver, tensors)
    # a step before the state is loaded must leave no trace
    before = [tensor.detach().clone() for tensor in tensors]
    run(second, range(1))
    with torch.no_grad():
        for tensor, value in zip(tensors, before, strict=True):
            tensor.copy_(value)
    second.load_state_dict(stored)
    run(second, range(10, N_STEPS))
    for tensor, value in zip(tensors, expected, strict=True):
        assert_array_equal(tensor.detach().numpy(), value)


def test_the_state_of_a_new_optimizer_is_empty_and_can_be_restored() -> None:
    state = optimizer_state(build("adam", make_tensors()))
    assert state == [{}] * len(SHAPES)
    tensors = make_tensors()
    optimizer = build("adam", tensors)
    restore_optimizer_state(optimizer, state)
    run(optimizer, range(N_STEPS))
    assert_all_close([tensor.detach().numpy() for tensor in tensors], train("adam"))


def test_a_state_of_another_network_is_refused() -> None:
    state = optimizer_state(build("adam", make_tensors()))
    with pytest.raises(ValueError):
        restore_optimizer_state(build("adam", make_tensors()[:2]), state)


# ------------------------------------------------------------------------------ make_optimizer


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw"])
def test_parameters_without_a_gradient_stay(solver: str) -> None:
    tensors = make_tensors()
    optimizer = build(solver, tensors)
    before = tensors[1].detach().clone()
    for tensor in (tensors[0], tensors[2]):
        tensor.grad = torch.ones_like(tensor)
    with torch.no_grad():
        optimizer.step()
    assert_array_equal(tensors[1].detach(), before)
    assert not np.allclose(tensors[0].detach(), initial_values()[0])


def test_a_class_gets_the_hyperparameters_that_it_takes() -> None:
    optimizer = build(torch.optim.Adam, make_tensors())
    (group,) = optimizer.param_groups
    assert (group["lr"], group["betas"], group["eps"]) == (0.03, (0.8, 0.95), 1e-3)
    assert group["weight_decay"] == 0
    (group,) = build(torch.optim.SGD, make_tensors(), momentum=0.7).param_groups
    assert (group["momentum"], group["nesterov"]) == (0.7, True)


@pytest.mark.parametrize(
    ("solver", "expected"),
    [
        (functools.partial(torch.optim.Adam, lr=0.5), {"lr": 0.5, "eps": 1e-3}),
        (functools.partial(torch.optim.Adam, amsgrad=True), {"lr": 0.03, "amsgrad": True}),
        (functools.partial(torch.optim.SGD, momentum=0.2), {"momentum": 0.2, "nesterov": True}),
        (functools.partial(torch.optim.SGD, momentum=0.0), {"momentum": 0.0, "nesterov": False}),
        (functools.partial(torch.optim.SGD, nesterov=False), {"momentum": 0.9, "nesterov": False}),
    ],
    ids=str,
)
def test_a_partial_keeps_what_it_binds(solver: Any, expected: dict[str, Any]) -> None:
    (group,) = build(solver, make_tensors()).param_groups
    assert {name: group[name] for name in expected} == expected


def test_sgd_without_momentum_is_never_nesterovs() -> None:
    (group,) = build(torch.optim.SGD, make_tensors(), momentum=0.0).param_groups
    assert group["nesterov"] is False


def make_optimizers() -> list[torch.optim.Optimizer]:
    """Return optimizers of several kinds; some share their settings."""
    changes: list[tuple[str, dict[str, Any]]] = [
        ("adam", {}),
        ("adam", {}),
        ("adam", {"learning_rate_init": 0.01}),
        ("sgd", {}),
        ("sgd", {"momentum": 0.0}),
        ("adamw", {"alpha": 0.1}),
        ("adamw", {"alpha": 0.1}),
        ("adamw", {"alpha": 0.3}),
        ("rmsprop", {}),
    ]
    optimizers = []
    for solver, change in changes:
        tensors = make_tensors()
        weights = [tensor for tensor in tensors if tensor.ndim == 2]
        optimizers.append(make_optimizer(settings_of(solver, change), tensors, weights))
    return optimizers


@torch.no_grad()
def test_a_joint_step_is_the_step_of_each() -> None:
    together, alone = make_optimizers(), make_optimizers()
    joint = JointOptimizer(together)
    for i in range(12):
        for optimizers in (together, alone):
            for number, optimizer in enumerate(optimizers):
                tensors = optimizer.param_groups[0]["params"]
                for tensor, gradient in zip(tensors, gradients(100 * number + i), strict=True):
                    if tensor.grad is None:
                        tensor.grad = torch.zeros_like(tensor)
                    tensor.grad.copy_(torch.from_numpy(gradient))
        if i == 4:  # those that had equal rates part
            together[1].param_groups[0]["lr"] = alone[1].param_groups[0]["lr"] = 0.5
        # sometimes not all of them step
        members = range(len(together)) if i % 3 else (0, 2, 3, 6, 8)
        joint.step(members)
        for number in members:
            alone[number].step()
        for a, b in zip(together, alone, strict=True):
            for value, expected in zip(
                a.param_groups[0]["params"], b.param_groups[0]["params"], strict=True
            ):
                assert torch.equal(value, expected)
