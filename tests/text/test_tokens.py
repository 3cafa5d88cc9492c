"""Tokens, which know how many there are, on their way through lists, arrays and files."""

import io
import pickle
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import train_test_split
from sklearn.utils import resample, shuffle

from sknn.text import Tokenizer, Tokens

TEXTS = ["to be or not", "be", "", "or not to be , that"]
X = Tokenizer().fit_transform(TEXTS)
N_TOKENS = 7  # to, be, or, not, the comma, that, and the unknown one


def through_joblib(X: Any) -> Any:
    file = io.BytesIO()
    joblib.dump(X, file)
    file.seek(0)
    return joblib.load(file)


WAYS: dict[str, Callable[[Any], Any]] = {
    "as they are": lambda X: X,
    "list": list,
    "selection": lambda X: X[[2, 0]],
    "mask": lambda X: X[np.array([True, False, True, False])],
    "split": lambda X: train_test_split(X, random_state=0)[1],
    "shuffled": lambda X: shuffle(X, random_state=0),
    "drawn": lambda X: resample(X, random_state=0),
    "joined": lambda X: np.concatenate([X, X[:1]]),
    "pandas": lambda X: pytest.importorskip("pandas").Series(X)[1:],
    "pickled": lambda X: pickle.loads(pickle.dumps(X)),
    "joblib": through_joblib,
    "copied": lambda X: [each.copy() for each in X],
    "cut": lambda X: [each[:2] for each in X],
}


@pytest.mark.parametrize("way", WAYS)
def test_the_number_of_tokens_is_kept(way: str) -> None:
    moved = list(WAYS[way](X))
    assert moved
    for each in moved:
        assert type(each) is Tokens
        assert (each.n_tokens, each.dtype) == (N_TOKENS, np.int64)
    if way in ("pickled", "joblib", "copied"):
        for each, before in zip(moved, X, strict=True):
            assert_array_equal(each, before)


def test_what_is_computed_of_tokens_is_plain() -> None:
    tokens = X[0]
    assert type(tokens + 1) is np.ndarray and type(tokens == 1) is np.ndarray
    assert type(tokens.max()) is np.int64 and type(tokens.sum()) is np.int64
    assert_array_equal(tokens + 1, np.asarray(tokens) + 1)


def test_the_tokens_of_several_texts_are_a_plain_array() -> None:
    assert type(np.concatenate([X[0], X[1]])) is np.ndarray
