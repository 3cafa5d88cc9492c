"""The tokens of a text, which know how many tokens there are."""

from __future__ import annotations

from typing import Any

import numpy as np


class Tokens(np.ndarray):
    """The ids of a text's tokens, (n,) of int64, as :class:`Tokenizer` makes them.

    An array like any other, with the number of ids that its tokenizer has. Slices, selections and
    copies keep it, in whatever list, array or Series they stand; results of arithmetic are plain
    arrays.

    Attributes
    ----------
    n_tokens : int
        Number of ids, which are 0 to ``n_tokens - 1``; 0 stands for unknown tokens.

    Examples
    --------
    >>> from sknn.text import Tokenizer
    >>> tokens = Tokenizer().fit_transform(["to be or not to be"])[0]
    >>> tokens
    Tokens([2, 1, 4, 3, 2, 1])
    >>> tokens.n_tokens, tokens[:3].n_tokens
    (5, 5)
    """

    n_tokens: int | None = None

    def __new__(cls, ids: np.ndarray, n_tokens: int) -> Tokens:
        """Return a view of ids (n,) of int64."""
        tokens = ids.view(cls)
        tokens.n_tokens = n_tokens
        return tokens

    def __array_finalize__(self, source: Any) -> None:
        """Take the number over to slices and copies."""
        if source is not None:
            self.n_tokens = getattr(source, "n_tokens", None)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """Return what was computed as a plain array or number."""
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the number too."""
        return _restore, (np.asarray(self), self.n_tokens)


def _restore(ids: np.ndarray, n_tokens: int) -> Tokens:
    return Tokens(ids, n_tokens)
