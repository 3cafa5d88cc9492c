"""What training goes on from."""

import numpy as np
import torch
from numpy.testing import assert_array_equal

from sknn.training import TrainingState
from sknn.training._training import EpochSums

CPU = torch.device("cpu")


def test_sums_go_on_with_the_seconds_that_an_epoch_has_taken() -> None:
    sums = EpochSums(np.arange(3), 2, 5, torch.tensor(1.5), 2.5, torch.tensor([1, 0]))
    sums.begun -= 100
    again = EpochSums.from_data(sums.as_data(), CPU)
    assert 100 <= again.seconds < 101
    for name in ("n_batches", "n_answers", "loss_sum", "weight_sum"):
        assert getattr(again, name) == getattr(sums, name)
    assert again.order is not None
    assert_array_equal(again.order, [0, 1, 2])
    assert again.decisions is not None
    assert again.decisions.tolist() == [1, 0]


def test_a_state_takes_over_all_but_what_is_put_back_elsewhere() -> None:
    other = TrainingState(np.random.RandomState(1), n_samples_seen=7, n_steps=3, learning_rate=0.5)
    other.history.append({"epoch": 1})
    other.best = [torch.ones(2)]
    mine = TrainingState(np.random.RandomState(0), solver="adam")
    random_state, history = mine.random_state, mine.history
    mine.take_over(other, CPU)
    assert mine.random_state is random_state
    assert random_state.randint(2**31) == np.random.RandomState(1).randint(2**31)
    assert mine.history is history
    assert list(history) == [{"epoch": 1}]
    assert (mine.n_samples_seen, mine.n_steps, mine.learning_rate) == (7, 3, 0.5)
    assert mine.best is not None
    assert torch.equal(mine.best[0], torch.ones(2))
    assert mine.solver == "adam"
