"""Files of several parts, each of which can be read by itself."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
import sklearn
import torch
from torch import Tensor

from ._decoding import Decoder, Trusted
from ._encoding import Encoder
from ._files import ModelFileError, read_file, write_file


class UntrustedError(ModelFileError):
    """A file needs classes or functions that the reader has not said to trust."""


@cache
def versions() -> dict[str, str]:
    """Return the versions of what writes and reads files.

    Returns
    -------
    dict of str to str
    """
    from sknn import __version__

    return {
        "sknn": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "skorch": metadata.version("skorch"),
        "torch": torch.__version__,
    }


def write_parts(path: str | os.PathLike[str], parts: Mapping[str, Any], *, kind: str) -> None:
    """Write values to one file, as a whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        The file, which is replaced if it exists.
    parts : dict of str to object
        Estimators, and plain values with arrays, tensors and generators in them. What occurs in
        several parts is stored once.
    kind : str
        What the file is.

    Raises
    ------
    OSError
        If the file cannot be written; it names the path, and the previous file is intact.
    TypeError
        If something cannot be stored; it says what and where.
    """
    encoder = Encoder()
    nodes = {name: encoder.encode(name, value) for name, value in parts.items()}
    document = {
        "kind": kind,
        "versions": versions(),
        "parts": nodes,
        "objects": encoder.objects,
    }
    write_file(path, document, encoder.tensors)


def read_parts(path: str | os.PathLike[str]) -> StoredFile:
    """Read and verify a file, and decode nothing yet.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    StoredFile

    Raises
    ------
    OSError
        If the file cannot be read.
    ModelFileError
        If it is another kind of file, of a newer format, cut off or altered.
    """
    return StoredFile(os.fspath(path), *read_file(path))


class StoredFile:
    """A verified file.

    Parameters
    ----------
    name : str
        Its path.
    document : dict
        Its document.
    tensors : dict of str to Tensor
        Its tensors.

    Attributes
    ----------
    kind : str
        What the file is.
    versions : dict of str to str
        Of the packages that have written it.
    names : list of str
        Its parts.
    """

    def __init__(self, name: str, document: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.name = name
        self._tensors = tensors
        try:
            self.kind: str = document["kind"]
            self.versions: dict[str, str] = dict(document["versions"])
            self.names = list(document["parts"])
            self._parts = document["parts"]
            self._objects = document["objects"]
        except (KeyError, TypeError, ValueError) as error:
            raise self._contradiction(error) from error

    def untrusted(self, part: str) -> list[str]:
        """Return the names in a part for which trust is needed.

        Parameters
        ----------
        part : str
            The part.

        Returns
        -------
        list of str
        """
        decoder = Decoder(self._objects, self._tensors, trusted=None)
        return self._guard(lambda: decoder.untrusted(self._parts[part]))

    def decode(
        self,
        part: str,
        *,
        trusted: Trusted = None,
        on_object: Callable[[type, dict[str, Any]], None] | None = None,
    ) -> Any:
        """Return the value of a part.

        Parameters
        ----------
        part : str
            The part.
        trusted : iterable of str, type or function, or None, default=None
            What of the user's may be used.
        on_object : callable or None, default=None
            Called with each object's class and attributes before the object gets them.

        Returns
        -------
        object

        Raises
        ------
        UntrustedError
            If more than that is needed.
        ModelFileError
            If the file contradicts itself.
        """
        decoder = Decoder(self._objects, self._tensors, trusted, on_object)
        names = self._guard(lambda: decoder.untrusted(self._parts[part]))
        if names:
            raise UntrustedError(
                f"{self.name} needs {', '.join(names)}. These can run any code; if you know them, "
                f"load it with trusted={names!r}."
            )
        return self._guard(lambda: decoder.decode(self._parts[part]))

    def _guard(self, action: Callable[[], Any]) -> Any:
        """Do something with the content, whatever that is."""
        try:
            return action()
        except ImportError as error:
            raise ModelFileError(f"{self.name}: {error}.") from error
        except (Exception, RecursionError) as error:
            raise self._contradiction(error) from error

    def _contradiction(self, error: Exception) -> ModelFileError:
        reason = f"{type(error).__name__}: {error}"
        return ModelFileError(
            f"{self.name} cannot be loaded: its content is not what sknn.save writes, or what the "
            f"installed versions of the packages take ({reason})."
        )
