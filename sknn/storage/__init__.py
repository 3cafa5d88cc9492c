"""Estimators and the state of their training in files that hold data and no code."""

from ._atomic import atomic_write, naming, remove_leftovers
from ._decoding import Trusted
from ._encoding import digest
from ._files import ModelFileError
from ._parts import StoredFile, UntrustedError, read_parts, write_parts
from ._portable import Portable, portable_state

__all__ = [
    "ModelFileError",
    "Portable",
    "StoredFile",
    "Trusted",
    "UntrustedError",
    "atomic_write",
    "digest",
    "naming",
    "portable_state",
    "read_parts",
    "remove_leftovers",
    "write_parts",
]
