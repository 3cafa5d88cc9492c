"""Results of fetch_* functions, in scikit-learn's format."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray
from sklearn.utils import Bunch

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
