"""Windows of a series, and the steps that follow them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sknn._documentation import links_to_documentation
from sknn._drafts import draft_of
from sknn._validation import POSITIVE_INTEGER
from sknn.data import refusing_dates

FLOATS = (np.float64, np.float32)


def sliding_windows(values: np.ndarray, length: int) -> np.ndarray:
    """Return all windows as a read-only view, (n, ...) -> (n - length + 1, length, ...)."""
    windows = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)
    return np.moveaxis(windows, -1, 1)


@links_to_documentation
class WindowTransformer(TransformerMixin, BaseEstimator):
    """Cut a series into windows of equal length.

    `transform` returns every window; `pairs` those whose future is known, each with the steps
    that follow it: samples and targets for any regressor. The number of rows changes, so this
    transformer cannot stand before a regressor in a pipeline: :class:`DirectForecaster` and
    :class:`RecursiveForecaster` are for that.

    Parameters
    ----------
    past : int, default=24
        Steps a window.
    horizon : int, default=1
        Steps that follow a window and are its target.
    stride : int, default=1
        Steps from the start of a window to that of the next. The first window starts with the
        series.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels; 1 for a series of shape (n_timesteps,).
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the channels, if `fit` has seen a DataFrame whose column names are all strings.

    See Also
    --------
    DirectForecaster : Windows, a regressor of all steps ahead, and the way back.
    RecursiveForecaster : The same with a regressor of one step.

    Notes
    -----
    What is returned are read-only views of the series, which take no memory of their own: take a
    ``.copy()`` to write into them. Only a series whose values are no floats is converted first.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.forecasting import WindowTransformer
    >>> windows = WindowTransformer(past=3, horizon=2).fit(np.arange(6.0))
    >>> X, y = windows.pairs(np.arange(6.0))
    >>> X
    array([[0., 1., 2.],
           [1., 2., 3.]])
    >>> y
    array([[3., 4.],
           [4., 5.]])
    >>> windows.transform(np.arange(6.0))[-1]
    array([3., 4., 5.])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "past": [POSITIVE_INTEGER],
        "horizon": [POSITIVE_INTEGER],
        "stride": [POSITIVE_INTEGER],
    }

    def __init__(self, past: int = 24, horizon: int = 1, stride: int = 1) -> None:
        self.past = past
        self.horizon = horizon
        self.stride = stride

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> WindowTransformer:
        """Learn the number of channels.

        Parameters
        ----------
        X : array-like of shape (n_timesteps,) or (n_timesteps, n_channels)
            The series: one row a time step, in the order of time.
        y : None
            Not used.

        Returns
        -------
        self : WindowTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If the series has another number of dimensions, values that are not finite, or fewer
            than `past` steps, or a parameter's value is not allowed.
        """
        with draft_of(self) as draft:
            draft._check(X, reset=True)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return all windows, those at the end whose future is not known included.

        Parameters
        ----------
        X : array-like of shape (n_timesteps,) or (n_timesteps, n_channels)
            A series with as many channels as that of `fit`.

        Returns
        -------
        ndarray of shape (n_windows, past) or (n_windows, past, n_channels)
            Window i starts at step ``i * stride``. A read-only view.

        Raises
        ------
        ValueError
            As in `fit`, or if the number of channels is not that of `fit`.
        """
        check_is_fitted(self)
        return sliding_windows(self._check(X), self.past)[:: self.stride]

    def pairs(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the windows whose future is known, and their future.

        Parameters
        ----------
        X : array-like of shape (n_timesteps,) or (n_timesteps, n_channels)
            A series with as many channels as that of `fit`.

        Returns
        -------
        windows : ndarray of shape (n_pairs, past) or (n_pairs, past, n_channels)
            The first of the windows that `transform` returns. A read-only view.
        targets : ndarray of shape (n_pairs, horizon) or (n_pairs, horizon, n_channels)
            The steps that follow each window. A read-only view.

        Raises
        ------
        ValueError
            As in `transform`, or if the series has fewer than ``past + horizon`` steps.
        """
        check_is_fitted(self)
        series = self._check(X)
        check_length("X", len(series), past=self.past, horizon=self.horizon)
        windows = sliding_windows(series[: -self.horizon], self.past)
        targets = sliding_windows(series[self.past :], self.horizon)
        return windows[:: self.stride], targets[:: self.stride]

    def _check(self, X: Any, *, reset: bool = False) -> np.ndarray:
        if n_dimensions(X) == 1:
            with refusing_dates(X, "X"):
                series = check_array(X, ensure_2d=False, dtype=FLOATS, input_name="X")
            if reset:  # one channel, and no name of it
                validate_data(self, series[:, None], skip_check_array=True)
            elif self.n_features_in_ != 1:
                raise ValueError(
                    f"X has one dimension, thus 1 channel, but {type(self).__name__} was fitted "
                    f"with {self.n_features_in_}. Reshape your data to (n_timesteps, n_channels)."
                )
        else:
            with refusing_dates(X, "X"):
                series = validate_data(self, X, reset=reset, dtype=FLOATS)
        check_length("X", len(series), past=self.past)
        return series


def check_length(name: str, n_steps: int, **needed: int) -> None:
    """Raise ValueError if a series has fewer steps than `needed`, parameter by parameter."""
    least = sum(needed.values())
    if n_steps < least:
        why = " and ".join(f"{parameter}={value}" for parameter, value in needed.items())
        raise ValueError(
            f"{name} is too short: n_samples={n_steps} time steps, but {why} need at least {least}."
        )


def n_dimensions(X: Any) -> int:
    """Return the number of dimensions of any array-like."""
    return len(X.shape) if hasattr(X, "shape") else np.asarray(X).ndim
