"""Keras in a process of its own: its Python need not be that of sknn."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from ._data import Data
from ._image_problems import Layers

SCRIPT = Path(__file__).with_name("_keras_images.py")

HOW_TO = (
    "Keras is left out; for its rows make an environment (python -m venv keras; "
    "keras/bin/pip install tensorflow) and name it: --keras-python keras/bin/python"
)


class KerasError(RuntimeError):
    """The process has ended, or a request failed."""


class KerasProcess:
    """Sends requests, waits for the answers."""

    def __init__(self, python: str, log: IO[str]) -> None:
        self._log = log
        # the processor is what is compared
        settings = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
        self._process = subprocess.Popen(
            [python, str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **settings},
        )

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Return the answer to a request."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print(json.dumps({"do": do, **request}), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._log.seek(0)
            last_lines = self._log.read().strip().splitlines()[-5:]
            raise KerasError("\n".join(last_lines) or "the process has ended without a word")
        answer = json.loads(line)
        if "error" in answer:
            raise KerasError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.communicate()


@contextmanager
def start_keras(python: str | None) -> Iterator[KerasProcess | None]:
    """Start Keras; None, and a line that says why, where there is none."""
    if python is None:
        print(HOW_TO)
        yield None
        return
    process = None
    with tempfile.TemporaryFile("w+") as log:
        try:
            process = KerasProcess(python, log)
            versions = process.ask("versions")
        except (OSError, KerasError) as error:
            print(f"Keras is left out, {python} does not run it: {error}")
            versions = None
        try:
            if versions is None:
                yield None
            else:
                print(f"Keras {versions['keras']}, TensorFlow {versions['tensorflow']}", flush=True)
                yield process
        finally:
            if process is not None:
                process.close()


class KerasTrainer:
    """A model in the process, which is handed the data in files."""

    def __init__(
        self,
        process: KerasProcess,
        layers: Layers,
        data: Data,
        *,
        batch_size: int,
        learning_rate: float,
    ) -> None:
        self.process = process
        with tempfile.TemporaryDirectory() as folder:
            for name in ("X", "y", "X_test", "y_test"):
                np.save(Path(folder, f"{name}.npy"), getattr(data, name))
            answer = process.ask(
                "build",
                folder=folder,
                layers=layers,
                batch_size=batch_size,
                learning_rate=learning_rate,
            )
        self.n_parameters = answer["parameters"]

    def epoch(self) -> float:
        """Train for an epoch; return its seconds."""
        return self.process.ask("epoch")["seconds"]

    def score(self) -> float:
        """Return the accuracy of the test images."""
        return self.process.ask("score")["accuracy"]
