"""Prediction intervals: regressors of quantiles, and bounds calibrated on unseen steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import QuantileRegressor

from ._models import Model, Origins, rounded_up
from ._series import Series
from ._windows import sliding_windows


@dataclass(frozen=True)
class ConformalIntervals:
    """Intervals around the forecasts of one model, or between those of several."""

    # The lowest and the highest of the models' forecasts are the bounds before calibration. So
    # quantiles that cross are put in order, and a single model gives intervals around it.
    models: Sequence[Model]
    margins: np.ndarray  # (n_steps, n_series), added on both sides, in units of the window's scale

    def predict(self, origins: Origins, n_steps: int) -> np.ndarray:
        """Return lower and upper bounds, of shape (n_origins, n_steps, n_series, 2)."""
        lower, upper = _bounds(self.models, origins, n_steps)
        model, margins = self.models[0], self.margins[:n_steps]
        lower, upper = (model.scaled(each, origins) for each in (lower, upper))
        # negative margins make an interval narrower, but not less than empty
        middle = (lower + upper) / 2
        lower, upper = np.minimum(lower - margins, middle), np.maximum(upper + margins, middle)
        return np.stack([model.unscaled(each, origins) for each in (lower, upper)], axis=-1)


def conformal_scores(models: Sequence[Model], origins: Origins, future: np.ndarray) -> np.ndarray:
    """Return how far `future`, (n_origins, n_steps, n_series), lies outside of the bounds."""
    # In units of the window's scale, negative inside: absolute errors of one model, the scores of
    # conformalized quantile regression for two. The models have seen earlier steps only.
    lower, upper, future = (
        models[0].scaled(each, origins)
        for each in (*_bounds(models, origins, future.shape[1]), future)
    )
    return np.maximum(lower - future, future - upper)


def _bounds(
    models: Sequence[Model], origins: Origins, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    forecasts = [model.forecast(origins, n_steps) for model in models]
    return np.minimum.reduce(forecasts), np.maximum.reduce(forecasts)


def conformal_margins(scores: np.ndarray, coverage: float) -> np.ndarray:
    """Return by how much bounds widen, (n_origins, n_steps, n_series) -> (n_steps, n_series)."""
    # Of n scores of a step the k-th smallest, k = ceil((n + 1) * coverage), as in split conformal
    # prediction; rounded, since 10 * 0.8 is a little more than 8 in floats for some such products.
    # Steps that were not observed have no score: NaN, which is sorted to the end.
    n_scores = (~np.isnan(scores)).sum(axis=0)
    ranks = np.ceil(np.round((n_scores + 1) * coverage, 9)).astype(int)
    if (ranks > n_scores).any():
        raise ValueError(
            f"interval={coverage} needs {least_scores(coverage)} observed steps of calibration at "
            f"each distance, but gaps leave {n_scores.min()}: raise calibration_fraction."
        )
    quantiles = np.take_along_axis(np.sort(scores, axis=0), ranks[None] - 1, axis=0)[0]
    # Forecasts do not get better with the distance. Isotonic regression makes the margins so, and
    # averages out much of the noise that few scores leave.
    return np.stack([isotonic_regression(column) for column in quantiles.T], axis=1)


def least_scores(coverage: float) -> int:
    """Return how many scores it takes: as many as make ``(n + 1) * coverage`` at most n."""
    return math.ceil(round(coverage / (1 - coverage), 9))


def calibration_starts(
    lengths: Sequence[int],
    coverage: float,
    *,
    fraction: float,
    past: int,
    horizon: int,
    reach: tuple[str, int],
) -> list[int | None]:
    """Return the step of each series from which on it calibrates; None if it is too short."""
    name, n_steps = reach
    held_out = [round(fraction * n) for n in lengths]
    n_scores = [max(n - n_steps + 1, 0) for n in held_out]
    learns = [n - n_out >= past + horizon for n, n_out in zip(lengths, held_out, strict=True)]
    used = [ok and n > 0 for ok, n in zip(learns, n_scores, strict=True)]
    needed = least_scores(coverage)
    if sum(n for n, ok in zip(n_scores, used, strict=True) if ok) < needed:
        n, n_out = max(zip(lengths, held_out, strict=True))
        whose = "y has" if len(lengths) == 1 else "the longest series of y has"
        part = f"{whose} {n} time steps, of which calibration_fraction={fraction} leaves"
        if n_out < n_steps + needed - 1:
            raise ValueError(
                f"{part} {n_out} for calibration, but interval={coverage} and {name}={n_steps} "
                f"need at least {n_steps + needed - 1}. Raise calibration_fraction, lower {name} "
                "or interval, or pass a longer series."
            )
        raise ValueError(
            f"{part} {n - n_out} for training, but past={past} and horizon={horizon} need at "
            f"least {past + horizon}."
        )
    return [n - n_out if ok else None for n, n_out, ok in zip(lengths, held_out, used, strict=True)]


def rolling_origins(
    series: Sequence[Series], *, first: Sequence[int], past: int, horizon: int, n_steps: int
) -> tuple[Origins, np.ndarray]:
    """Return all moments from step `first` of each series on, and the future of each."""
    # the future is of shape (n_origins, n_steps, n_channels)
    recent, known, future = [], [], []
    for each, start in zip(series, first, strict=True):
        values, covariates = each.values, each.covariates
        recent.append(sliding_windows(values[start - past : len(values) - n_steps], past))
        future.append(sliding_windows(values[start:], n_steps))
        if covariates is not None:
            rows = rounded_up(covariates[start - past + horizon :], n_steps, horizon)
            known.append(sliding_windows(rows, len(rows) - len(recent[-1]) + 1))
    which = np.repeat(np.arange(len(series)), [len(each) for each in recent])
    covariates = np.concatenate(known) if known else None
    return Origins(np.concatenate(recent), covariates, which), np.concatenate(future)


def quantile_regressor(estimator: Any, level: float) -> Any:
    """Return a clone of a regressor, a pipeline or a meta-estimator that estimates a quantile."""
    estimator = clone(estimator)
    parts = {"": estimator} | {
        f"{name}__": value
        for name, value in estimator.get_params().items()
        if hasattr(value, "get_params")
    }
    # the outermost first: it is the one whose predictions count
    for prefix, part in sorted(parts.items(), key=lambda item: item[0].count("__")):
        settings = _quantile_settings(part, level)
        if settings:
            return estimator.set_params(**{prefix + name: v for name, v in settings.items()})
    raise ValueError(
        f"interval needs an estimator for quantiles, with the parameters loss='quantile' and "
        f"quantile, but estimator={estimator!r} has none. Pass a NeuralRegressor or, say, a "
        "HistGradientBoostingRegressor, or use a RecursiveForecaster, whose intervals work with "
        "any regressor."
    )


def _quantile_settings(estimator: Any, level: float) -> dict[str, Any]:
    if isinstance(estimator, QuantileRegressor):
        return {"quantile": level}
    if isinstance(estimator, GradientBoostingRegressor):
        return {"loss": "quantile", "alpha": level}
    names = estimator.get_params(deep=False).keys()
    if {"loss", "quantile"} <= names:
        several = {"quantiles": None} if "quantiles" in names else {}
        return {"loss": "quantile", "quantile": level} | several
    return {}
