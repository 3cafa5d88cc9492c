"""A map of words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sknn._validation import POSITIVE_INTEGER, validated

from ._axes import given_axes, new_axes

# Of t-SNE: neighbours that count, at most, and at most this share of the words.
PERPLEXITY, SHARE = 30.0, 1 / 3

FEWEST_WORDS = 3


@validated(
    {
        "chosen": ["array-like", Mapping, POSITIVE_INTEGER],
        "projection": [StrOptions({"tsne", "pca"})],
        "random_state": ["random_state"],
    }
)
def plot_words(
    words: Any,
    chosen: Iterable[str] | Mapping[str, Iterable[str]] | int = 100,
    *,
    projection: str = "tsne",
    random_state: Any = 0,
    axes: Any = None,
) -> np.ndarray:
    """Show a map of words, on which those with similar vectors are near each other.

    Parameters
    ----------
    words : WordEmbedding
        Fitted word vectors.
    chosen : list of str, dict of str to list of str, or int, default=100
        Words to show; groups of them by name, each of which has a colour; or how many of the most
        frequent ones.
    projection : {"tsne", "pca"}, default="tsne"
        What makes two dimensions of the vectors, all brought to length 1:
        :class:`~sklearn.manifold.TSNE`, which keeps neighbours together, or
        :class:`~sklearn.decomposition.PCA`, which keeps directions.
    random_state : int, RandomState instance or None, default=0
        Of the projection.
    axes : Axes, default=None
        Where to draw. None makes a figure.

    Returns
    -------
    ndarray of shape (1,)
        The Axes.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If a word is not in the vocabulary, or there are fewer than three.
    sklearn.exceptions.NotFittedError
        If the word vectors are not fitted.

    Examples
    --------
    >>> from sknn.inspection import plot_words
    >>> from sknn.text import WordEmbedding
    >>> texts = ["red wine and white wine", "white bread and brown bread"] * 100
    >>> words = WordEmbedding(vector_size=8, min_count=1, random_state=0).fit(texts)
    >>> groups = {"food": ["wine", "bread"], "colours": ["red", "white", "brown"]}
    >>> (axes,) = plot_words(words, groups, projection="pca")
    >>> [text.get_text() for text in axes.texts]
    ['wine', 'bread', 'red', 'white', 'brown']
    """
    check_is_fitted(words, "vectors_")
    if isinstance(chosen, int | np.integer):
        names = list(words.vocabulary_)[1 : int(chosen) + 1]
        groups = {"": names}
    elif isinstance(chosen, Mapping):
        groups = {str(name): list(group) for name, group in chosen.items()}
    else:
        groups = {"": list(chosen)}
    shown = [word for group in groups.values() for word in group]
    if len(shown) < FEWEST_WORDS:
        raise ValueError(f"A map needs at least {FEWEST_WORDS} words; chosen has {len(shown)}.")
    vectors = np.array([words.vector(word) for word in shown])
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    places = _project(vectors, projection, random_state)
    (ax,) = new_axes(1, 1, (9.0, 7.0)) if axes is None else given_axes(axes, 1)
    start = 0
    for number, (name, group) in enumerate(groups.items()):
        here = places[start : start + len(group)]
        start += len(group)
        ax.scatter(*here.T, s=12, color=f"C{number}", label=name or None)
        for word, place in zip(group, here, strict=True):
            ax.annotate(word, place, xytext=(3, 2), textcoords="offset points", fontsize=8)
    ax.set(xticks=[], yticks=[])  # distances have no unit
    if any(groups):
        ax.legend()
    return np.array([ax], dtype=object)


def _project(vectors: np.ndarray, projection: str, random_state: Any) -> np.ndarray:
    """Return two dimensions (n, 2) of vectors (n, size)."""
    size = min(vectors.shape)
    if projection == "pca" or size < 2:
        places = PCA(min(2, size), random_state=random_state).fit_transform(vectors)
        return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    perplexity = min(PERPLEXITY, SHARE * (len(vectors) - 1))
    return TSNE(perplexity=perplexity, random_state=random_state).fit_transform(vectors)
