"""Files of several parts, each of which can be read by itself."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np
import sklearn
import torch
from torch import Tensor

from sknn._version import __version__

from ._checking import RefusedError
from ._decoding import Decoder, OnObject
from ._documents import DocumentChecker
from ._encoding import Encoder
from ._files import MAX_DEPTH, ModelFile, ModelFileError, is_deep, write_file
from ._tensors import infos_of
from ._third_party import Archives
from ._trust import Trust, Trusted, names_in

# Tensors of fewer bytes are read to tell an altered file from one that lies.
SMALL = 2**26


class UntrustedError(ModelFileError):
    """A file needs classes or functions that the reader has not said to trust."""


class FileInfo(NamedTuple):
    """What a file says about itself.

    Attributes
    ----------
    kind : str
        "model" or "checkpoint".
    versions : dict of str to str
        Versions of sknn and of other packages that have written it.
    untrusted : list of str
        Functions and classes that :func:`sknn.load` needs in `trusted`.
    """

    kind: str
    versions: dict[str, str]
    untrusted: list[str]


@cache
def versions() -> dict[str, str]:
    """Return the versions of what writes and reads files."""
    return {
        "sknn": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "skorch": metadata.version("skorch"),
        "torch": torch.__version__,
    }


def write_parts(path: str | os.PathLike[str], parts: Mapping[str, Any], *, kind: str) -> None:
    """Write estimators and plain values to one file, as a whole or not at all.

    What occurs in several parts is stored once.
    """
    encoder = Encoder()
    nodes = {name: encoder.encode(name, value) for name, value in parts.items()}
    _check_own(encoder, nodes)
    document = {"kind": kind, "versions": versions(), "parts": nodes, "objects": encoder.objects}
    if is_deep(document):
        raise ValueError(
            f"{os.fspath(path)}: what is to be saved is nested more than {MAX_DEPTH} levels deep."
        )
    write_file(path, document, encoder.tensors)


def _check_own(encoder: Encoder, nodes: dict[str, Any]) -> None:
    """Refuse to write what would be refused when it is read."""
    infos = infos_of(encoder.tensors)
    archives = Archives(infos, lambda name: encoder.tensors[name].numpy().tobytes())
    for name, node in nodes.items():
        try:
            checker = DocumentChecker(encoder.objects, infos, encoder.classes.get, archives)
            checker.check_part(name, node)
        except RefusedError as error:
            raise TypeError(f"{error}, and cannot be saved.") from error


def read_parts(path: str | os.PathLike[str]) -> StoredFile:
    """Open a file and read its header; nothing is made of it yet.

    It stays open, so that all that is decoded is of one file, whatever replaces it meanwhile.
    """
    return StoredFile(ModelFile(path))


class StoredFile:
    """An open file.

    What is decoded is checked first, with what the header says of the tensors; then these are read,
    and the checksum is compared; then objects are made.
    """

    def __init__(self, file: ModelFile) -> None:
        self.name = file.name
        self._file = file
        self._tensors: dict[str, Tensor] | None = None
        self._archives = Archives(file.infos, file.read_bytes)
        document = file.document
        try:
            self.kind, self.versions = _text(document["kind"]), _texts(document["versions"])
            self._parts = document["parts"]
            self._objects = document["objects"]
            if type(self._parts) is not dict or type(self._objects) is not list:
                raise ValueError("no parts")
            self.names = list(self._parts)
        except (KeyError, TypeError, ValueError) as error:
            self.close()
            raise self._contradiction(error) from error

    def __enter__(self) -> StoredFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def untrusted(self, part: str) -> list[str]:
        """Return the names in a part for which trust is needed; check it as far as can be.

        No tensor is read but those in which skops has stored estimators.
        """
        names = self._guard(lambda: self._names(part))
        self._guard(lambda: self._check(part, lambda name: None))
        return names

    def decode(
        self,
        part: str,
        *,
        trusted: Trusted = None,
        on_object: OnObject | None = None,
    ) -> Any:
        """Return the value of a part."""
        trust = Trust(trusted)
        names = [name for name in self._guard(lambda: self._names(part)) if name not in trust.names]
        if names:
            # nobody is asked to trust what would be refused
            self._guard(lambda: self._check(part, lambda name: None))
            raise UntrustedError(
                f"{self.name} needs {', '.join(names)}. These can run any code; if you know them, "
                f"load it with trusted={names!r}."
            )
        self._guard(lambda: self._check(part, trust))
        if self._tensors is None:
            self._tensors = self._file.read()
        decoder = Decoder(self._objects, self._tensors, trust, self._archives, on_object)
        return self._guard(lambda: decoder.decode(self._parts[part]))

    def _names(self, part: str) -> list[str]:
        return sorted(set(names_in(self._parts[part], self._objects, self._archives)))

    def _check(self, part: str, resolve: Callable[[str], Any]) -> None:
        checker = DocumentChecker(self._objects, self._file.infos, resolve, self._archives)
        checker.check_part(part, self._parts[part])

    def _guard(self, action: Callable[[], Any]) -> Any:
        """Do something with the content, whatever that is."""
        try:
            return action()
        except (ModelFileError, MemoryError, Warning):
            raise
        except ImportError as error:
            raise ModelFileError(f"{self.name}: {error}.") from error
        except (Exception, RecursionError) as error:
            if self._tensors is None and self._file.n_bytes < SMALL:
                self._file.verify()  # one that was altered is called so
            raise self._contradiction(error) from error

    def _contradiction(self, error: Exception) -> ModelFileError:
        reason = f"{type(error).__name__}: {error}"
        return ModelFileError(
            f"{self.name} cannot be loaded: its content is not what sknn.save writes, or what the "
            f"installed versions of the packages take ({reason})."
        )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("no text")
    return value


def _texts(value: Any) -> dict[str, str]:
    if type(value) is not dict:
        raise TypeError("no dict")
    return {name: _text(each) for name, each in value.items()}
