"""Saving and loading estimators."""

from __future__ import annotations

import os
from typing import Any

import torch
from sklearn.base import BaseEstimator

from .data import resolve_device
from .estimators import NeuralEstimator
from .nn.defaults import own_defaults
from .storage import FileInfo, ModelFileError, StoredFile, Trusted, read_parts, write_parts

ESTIMATOR = "estimator"


@own_defaults()
def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Save an estimator to one file, without any code in it.

    The file has the parameters (but `checkpoint`, which names a folder), the weights and all that
    training goes on from, as tensors
    (safetensors) and plain data. Functions and classes of yours, such as a `module`, a `loss` or
    a callback, are saved by name. The file is written as a whole or not at all.

    Parameters
    ----------
    estimator : estimator
        One of sknn's, or a pipeline, a search or another meta-estimator of scikit-learn's with
        one in it. Steps of other packages are saved with skops.
    path : str or os.PathLike
        The file, by custom with the ending ``.sknn``. One that exists is replaced, and keeps its
        permissions.

    Raises
    ------
    TypeError
        If `estimator` is none, or holds something that cannot be saved, such as a lambda or an
        attribute that its class does not have; the message says where.
    OSError
        If the file cannot be written, with its name; the previous file is intact.

    See Also
    --------
    load : The way back.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sknn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> network = sknn.NeuralClassifier(learning_rate="cosine", max_iter=20, random_state=0)
    >>> model = make_pipeline(StandardScaler(), network).fit(X, y)
    >>> path = Path(tempfile.mkdtemp(), "iris.sknn")
    >>> sknn.save(model, path)
    >>> bool((sknn.load(path).predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    if isinstance(estimator, type) or not isinstance(estimator, BaseEstimator):
        raise TypeError(
            f"estimator must be an instance of an estimator of scikit-learn's kind, not "
            f"{estimator!r}."
        )
    write_parts(path, {ESTIMATOR: estimator}, kind="model")


@own_defaults()
def load(
    path: str | os.PathLike[str],
    *,
    trusted: Trusted = None,
    device: str | torch.device | None = None,
) -> Any:
    """Load an estimator that :func:`save` has written, or a checkpoint.

    Nothing in a file is run, whatever it holds: all of it is checked before anything is made of it.
    Its checksum tells whether it is whole; it does not tell who has written it. A file is in
    memory once.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    trusted : list of str, class or function, default=None
        The functions and classes beyond those of sknn, torch.nn, torch.optim and scikit-learn that
        the file may use: full names such as ``"mymodule.my_loss"``, which are imported, or the
        things themselves. What they do is up to them, so name only what you know; the error for
        a missing one lists all that the file needs.
    device : str or torch.device, default=None
        Takes the place of the parameter `device` of all networks, such as "cpu" or "cuda:1". By
        default, each goes to the device that this parameter names, or to the CPU if that is
        missing here.

    Returns
    -------
    estimator
        The estimator, which predicts and trains on as the saved one does.

    Raises
    ------
    OSError
        If the file cannot be read.
    ModelFileError
        If it is another kind of file, cut off, altered or of a newer format.
    UntrustedError
        If it needs functions or classes that `trusted` does not name.
    ValueError
        If the device does not exist.

    See Also
    --------
    save : Writes the file.
    file_info : What a file says about itself.

    Examples
    --------
    See :func:`save`.
    """
    if device is not None:
        resolve_device(device)  # before anything is read

    def move(cls: type, state: dict[str, Any]) -> None:
        if device is not None and issubclass(cls, NeuralEstimator):
            state["device"] = device

    with read_parts(path) as stored:
        _require_estimator(stored)
        return stored.decode(ESTIMATOR, trusted=trusted, on_object=move)


def file_info(path: str | os.PathLike[str]) -> FileInfo:
    """Return what a file says about itself, without loading what is in it.

    The header is read and checked as :func:`load` does, and so is what skops has written. The
    tensors are not read, and so the checksum over them is not compared.

    Parameters
    ----------
    path : str or os.PathLike
        A file that :func:`save` has written, or a checkpoint.

    Returns
    -------
    FileInfo

    Raises
    ------
    OSError, ModelFileError
        As :func:`load`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sknn
    >>> path = Path(tempfile.mkdtemp(), "model.sknn")
    >>> sknn.save(sknn.NeuralClassifier(), path)
    >>> sknn.file_info(path).kind
    'model'
    """
    with read_parts(path) as stored:
        _require_estimator(stored)
        return FileInfo(stored.kind, stored.versions, stored.untrusted(ESTIMATOR))


def _require_estimator(stored: StoredFile) -> None:
    """Refuse a file that holds no estimator."""
    if ESTIMATOR not in stored.names:
        raise ModelFileError(f"{stored.name} holds no estimator but {', '.join(stored.names)}.")
