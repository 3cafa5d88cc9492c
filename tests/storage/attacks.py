"""Files with a right checksum and any content, and processes that watch what becomes of them."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import select
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from sknn.storage._encoding import Encoder

Node = Any

NUMPY_NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "uint16": "U16", "int32": "I32",
    "uint32": "U32", "int64": "I64", "uint64": "U64", "float16": "F16", "float32": "F32",
    "float64": "F64", "complex64": "C64",
}  # fmt: skip


class Stored(NamedTuple):
    """A tensor as it lies in a file."""

    dtype: str
    shape: list[int]
    content: bytes


def stored(array: Any) -> Stored:
    array = np.ascontiguousarray(array)
    return Stored(NUMPY_NAMES[array.dtype.name], list(np.shape(array)), array.tobytes())


@dataclass
class Content:
    """What is in a file."""

    document: Any
    tensors: dict[str, Stored] = field(default_factory=dict)

    def copy(self) -> Content:
        return Content(copy.deepcopy(self.document), dict(self.tensors))

    @property
    def objects(self) -> list[Node]:
        return self.document["objects"]

    def classes(self) -> list[Any]:
        return [o["class"] for o in self.objects if isinstance(o, dict) and "class" in o]

    def add(self, node: Node) -> Node:
        """Add an object; return a reference to it."""
        self.objects.append(node)
        return {"object": len(self.objects) - 1}

    def tensor(self, array: Any) -> Node:
        name = f"added{len(self.tensors)}"
        self.tensors[name] = array if isinstance(array, Stored) else stored(array)
        return {"tensor": [name]}

    def array(self, array: Any, *form: Any) -> Node:
        return {"array": [self.tensor(array), *form]}

    def named(self, class_name: str) -> Node:
        """Return the first object of a class."""
        return next(o for o in self.objects if o["class"].rpartition(".")[2] == class_name)


def seal(content: Content, *, document: str | None = None) -> bytes:
    """Return the bytes of a file with a right checksum."""
    entries: dict[str, Any] = {}
    place = 0
    for name, (dtype, shape, data) in content.tensors.items():
        entries[name] = {
            "dtype": dtype, "shape": shape, "data_offsets": [place, place + len(data)]
        }  # fmt: skip
        place += len(data)
    blank = "0" * 64
    metadata = {
        "sknn_format": "1",
        "checksum": blank,
        "document": json.dumps(content.document) if document is None else document,
    }
    header = json.dumps({"__metadata__": metadata, **entries}).encode()
    header = struct.pack("<Q", len(header)) + header
    digest = hashlib.blake2b(header, digest_size=32)
    for _, _, data in content.tensors.values():
        for start in range(0, len(data), 2**20):
            digest.update(struct.pack("<I", zlib.crc32(data[start : start + 2**20])))
    old = f'"checksum": "{blank}"'.encode()
    assert header.count(old) == 1
    header = header.replace(old, f'"checksum": "{digest.hexdigest()}"'.encode())
    return header + b"".join(data for _, _, data in content.tensors.values())


def unseal(path: Path) -> Content:
    """Read a file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    entries = json.loads(content[8 : 8 + length])
    metadata = entries.pop("__metadata__")
    body = content[8 + length :]
    tensors = {
        name: Stored(e["dtype"], e["shape"], body[slice(*e["data_offsets"])])
        for name, e in entries.items()
    }
    return Content(json.loads(metadata["document"]), tensors)


def document_of(model: Any) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return what `save` writes of a model, without the checks."""
    encoder = Encoder()
    root = encoder.encode("estimator", model)
    return blank(root, encoder.objects).document, encoder.tensors


def blank(root: Node, objects: Sequence[Node] = ()) -> Content:
    """Return a file of a root and some objects."""
    document = {
        "kind": "model",
        "versions": {},
        "parts": {"estimator": root},
        "objects": list(objects),
    }
    return Content(document)


# ----------------------------------------------------------------------------------- watching


@dataclass
class Verdict:
    """What a process has seen.

    Attributes
    ----------
    outcome : str
        "refused", "loaded", or what else happened.
    message : str
        The error's.
    events : list of str
        What was opened, imported, run or changed.
    seconds, mebibytes : float
        What loading cost.
    """

    outcome: str
    message: str = ""
    events: list[str] = field(default_factory=list)
    seconds: float = 0.0
    mebibytes: float = 0.0

    @property
    def faults(self) -> list[str]:
        """What must not be."""
        faults = list(self.events)
        if self.outcome not in ("refused", "loaded"):
            faults.append(f"{self.outcome} {self.message}")
        return faults


class Watcher:
    """A process that loads files and says what happened.

    Parameters
    ----------
    folder : Path
        With honest files, which it loads and uses first, and works in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: Any = None

    def start(self) -> Any:
        """Start the process unless it runs; return it."""
        if self._process is None:
            script = Path(__file__).resolve().with_name("watcher.py")
            self._process = subprocess.Popen(
                [sys.executable, str(script), str(self.folder)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=self.folder,
                stderr=subprocess.DEVNULL,
            )
            if self._answer(120) != "ready":
                raise RuntimeError("the watching process does not start")
        return self._process

    def _answer(self, seconds: float) -> Any:
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        if not ready:
            return None
        line = self._process.stdout.readline()
        return json.loads(line) if line else ""

    def ask(self, *, seconds: float = 40, **request: Any) -> Verdict:
        """Have one file loaded, and used unless it is refused."""
        process = self.start()
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        answer = self._answer(seconds)
        if answer is None:
            self.close()
            return Verdict("hangs")
        if answer == "":
            code = process.wait()
            self.close()
            return Verdict(f"dies with {code}")
        return Verdict(**answer)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
            self._process = None


# ------------------------------------------------------------------------- places in a document


def places(node: Node, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all values in a document."""
    yield path
    if isinstance(node, dict):
        for key, each in node.items():
            yield from places(each, (*path, key))
    elif isinstance(node, list):
        for i, each in enumerate(node):
            yield from places(each, (*path, i))


def at(node: Node, path: Sequence[Any]) -> Node:
    for step in path:
        node = node[step]
    return node


def put(node: Node, path: Sequence[Any], value: Node) -> None:
    at(node, path[:-1])[path[-1]] = value


def files_under(folder: Path) -> set[str]:
    return {os.path.join(base, f) for base, _, files in os.walk(folder) for f in files}
