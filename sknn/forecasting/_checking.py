"""Checks of what a forecaster is given: y in any form, X beside it, and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    has_fit_parameter,
    validate_data,
)

from sknn._parameters import declares_parameters
from sknn.data import refusing_dates

from ._covariates import Covariates, Table
from ._forms import Columns, Target, holds_texts, read_target
from ._parameters import ForecasterParameters
from ._rows import Gaps, Rows
from ._timeline import Timeline, is_pandas
from ._windows import FLOATS, n_dimensions


@declares_parameters
class SeriesChecks(ForecasterParameters):
    """Checks y, X and weights, and writes down the columns of X."""

    def _columns(self) -> Columns:
        return Columns(self.id_column, self.time_column, self.target_column)

    def _gaps(self) -> Gaps:
        """Return what may be missing in y; raise ValueError if `estimator` is no regressor."""
        if self.estimator is None:
            takes_nan = False
        elif isinstance(self.estimator, type) or not is_regressor(self.estimator):
            raise ValueError(
                f"estimator={self.estimator!r} is not a regressor: pass an instance of a "
                "scikit-learn regressor, or None."
            )
        else:
            takes_nan = bool(get_tags(self.estimator).input_tags.allow_nan)
        if self.fill == "nan" and not takes_nan:
            raise ValueError(
                "fill='nan' needs an estimator that takes NaN, such as a "
                f"HistGradientBoostingRegressor, but estimator={self.estimator!r} does not."
            )
        return Gaps(self.fill, takes_nan)

    def _read_target(self, y: Any) -> Target:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: y is "
                "the series, and X holds its covariates."
            )
        return read_target(y, self._columns())

    def _covariate_values(self, table: Table, n_rows: int, *, reset: bool) -> np.ndarray:
        """Return covariates of shape (n_rows, n_covariates), which may have no column."""
        X = table.data
        if X is None:
            if not reset and self.n_features_in_:
                raise ValueError(
                    f"X is None, but {type(self).__name__} was fitted with "
                    f"{self.n_features_in_} covariates: pass those of the steps as X."
                )
            X = np.empty((n_rows, 0))
        elif not reset and self.n_features_in_ and _has_no_columns(X):
            raise ValueError(
                f"X holds dates alone, but {type(self).__name__} was fitted with "
                f"{self.n_features_in_} covariates: pass those of the steps as X."
            )
        elif self.covariates == "ignore" or _has_no_columns(X):
            X = np.empty((_num_samples(X), 0))
        elif n_dimensions(X) == 1:
            other = (
                "If it is the series, name it: fit(y=..., X=...)."
                if reset
                else "A number of steps is asked for by predict(horizon)."
            )
            raise ValueError(
                "X has one dimension. Expected 2D array, got 1D array instead: covariates have "
                "the shape (n_timesteps, n_covariates). Reshape your data with X.reshape(-1, 1), "
                'or X.to_frame(), if X is a covariate; set covariates="ignore" if it is only a '
                f"time index. {other}"
            )
        if is_pandas(X, "DataFrame"):
            _check_numbers(X)
        # rows that belong to no step of interest may have gaps, see `Covariates.part`
        checks = {"ensure_min_features": 0, "ensure_all_finite": "allow-nan"}
        with refusing_dates(X, "X"):
            return validate_data(self, X, reset=reset, dtype=FLOATS, **checks)

    def _check_rows(self, values: np.ndarray, target: Target) -> None:
        if len(values) != len(target.values):
            raise ValueError(
                f"X has {len(values)} rows, but y has {len(target.values)} time steps: each step "
                "of the series needs a row of X. X may have more rows if both have dates."
            )

    def _covariates_by_date(
        self,
        values: np.ndarray,
        table: Table,
        target: Target,
        places: np.ndarray,
        timeline: Timeline | None,
    ) -> Covariates:
        """Return the rows of X with their positions, those of y's rows if X has no dates."""
        codes = table.codes
        if timeline is None or table.index is None:
            self._check_rows(values, target)
            codes = target.codes
        else:
            timeline.check_same_kind(table.index, "X")
            places = timeline.positions(table.index)
        return Covariates(values, Rows.of(codes, places), target.form, timeline)

    def _checked_weight(self, sample_weight: Any, y: Any, target: Target) -> np.ndarray | None:
        if sample_weight is None:
            return None
        if self.estimator is not None and not has_fit_parameter(self.estimator, "sample_weight"):
            raise ValueError(
                f"sample_weight needs an estimator whose fit takes it, but estimator="
                f"{self.estimator!r} does not."
            )
        index = getattr(y, "index", None)
        if is_pandas(sample_weight, "Series") and is_pandas(index, "Index"):
            sample_weight = _of_the_same_dates(sample_weight, index)
        with refusing_dates(sample_weight, "sample_weight"):
            weights = _check_sample_weight(
                sample_weight, target.values, dtype=FLOATS, ensure_non_negative=True
            )
        return np.asarray(weights)


def _has_no_columns(X: Any) -> bool:
    return is_pandas(X, "Index") or (is_pandas(X, "DataFrame") and X.shape[1] == 0)


def _of_the_same_dates(sample_weight: Any, index: Any) -> np.ndarray:
    """Return the weights of the dates of y."""
    if sample_weight.index.equals(index):
        return np.asarray(sample_weight)
    if not sample_weight.index.is_unique:
        raise ValueError("sample_weight has several weights for one date.")
    found = sample_weight.index.get_indexer(index)
    if (found < 0).any():
        raise ValueError(f"sample_weight misses {index[int(np.argmax(found < 0))]}, a date of y.")
    return np.asarray(sample_weight)[found]


def _check_numbers(X: Any) -> None:
    """Raise ValueError if a column of X holds dates or texts."""
    for name, kind in X.dtypes.items():
        if getattr(kind, "kind", "O") in "mM":
            raise ValueError(
                f"X has the column {name!r} of type {kind}, but covariates are numbers. If it "
                "holds the dates of the rows, make it the index of X, or set time_column."
            )
        if holds_texts(getattr(kind, "categories", X[name])):
            raise ValueError(
                f"X has the column {name!r} of type {kind}, but covariates are numbers: encode "
                "texts, pd.get_dummies(X, dtype=float), or in a Pipeline with a OneHotEncoder. If "
                "it holds the ids of series, set id_column."
            )
