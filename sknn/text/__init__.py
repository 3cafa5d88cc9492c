"""Texts as sequences of integer tokens, for estimators with an embedding layer, and word vectors.

:class:`Tokenizer` needs neither torch nor skorch.
"""

from typing import TYPE_CHECKING, Any

from ._tokenizer import Tokenizer
from ._tokens import Tokens

if TYPE_CHECKING:
    from ._word_embedding import WordEmbedding

__all__ = ["Tokenizer", "Tokens", "WordEmbedding"]


def __getattr__(name: str) -> Any:
    """Import word vectors, which bring torch with them, when they are asked for."""
    if name == "WordEmbedding":
        from ._word_embedding import WordEmbedding

        return WordEmbedding
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
