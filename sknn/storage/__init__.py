"""Estimators and the state of their training in files that hold data and no code."""

from ._atomic import atomic_write, naming, remove_leftovers
from ._encoding import digest, stored_attributes
from ._files import ModelFileError
from ._known import name_of, public_name
from ._parts import FileInfo, StoredFile, UntrustedError, read_parts, write_parts
from ._portable import Portable, portable_state
from ._schema import CALLBACK_CONTEXTS
from ._trust import Trusted
