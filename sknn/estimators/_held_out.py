"""What an ensemble's networks answer to rows that they have not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sknn.nn import Loss, average_outputs
from sknn.training import Training, held_out_outputs

from ._folds import Fold


class HeldOut(NamedTuple):
    """Outputs (n, n_outputs) of some networks for the same rows, each by one of them.

    NaN stands for rows that none has held out. Targets (n, ...) are as the loss takes them, weights
    (n,) may be None.
    """

    networks: list[int]  # their numbers
    outputs: Tensor
    targets: Tensor
    sample_weight: np.ndarray | None

    @property
    def is_known(self) -> Tensor:
        """Return which rows (n,) have outputs."""
        return ~self.outputs.isnan().any(1)

    def known(self) -> HeldOut:
        """Return the rows that have outputs, on the CPU."""
        known = self.is_known.cpu()
        weight = self.sample_weight
        return HeldOut(
            self.networks,
            self.outputs.cpu()[known],
            self.targets.cpu()[known],
            None if weight is None else weight[known.numpy()],
        )

    def mean_loss(self, loss: Loss, outputs: Tensor) -> float:
        """Return the mean loss of outputs for these rows."""
        known = self.is_known
        losses = loss(outputs[known], self.targets[known])
        if self.sample_weight is None:
            return float(losses.mean())
        weight = torch.from_numpy(self.sample_weight).to(losses)[known]
        return float((losses * weight).sum() / weight.sum())


def rounds_of_folds(trainings: Sequence[Training], folds: Sequence[Fold]) -> list[HeldOut]:
    """Return an answer to each row for each set of networks that have held out all folds."""
    waiting: dict[tuple[int, int], list[list[int]]] = {}
    for number, fold in enumerate(folds):
        n_folds = int(fold.n_folds)
        queues = waiting.setdefault((n_folds, fold.seed), [[] for _ in range(n_folds)])
        queues[fold.number].append(number)
    complete = [list(networks) for queues in waiting.values() for networks in zip(*queues)]  # noqa: B905
    return [_join([trainings[i] for i in networks], networks) for networks in complete]


def _join(trainings: Sequence[Training], networks: list[int]) -> HeldOut:
    targets, sample_weight = trainings[0].train.all_answers()
    joined: Tensor | None = None
    for training in trainings:
        outputs = held_out_outputs(training)
        if joined is None:
            joined = outputs.new_full((len(targets), outputs.shape[1]), torch.nan)
        samples = training.validation
        assert samples is not None and samples.subset is not None
        joined[torch.from_numpy(samples.subset).to(joined.device)] = outputs
    assert joined is not None
    return HeldOut(networks, joined, targets, sample_weight)


def answers_of_each(trainings: Sequence[Training]) -> list[HeldOut]:
    """Return the answers of networks that have all held out the same rows."""
    found = []
    for number, training in enumerate(trainings):
        assert training.validation is not None
        targets, weights = training.validation.answers()
        weight = None if weights is None else weights.cpu().numpy()
        found.append(HeldOut([number], held_out_outputs(training), targets, weight))
    return found


def select_greedily(candidates: Sequence[HeldOut], loss: Loss, most: int) -> list[int]:
    """Return the numbers of the candidates whose average has the least loss, at most so many.

    One after the other is taken, that which lowers the loss of the average most (Caruana et al.,
    2004, without replacement).
    """
    chosen: list[int] = []
    least = np.inf
    while len(chosen) < min(most, len(candidates)):
        losses = {}
        for i in range(len(candidates)):
            if i not in chosen:
                together = torch.stack([candidates[j].outputs for j in [*chosen, i]])
                average = average_outputs(together, loss.out_activation)
                losses[i] = candidates[0].mean_loss(loss, average)
        best = min(losses, key=losses.__getitem__)
        if not losses[best] < least:
            break
        least = losses[best]
        chosen.append(best)
    return chosen or [0]
