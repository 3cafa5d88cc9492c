"""What networks answer to rows that they have not learned from, and the choice among them."""

import numpy as np
import pytest
import torch

from sknn.estimators._held_out import HeldOut, select_greedily
from sknn.nn import make_classification_loss, make_regression_loss

rng = np.random.default_rng(0)
N = 40
TARGETS = rng.normal(size=(N, 1))
# of different quality, the first of no use
OUTPUTS = [TARGETS * slope + rng.normal(scale=0.5, size=(N, 1)) for slope in (-1, 0.5, 1, 1.2, 1.5)]
WEIGHTS = rng.integers(0, 3, N).astype(float)


def candidates(
    outputs: list[np.ndarray], targets: np.ndarray, weights: np.ndarray | None
) -> list[HeldOut]:
    return [
        HeldOut([i], torch.from_numpy(each), torch.from_numpy(targets), weights)
        for i, each in enumerate(outputs)
    ]


def greedy(losses_of: object, n: int, most: int) -> list[int]:
    """Take one after the other, as long as the loss of the average falls."""
    chosen: list[int] = []
    least = np.inf
    while len(chosen) < most:
        left = [i for i in range(n) if i not in chosen]
        losses = [losses_of([*chosen, i]) for i in left]  # type: ignore[operator]
        if min(losses) >= least:
            break
        least = min(losses)
        chosen.append(left[int(np.argmin(losses))])
    return chosen


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("most", [1, 2, 5])
def test_values_are_chosen_greedily(most: int, weights: np.ndarray | None) -> None:
    def loss_of_average(chosen: list[int]) -> float:
        errors = (np.mean([OUTPUTS[i] for i in chosen], 0) - TARGETS) ** 2
        return float(np.average(errors[:, 0], weights=weights))

    loss = make_regression_loss("squared_error")
    chosen = select_greedily(candidates(OUTPUTS, TARGETS, weights), loss, most)
    assert chosen == greedy(loss_of_average, 5, most)
    assert 0 not in chosen


def test_probabilities_are_averaged_not_logits() -> None:
    labels = rng.integers(0, 3, N)
    logits = [3 * np.eye(3)[labels] + rng.normal(scale=s, size=(N, 3)) for s in (1.0, 2.0, 3.0, 9)]

    def loss_of_average(chosen: list[int]) -> float:
        e = np.exp([logits[i] for i in chosen])
        probabilities = (e / e.sum(2, keepdims=True)).mean(0)
        return float(-np.log(probabilities[np.arange(N), labels]).mean())

    loss = make_classification_loss("log_loss", "multiclass")
    chosen = select_greedily(candidates(logits, labels, None), loss, 4)
    assert chosen == greedy(loss_of_average, 4, 4)
    average = candidates(logits, labels, None)[0].mean_loss(loss, torch.from_numpy(logits[1]))
    assert average == pytest.approx(loss_of_average([1]))


def test_rows_that_nobody_held_out_do_not_count() -> None:
    outputs = OUTPUTS[2].copy()
    outputs[:30] = np.nan
    (held_out,) = candidates([outputs], TARGETS, WEIGHTS)
    loss = make_regression_loss("squared_error")
    expected = loss(torch.from_numpy(outputs[30:]), torch.from_numpy(TARGETS[30:])).numpy()
    assert held_out.is_known.sum() == 10
    assert held_out.mean_loss(loss, held_out.outputs) == pytest.approx(
        np.average(expected.ravel(), weights=WEIGHTS[30:])
    )
