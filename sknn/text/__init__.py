"""Texts as sequences of integer tokens, for estimators with an embedding layer, and back.

This module needs neither torch nor skorch.
"""

from ._tokenizer import Tokenizer
from ._tokens import Tokens

__all__ = ["Tokenizer", "Tokens"]
