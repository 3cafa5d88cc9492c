"""Maps of words."""

import sys
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sknn.inspection import plot_words
from sknn.text import WordEmbedding

NAMES = ["cat", "dog", "cow", "car", "bus", "van", "tram"]


@pytest.fixture
def words() -> WordEmbedding:
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(5)[:2], [3, 4], axis=0)
    vectors = 10 * centers + rng.normal(size=(7, 5))
    return WordEmbedding._of(NAMES, vectors.astype(np.float32), None)


def dots(ax: Any) -> np.ndarray:
    return np.concatenate([each.get_offsets() for each in ax.collections])


def test_a_map_by_principal_components(words: WordEmbedding) -> None:
    pytest.importorskip("matplotlib")
    (ax,) = plot_words(words, NAMES, projection="pca")
    vectors = words.vectors_[1:]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert_allclose(dots(ax), PCA(2).fit_transform(unit), atol=1e-5)
    assert [text.get_text() for text in ax.texts] == NAMES
    assert_allclose([text.xy for text in ax.texts], dots(ax), atol=1e-6)
    assert ax.get_legend() is None


def test_neighbours_stay_together(words: WordEmbedding) -> None:
    pytest.importorskip("matplotlib")
    (ax,) = plot_words(words, 7)
    places = dots(ax)
    distances = np.linalg.norm(places[:, None] - places, axis=2) + np.diag([np.inf] * 7)
    assert ((distances.argmin(1) < 3) == (np.arange(7) < 3)).all()


def test_groups_have_colours(words: WordEmbedding) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    _, mine = pyplot.subplots()
    groups = {"animals": ["Cat", "dog"], "traffic": ["bus"]}
    (ax,) = plot_words(words, groups, projection="pca", axes=mine)
    assert ax is mine
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["animals", "traffic"]
    first, second = (each.get_facecolor()[0].tolist() for each in ax.collections)
    assert first != second


def test_what_cannot_be_drawn(words: WordEmbedding, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="no word 'zebra'"):
        plot_words(words, ["cat", "dog", "zebra"])
    with pytest.raises(ValueError, match="at least 3 words; chosen has 2"):
        plot_words(words, ["cat", "dog"])
    with pytest.raises(ValueError, match="'projection' parameter"):
        plot_words(words, projection="umap")
    with pytest.raises(NotFittedError):
        plot_words(WordEmbedding())
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"matplotlib.*pip install 'sknn\[plot\]'"):
        plot_words(words, NAMES, projection="pca")
