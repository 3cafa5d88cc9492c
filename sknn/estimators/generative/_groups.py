"""Groups of rows without labels, by which both networks are told rows apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans

from sknn.estimators._scaled_format import ScaledFormat
from sknn.nn.adversarial import Groups

# Rows that groups are found in, and what "auto" makes of images.
MOST_ROWS, MOST_GROUPS, ROWS_A_GROUP = 20_000, 50, 200


def automatic_groups(n_rows: int) -> int:
    """Return the number of groups of so many images; 0 where there are too few for two."""
    n_groups = min(MOST_GROUPS, n_rows // ROWS_A_GROUP)
    return n_groups if n_groups > 1 else 0


def find_groups(
    X: Any,
    sample_weight: np.ndarray | None,
    format_: ScaledFormat,
    n_groups: int,
    random_state: np.random.RandomState,
) -> Groups:
    """Return groups of the rows that count, found by k-means as networks see rows."""
    counted = np.arange(len(X)) if sample_weight is None else np.flatnonzero(sample_weight)
    if n_groups > len(counted):
        raise ValueError(
            f"n_clusters={n_groups} is larger than the number of rows, {len(counted)}."
        )
    if len(counted) > MOST_ROWS:
        counted = np.sort(random_state.choice(counted, MOST_ROWS, replace=False))
    weights = None if sample_weight is None else sample_weight[counted]
    rows = format_.rows(X, torch.device("cpu"), torch.float32, None)  # type: ignore[arg-type]
    seen = rows.take(torch.from_numpy(counted)).flatten(1).numpy()  # type: ignore[union-attr]
    clusters = MiniBatchKMeans(n_groups, batch_size=4096, n_init=3, random_state=random_state)
    found = clusters.fit_predict(seen, sample_weight=weights)
    shares = np.bincount(found, weights, minlength=n_groups)
    return Groups(clusters.cluster_centers_.astype(np.float32), shares / shares.sum())
