"""What a fetch_* function returns, in scikit-learn's format."""

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
    feature_names: list[str],
    target_names: list[str],
    description: str,
    return_X_y: bool,
    as_frame: bool,
    target_column: str = "target",
    **others: Any,
) -> Fetched:
    """Return the data in the form that the caller asked for.

    Parameters
    ----------
    data : ndarray of shape (n_samples, ...)
        Features. In a frame each sample is a flat row.
    target : ndarray of shape (n_samples,)
        Targets.
    feature_names : list of str
        Names of the columns of the flat rows.
    target_names : list of str
        Names of the classes, or of the one quantity to predict.
    description : str
        The DESCR of the Bunch.
    return_X_y, as_frame : bool
        As in the ``fetch_*`` functions.
    target_column : str, default="target"
        Name of the target in a frame.
    **others
        Further entries of the Bunch.
    """
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
