"""Groups that stand for labels where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import sknn
from sknn.generative import AdversarialGenerator
from sknn.nn.adversarial import Groups

SMALL = {"max_iter": 1, "random_state": 0}


def squares(n: int) -> np.ndarray:
    """Return images (n, 8, 8) of bytes: a fourth has a bright corner, the others another one."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 30, (n, 8, 8)).astype(np.uint8)
    X[::4, :4, :4] += 200
    for first in (1, 2, 3):
        X[first::4, 4:, 4:] += 200
    return X


def test_a_group_is_the_nearest_centre_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 12)).astype(np.float32)
    X = rng.normal(size=(40, 3, 2, 2)).astype(np.float32)
    groups = Groups(centres, np.full(5, 0.2))
    distances = np.linalg.norm(X.reshape(40, 1, 12) - centres, axis=2)
    assert_array_equal(groups(torch.from_numpy(X)), distances.argmin(1))


def test_samples_come_as_often_as_the_groups_of_the_rows() -> None:
    X = squares(400)
    gan = AdversarialGenerator(n_clusters=2, **SMALL).fit(X)
    groups = gan.module_.groups
    assert_allclose(np.sort(groups.shares.numpy()), [0.25, 0.75])
    drawn = groups.draw(4000, np.random.RandomState(0))
    assert_allclose(np.bincount(drawn) / 4000, groups.shares.numpy(), atol=0.03)
    assert gan.sample(3, random_state=0).shape == (3, 8, 8)
    assert gan.discriminate(X).shape == (400,)
    assert not hasattr(gan, "classes_")
    with pytest.raises(ValueError, match="fitted without labels"):
        gan.sample(2, y=1)


def test_rows_of_weight_zero_belong_to_no_group() -> None:
    X = squares(400)
    weights = (np.arange(400) % 4 != 0).astype(float)
    with_weights = AdversarialGenerator(n_clusters=2, **SMALL).fit(X, sample_weight=weights)
    without = AdversarialGenerator(n_clusters=2, **SMALL).fit(X[weights > 0])
    assert_allclose(with_weights.module_.groups.centres, without.module_.groups.centres, atol=1e-6)


def test_automatic_groups_are_of_many_images_without_labels() -> None:
    X = squares(600)
    assert len(AdversarialGenerator(**SMALL).fit(X).module_.groups) == 3
    labels = np.arange(600) % 4 == 0
    for gan in (
        AdversarialGenerator(**SMALL).fit(X[:300]),
        AdversarialGenerator(**SMALL).fit(X, labels),
        AdversarialGenerator(**SMALL).fit(X.reshape(600, -1)),
        AdversarialGenerator(architecture="dense", **SMALL).fit(X),
        AdversarialGenerator(generator=(4,), discriminator=(4,), **SMALL).fit(X),
        AdversarialGenerator(n_clusters=None, **SMALL).fit(X),
    ):
        assert gan.module_.groups is None


def test_vectors_may_have_groups_too() -> None:
    X = np.random.default_rng(0).normal(size=(100, 2)) + 20 * (np.arange(100) % 2)[:, None]
    gan = AdversarialGenerator(n_clusters=2, **SMALL).fit(X)
    assert_allclose(gan.module_.groups.shares, [0.5, 0.5])
    assert gan.sample(5).shape == (5, 2)


def test_more_groups_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="n_clusters=9 is larger than the number of rows, 8"):
        AdversarialGenerator(n_clusters=9).fit(squares(8))


def test_groups_go_into_files(tmp_path: Path) -> None:
    gan = AdversarialGenerator(n_clusters=2, **SMALL).fit(squares(200))
    sknn.save(gan, tmp_path / "gan.sknn")
    loaded = sknn.load(tmp_path / "gan.sknn")
    assert_array_equal(loaded.sample(6, random_state=0), gan.sample(6, random_state=0))


def test_a_fit_with_groups_is_reproducible_and_goes_on() -> None:
    X = squares(400)
    one, other = (AdversarialGenerator(n_clusters=2, **SMALL).fit(X) for _ in range(2))
    assert_array_equal(one.sample(5, random_state=0), other.sample(5, random_state=0))
    centres = one.module_.groups.centres.clone()
    one.partial_fit(X[:100])
    assert_array_equal(one.module_.groups.centres, centres)
