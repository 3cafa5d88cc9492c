"""What is found of the samples of a fit when its network has been trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sknn.data import Inputs, Samples
from sknn.training import Training, rows_at_once


def samples_of_fit(training: Training) -> list[Samples]:
    """Return the samples of X: those that were learned from, and those that were held out."""
    held_out = training.validation
    # validation data that were given are no part of X
    return [training.train] + ([] if held_out is None or held_out.subset is None else [held_out])


def measured(
    estimator: Any, training: Training, parts: list[Samples], measure: Callable[[Inputs], Tensor]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what `measure` finds of the samples that count, (n, ...), and their weights."""
    device, n_rows = training.train.device, sum(map(len, parts))
    chunk = rows_at_once(estimator._work.layer_size, device, training=True)
    threads = estimator._prediction_threads(n_rows, device)
    with estimator._own_defaults(), torch.inference_mode(), threads, training.predicting():
        found = np.concatenate(
            [measure(batch.X).cpu().numpy() for part in parts for batch in part.batches(chunk)]
        )
    weights = [each.row_weight for each in parts if each.row_weight is not None]
    if not weights:
        return found, None
    weight = np.concatenate(weights)
    return found[weight > 0], weight[weight > 0]
