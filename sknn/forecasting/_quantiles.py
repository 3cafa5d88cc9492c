"""Regressors of a quantile, made of regressors of a mean."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import QuantileRegressor


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
    if {"loss", "quantile"} <= estimator.get_params(deep=False).keys():
        return {"loss": "quantile", "quantile": level}
    return {}
