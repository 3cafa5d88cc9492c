"""What fetch_* functions share: parameters, their texts in docstrings, and results as Bunches."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from os import PathLike
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar

from numpy.typing import NDArray
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions

from sknn._documentation import composed
from sknn._validation import validated

P = ParamSpec("P")
R = TypeVar("R")

Subset: TypeAlias = Literal["train", "test", "all"]

CONSTRAINTS: dict[str, list[Any]] = {
    "subset": [StrOptions({"train", "test", "all"})],
    "data_home": [str, PathLike, None],
    "download_if_missing": ["boolean"],
    "return_X_y": ["boolean"],
    "as_frame": ["boolean"],
}

with_shared_texts = composed(
    subset="""\
subset : {"train", "test", "all"}, default="train"
    Which part to load. ``"all"`` is the part for training followed by the one for testing.""",
    data_home="""\
data_home : str or path-like, default=None
    Folder to look for the files in, and to download them into. If None, the folder in the
    environment variable ``SKNN_DATA``, or ``~/sknn_data`` if that is not set.""",
    download_if_missing="""\
download_if_missing : bool, default=True
    If False, raise an OSError where a file is missing instead of downloading it.""",
    return_X_y="""\
return_X_y : bool, default=False
    If True, return ``(data, target)`` instead of a Bunch.""",
    as_frame="""\
as_frame : bool, default=False
    If True, `data` is a pandas DataFrame with one row a sample, `target` a Series, and `frame`
    a DataFrame of both.""",
    dataset="""\
dataset : :class:`~sklearn.utils.Bunch`
    Dictionary-like object with these attributes.""",
    frame="""\
frame : DataFrame or None
    `data` and `target` side by side if `as_frame`.""",
    data_and_target="""\
(data, target) : tuple
    If `return_X_y`.""",
    missing_file="""\
OSError
    If a file is missing and is not, or cannot be, downloaded.""",
)


def describe(name: str) -> str:
    """Return the description of a data set."""
    return resources.files(__package__).joinpath("descr", f"{name}.rst").read_text("utf-8")


def fetcher(**constraints: list[Any]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator of a fetch_* function, with the constraints of parameters of its own."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        return validated({**constraints, **CONSTRAINTS})(with_shared_texts(function))

    return decorate


# A Bunch, or the tuple (data, target) if return_X_y; a type checker cannot tell which.
Fetched: TypeAlias = Any


def bundle(
    data: NDArray[Any],
    target: NDArray[Any],
    *,
    feature_names: list[str],  # columns of a frame, in which each sample is a flat row
    target_names: list[str],  # the classes, or the one quantity to predict
    description: str,
    return_X_y: bool,
    as_frame: bool,
    target_column: str = "target",  # of a frame
    **others: Any,  # entries of the Bunch
) -> Fetched:
    """Return data, (n_samples, ...), and target, (n_samples,), as the caller asked for them."""
    frame = None
    if as_frame:
        frame = _to_frame(data, target, feature_names, target_column)
        data, target = frame[feature_names], frame[target_column]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=feature_names,
        target_names=target_names,
        DESCR=description,
        **others,
    )


def _to_frame(
    data: NDArray[Any], target: NDArray[Any], feature_names: list[str], target_column: str
) -> Any:
    frame = import_pandas().DataFrame(data.reshape(len(data), -1), columns=feature_names)
    frame[target_column] = target
    return frame


def import_pandas() -> Any:
    """Return pandas, or say that `as_frame` needs it."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "`as_frame=True` needs pandas. Install it by `pip install pandas`, or set `as_frame` "
            "to False."
        ) from error
    return pd
