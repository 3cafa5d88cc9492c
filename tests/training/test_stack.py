"""The stack; that its networks are those trained alone is in tests/estimators/test_together.py."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from sknn import NeuralClassifier, NeuralRegressor
from sknn.estimators._checks import FitArguments
from sknn.estimators._fit import prepare
from sknn.training import Interrupted, Training, stack_key, train_stack
from tests.helpers import assert_equal_up_to_rounding

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
y = X[:, 0] - X[:, 1] ** 2
labels = (y > 0).astype(int)


def make_training(n_rows: int = 60, kind: Any = NeuralRegressor, **parameters: Any) -> Training:
    estimator = kind(hidden_layer_sizes=(5,), max_iter=4, random_state=0, **parameters)
    targets = y if kind is NeuralRegressor else labels
    return prepare(estimator, FitArguments(X[:n_rows], targets[:n_rows])).training


@pytest.mark.parametrize(
    ("first", "second", "are_equal"),
    [
        ({}, {"alpha": 1.0, "solver": "sgd", "dropout": 0.5}, True),
        ({}, {"n_rows": 50}, True),
        ({"loss": "quantile", "quantile": 0.1}, {"loss": "quantile", "quantile": 0.9}, True),
        # one batch an epoch, whatever its size
        ({"batch_size": 60}, {"batch_size": "all"}, True),
        ({"batch_size": 20}, {"batch_size": 20, "n_rows": 59}, True),
        ({"batch_size": 20}, {"batch_size": 20, "n_rows": 20}, False),
        ({"batch_size": 20}, {"batch_size": 30}, False),
        ({"loss": "huber"}, {}, False),
        ({"precision": "float32"}, {}, False),
        ({"activation": "tanh"}, {}, False),
        ({"kind": NeuralClassifier}, {}, False),
    ],
)
def test_keys(first: dict[str, Any], second: dict[str, Any], are_equal: bool) -> None:
    keys = [stack_key(make_training(**parameters)) for parameters in (first, second)]
    assert None not in keys
    assert (keys[0] == keys[1]) is are_equal


@pytest.mark.parametrize(
    "parameters",
    [
        {"normalization": "batch"},
        {"activation": "gelu"},
        {"solver": "lbfgs"},
        {"precision": "bfloat16"},
        {"loss": lambda outputs, targets: (outputs - targets).abs()},
        {"module": torch.nn.Linear(4, 1)},
    ],
)
def test_what_can_only_be_trained_alone_has_no_key(parameters: dict[str, Any]) -> None:
    assert stack_key(make_training(**parameters)) is None


def test_finished_networks_leave_the_stack_first() -> None:
    trainings = [make_training(), make_training(), make_training()]
    trainings[1].settings = replace(trainings[1].settings, max_epochs=2)
    done: list[Training] = []
    train_stack(trainings, on_done=done.append)
    assert done[0] is trainings[1]
    assert [training.n_epochs_run for training in trainings] == [4, 2, 4]
    assert all(training.seconds > 0 for training in trainings)
    assert not any(training.module.training for training in trainings)


def test_a_stack_that_is_stopped_leaves_whole_epochs() -> None:
    trainings = [make_training(), make_training(alpha=1.0)]
    answers = iter([False, True])
    with pytest.raises(Interrupted):
        train_stack(trainings, should_stop=lambda: next(answers))
    for training in trainings:
        assert training.n_epochs_run == len(training.state.history) == 2
        storage = training.step.parameters[0].untyped_storage()
        assert storage.nbytes() == 8 * training.step.parameters[0].numel()


def test_training_goes_on_in_another_stack() -> None:
    alone = NeuralRegressor(hidden_layer_sizes=(5,), max_iter=4, random_state=0, batch_size=20)
    alone.fit(X, y)
    trainings = [make_training(batch_size=20), make_training(batch_size=20, alpha=1.0)]
    for n_epochs in (2, 4):
        for training in trainings:
            training.settings = replace(training.settings, max_epochs=n_epochs)
            training.stop_training = False
        train_stack(trainings)
    weights = trainings[0].module.linear_layers[0].weight
    assert_equal_up_to_rounding(weights.detach().numpy().T, alone.coefs_[0])
