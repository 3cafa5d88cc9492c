"""Estimators and the state of their training in files that hold data and no code."""

from ._atomic import atomic_write, naming, remove_leftovers
from ._encoding import digest
from ._files import ModelFileError
from ._models import FileInfo, file_info, load, save
from ._parts import StoredFile, UntrustedError, read_parts, write_parts
from ._portable import Portable, portable_state

__all__ = [
    "FileInfo",
    "ModelFileError",
    "Portable",
    "StoredFile",
    "UntrustedError",
    "atomic_write",
    "digest",
    "file_info",
    "load",
    "naming",
    "portable_state",
    "read_parts",
    "remove_leftovers",
    "save",
    "write_parts",
]
