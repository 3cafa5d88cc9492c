"""What skorch's callbacks remember."""

from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, LRScheduler, ProgressBar
from torch import nn

from sknn.training.checkpoints._callback_state import (
    callback_parameters,
    callback_state,
    restore_callback,
    stateful,
)


class Remembers(Callback):
    def __init__(self, limit: int = 2, data: Any = None, log: Any = None) -> None:
        self.limit, self.data, self.log = limit, data, log


def test_the_state_of_a_callback_is_its_plain_attributes() -> None:
    callback = Remembers(3, np.zeros(5), ["first"])
    callback.seen_ = {1, 2}
    callback.best_ = OrderedDict(weight=torch.ones(2))
    callback.function_ = len
    callback.average_ = nn.Linear(1, 1)
    state = callback_state(callback)
    assert set(state["attributes"]) == {"limit", "log", "seen_", "best_"}  # no array, no function
    assert type(state["attributes"]["best_"]) is dict
    assert set(state["parts"]) == {"average_"}
    other = Remembers(3, np.zeros(5), [])
    other.average_ = nn.Linear(1, 1)
    restore_callback(other, state)
    assert other.seen_ == {1, 2}
    assert other.log == ["first"]
    assert torch.equal(other.average_.weight, callback.average_.weight)


def test_early_stopping_keeps_the_best_weights_though_its_pickle_does_not() -> None:
    callback = EarlyStopping(load_best=True)
    callback.best_model_weights_ = OrderedDict(weight=torch.ones(2))
    assert torch.equal(
        callback_state(callback)["attributes"]["best_model_weights_"]["weight"], torch.ones(2)
    )


def test_milestones_stay_a_counter() -> None:
    def scheduler(steps: int) -> Any:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        callback = LRScheduler("MultiStepLR", milestones=[2, 4]).initialize()
        callback.lr_scheduler_ = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
        for _ in range(steps):
            optimizer.step()
            callback.lr_scheduler_.step()
        return callback

    new = scheduler(0)
    restore_callback(new, callback_state(scheduler(3)))
    assert type(new.lr_scheduler_.milestones) is Counter
    assert new.lr_scheduler_.last_epoch == 3


def test_only_callbacks_that_do_more_than_report_are_looked_at() -> None:
    callback = Remembers()
    named = ("mine", callback)
    assert stateful([EpochTimer(), named, ProgressBar()]) == [callback]
    assert callback_parameters(Remembers(4)) == {"limit": 4, "data": None, "log": None}
    scheduler = LRScheduler("StepLR", step_size=3)
    assert callback_parameters(scheduler)["step_size"] == 3
