"""Raw texts where tokens are expected: what to write instead."""

from __future__ import annotations

from typing import Any

import numpy as np


def refuse_texts(X: Any, series: list[Any] | None, estimator: Any) -> None:
    """Refuse X of texts, or of lists of words, with the lines that make tokens of them."""
    if not (_are_words(series[0]) if series else _is_table_of_words(X)):
        return
    name = type(estimator).__name__
    if "embedding_size" not in estimator.get_params(deep=False):
        raise ValueError(
            f"X holds texts, but {name} is for series of numbers. RecurrentClassifier, "
            "AttentionClassifier and their regressors take the tokens of sknn.text.Tokenizer."
        )
    is_table = len(getattr(X, "shape", ())) == 2
    column = " and pass it the column of texts, not a table" if is_table else ""
    raise ValueError(
        f"X holds texts, but {name} takes tokens. Put a tokenizer before it{column}:\n"
        "    from sknn.text import Tokenizer\n"
        f"    model = make_pipeline(Tokenizer(), {name}(...))"
    )


def _are_words(value: Any) -> bool:
    """Say whether a value is a text, or a sequence of words."""
    if isinstance(value, str):
        return True
    if isinstance(value, np.ndarray) and value.dtype.kind not in "OUT":
        return False
    is_sequence = isinstance(value, list | tuple | np.ndarray) and np.ndim(value) == 1
    return is_sequence and len(value) > 0 and all(_is_word(each) for each in value)


def _is_table_of_words(X: Any) -> bool:
    """Say whether the first row of an array or a table is words; texts of numbers are numbers."""
    row = X.head(1) if hasattr(X, "head") else X[:1] if isinstance(X, list | np.ndarray) else []
    if isinstance(row, np.ndarray) and row.dtype.kind not in "OUT":
        return False
    cells = np.asarray(row, dtype=object).ravel()
    return len(cells) > 0 and all(_is_word(each) for each in cells)


def _is_word(value: Any) -> bool:
    """Say whether a value is a str that is no number."""
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False
