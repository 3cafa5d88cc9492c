"""Checkpoints: training goes on after an interruption as if there had been none."""

from __future__ import annotations

import copy
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sknn.storage import ModelFileError, public_name, read_parts, remove_leftovers, write_parts
from sknn.training._training import Training

from ._fit_record import compare_fits
from ._progress import progress_of, put_back

CHECKPOINT_FILE = "checkpoint.sknn"

KIND = "checkpoint"

# What writing after epochs may take: this share of the time, and so many seconds beside that, so
# that each epoch of a short fit is kept.
LARGEST_SHARE = 0.01
ALLOWANCE = 0.25


class Checkpoint:
    """The file in which a fit keeps how far it has come."""

    # Three parts: "estimator", a copy that predicts with the weights so far; "fit", what tells this
    # fit from others (`describe_fit`); "progress", all that the rest of the training depends on.

    def __init__(
        self,
        folder: str | os.PathLike[str],
        minutes: float,  # between two writes within an epoch
        fit: dict[str, Any],
        copy_estimator: Callable[[Training], Any],
        *,
        n_together: int = 1,  # fits at the same time, each with a checkpoint
        progress_of: Callable[[Any], dict[str, Any]] = progress_of,
        put_back: Callable[[Any, dict[str, Any]], None] = put_back,
    ) -> None:
        self.path = Path(folder, CHECKPOINT_FILE).expanduser()
        self.fit = fit
        self.copy_estimator = copy_estimator
        self.is_complete = False
        self._interval = 60 * minutes
        self._n_together = n_together
        self._progress_of, self._put_back = progress_of, put_back
        self._begun = self._last_write = time.monotonic()
        self._seconds = 0.0  # that writing has taken
        self._progress: dict[str, Any] | None = None
        prepare_folder(os.path.expanduser(folder), CHECKPOINT_FILE)
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        with read_parts(self.path) as stored:
            if stored.kind != KIND:
                raise ValueError(
                    f"{self.path} is no checkpoint, but a file of kind {stored.kind!r}. Name "
                    "another folder, or move the file."
                )
            fit = stored.decode("fit")
            module, _, name = fit["estimator"].rpartition(".")
            fit["estimator"] = public_name(module, name)  # 0.1.0 named a module that is gone
            self._refuse_other(fit)
            self._warn_of_versions(stored.versions)
            self.fit = fit
            self._progress = stored.decode("progress")

    def _refuse_other(self, fit: dict[str, Any]) -> None:
        differences = compare_fits(fit, self.fit)
        if differences:
            raise ValueError(
                f"checkpoint={str(self.path.parent)!r} is a folder with the checkpoint of another "
                f"fit: {'; '.join(differences)}. A fit goes on only with the data and parameters "
                f"that it was begun with. Name another folder, or delete {self.path} to train "
                "anew. The fits of a search cannot share a folder: search with checkpoint=None."
            )

    def _warn_of_versions(self, versions: dict[str, str]) -> None:
        if versions.get("torch") != torch.__version__:
            warnings.warn(
                f"{self.path} was written with torch {versions.get('torch')}, and this is torch "
                f"{torch.__version__}. Training goes on, but its "
                "weights may differ in the last digits from those without an interruption.",
                stacklevel=2,
            )

    @property
    def is_within_epoch(self) -> bool:
        """Whether training goes on in the middle of an epoch."""
        return self._progress is not None and self._progress["epoch"] is not None

    def begin_with(self, random_state: np.random.RandomState) -> None:
        """Have a fit draw what it drew when it was begun: bring its new generator back to then."""
        if self._progress is None:
            self.fit["random_state"] = copy.deepcopy(random_state)
        else:
            random_state.set_state(self.fit["random_state"].get_state(legacy=False))

    def begin(self, training: Training) -> None:
        """Put a new training to where it was interrupted, or write a first checkpoint."""
        progress, self._progress = self._progress, None
        if progress is None:  # what cannot be written is found now, and not hours later
            self.write(training)
            return
        try:
            self._put_back(training, progress)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise ModelFileError(f"{self.path} cannot be resumed from: {error}") from error
        self.is_complete = training.is_done

    def is_due(self) -> bool:
        """Say whether the last checkpoint is older than it should be."""
        return time.monotonic() - self._last_write >= self._interval

    def after_epoch(self, training: Training) -> None:
        """Write after an epoch, unless writing has taken much of the time already."""
        now = time.monotonic()
        allowed = ALLOWANCE + LARGEST_SHARE * (now - self._begun)
        if self._n_together * self._seconds <= allowed or now - self._last_write >= self._interval:
            self.write(training)

    def write(self, training: Training) -> None:
        """Replace the last checkpoint, between two batches or two epochs."""
        start = time.monotonic()
        with training.predicting():
            parts = {
                "estimator": self.copy_estimator(training),
                "fit": self.fit,
                "progress": self._progress_of(training),
            }
            write_parts(self.path, parts, kind=KIND)
        self._last_write = time.monotonic()
        self._seconds += self._last_write - start

    def complete(self, training: Training) -> None:
        """Store that the training is over, with the final weights."""
        if not self.is_complete:
            self.write(training)
            self.is_complete = True


def folder_named(checkpoint: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder that the parameter `checkpoint` names."""
    if checkpoint is None:
        return None
    if not os.fspath(checkpoint):
        raise ValueError("checkpoint is an empty string; name a folder, or use None.")
    return Path(checkpoint).expanduser()


def prepare_folder(folder: str | os.PathLike[str], file: str) -> None:
    """Make a folder, and remove what a killed process has left half-written of a file there."""
    os.makedirs(folder, exist_ok=True)
    remove_leftovers(folder, file)
