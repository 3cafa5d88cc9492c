"""What skorch's callbacks see; what they can do is in test_loop.py."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback, Freezer, LoadInitState, TrainEndCheckpoint

from sknn.training import PrintEpochs, train
from sknn.training._skorch import Net, SkorchCallbacks, freeze_parameters
from sknn.training._steps import AutogradBackprop
from tests.training.helpers import make, make_samples

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
y = X[:, :1] - X[:, 1:2] ** 2


def test_without_callbacks_there_is_no_net() -> None:
    assert make(X, y).listeners == ()
    ours = PrintEpochs("R2")
    assert make(X, y, options={"listeners": [ours]}).listeners == [ours]
    first, second = make(X, y, options={"listeners": [ours], "callbacks": [Callback()]}).listeners
    assert isinstance(first, SkorchCallbacks)
    assert second is ours


class Sees(Callback):
    net: Any = None

    def on_epoch_end(self, net: Any, **data: Any) -> None:
        self.net, self.data = net, data


def test_the_net_is_what_the_training_is() -> None:
    sees = Sees()
    training = make(X, y, validation=make_samples(X[:7], y[:7]), options={"callbacks": [sees]})
    train(training)
    net = sees.net
    assert isinstance(net, Net)
    assert net.module_ is training.module
    assert net.optimizer_ is training.step.optimizer
    assert net.history is training.state.history
    assert (net.max_epochs, net.batch_size, net.lr) == (5, 10, 0.05)
    assert net.n_epochs_run == 5
    assert_array_equal(sees.data["dataset_train"].X, X)
    assert_array_equal(sees.data["dataset_valid"].y, y[:7])


def test_a_callback_may_stop_the_training() -> None:
    class Stops(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            net.stop_training = len(net.history) == 2

    training = make(X, y, options={"callbacks": [Stops()]})
    train(training)
    assert training.n_epochs_run == 2


@pytest.mark.parametrize("named", [False, True])
def test_callbacks_that_freeze_need_autograd(named: bool) -> None:
    freezer = Freezer("layers.0.weight")
    callbacks = [("freezer", freezer) if named else freezer]
    assert freeze_parameters(callbacks)
    training = make(X, y, options={"callbacks": callbacks})
    assert isinstance(training.step.backprop, AutogradBackprop)  # type: ignore[attr-defined]
    before = training.module.layers[0].weight.detach().clone()  # type: ignore[index, union-attr]
    train(training)
    assert_array_equal(training.module.layers[0].weight.detach(), before)  # type: ignore[index, union-attr]


def test_a_training_begins_with_the_history_that_is_loaded(tmp_path: Any) -> None:
    checkpoint = TrainEndCheckpoint(dirname=str(tmp_path))
    train(make(X, y, options={"callbacks": [checkpoint]}))
    training = make(X, y, options={"callbacks": [LoadInitState(checkpoint)]})
    train(training)
    assert [row["epoch"] for row in training.state.history] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert training.n_epochs_run == 5
