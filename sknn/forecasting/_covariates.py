"""What is known beside y: covariates by date, and static features by series."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._forms import Columns, Form, is_other_frame, is_text, known_codes, split_frame
from ._rows import FILLS, Rows
from ._timeline import Timeline, checked_dates, has_dates, is_pandas


class Table:
    """X as it was passed: to which series and dates its rows belong, and its columns."""

    def __init__(self, X: Any, columns: Columns, form: Form, *, dated: bool) -> None:
        self.codes: np.ndarray | None = None  # (n_rows,)
        self.index: Any = None  # dates of the rows, None if X has none that count
        self.data = X  # the columns that are covariates
        if is_pandas(X, "DataFrame"):
            if not X.columns.is_unique:
                name = X.columns[X.columns.duplicated()][0]
                raise ValueError(f"X has the column {name!r} twice.")
            if columns.target is not None and columns.target in X.columns:
                raise ValueError(
                    f"X has the column {columns.target!r}, which is y: leave it out, "
                    f"X.drop(columns={columns.target!r})."
                )
            ids = None
            if dated or columns.given:
                ids, self.index, self.data = split_frame(X, columns.id, columns.time, "X")
            elif has_dates(X.index):
                self.index = X.index
            self._read_ids(ids, form)
        elif is_other_frame(X) and (dated or columns.given):
            raise ValueError(
                f"X is of type {type(X).__name__}, whose rows have no index to find the dates of y "
                "by: use X.to_pandas(), and set the index or time_column."
            )
        elif is_pandas(X, "Index"):
            if is_pandas(X, "MultiIndex"):
                self._read_ids(X.droplevel(-1), form)
                X = X.get_level_values(-1)
            self.index = checked_dates(X, "X")
        elif is_pandas(X, "Series") and has_dates(X.index):
            self.index = X.index

    def _read_ids(self, ids: Any, form: Form) -> None:
        import pandas as pd

        if ids is None:
            return
        if len(form.ids) == 1 and not form.is_panel:
            raise ValueError("X has ids of series, but y is one alone, without an id.")
        codes, names = pd.factorize(ids)
        self.codes = known_codes(codes, names.tolist(), form, "X")


class Covariates:
    """Values of X by series and date."""

    def __init__(
        self, values: np.ndarray, rows: Rows, form: Form, timeline: Timeline | None
    ) -> None:
        self.values, self.rows, self.form, self.timeline = values, rows, form, timeline
        found = rows.first_duplicate()
        if found is not None:
            raise ValueError(f"X has several rows for {form.place(timeline, *found)}: keep one.")

    def stop(self, code: int) -> int:
        """Return the position after the last row of a series; 0 if it has none."""
        places = self.rows.of_series(code)[0]
        return int(places[-1]) + 1 if len(places) else 0

    def part(self, code: int, start: int, stop: int, fill: str | None = None) -> np.ndarray:
        """Return the rows of some steps, (n_steps, n_covariates); raise ValueError if one lacks."""
        places, numbers = self.rows.of_series(code)
        wanted = np.arange(start, stop)
        found = np.searchsorted(places, wanted)
        is_there = found < len(places)
        is_there[is_there] = places[found[is_there]] == wanted[is_there]
        if not is_there.all() and fill is None:
            place = self.form.place(self.timeline, code, int(wanted[~is_there][0]))
            n_more = int((~is_there).sum()) - 1
            raise ValueError(
                f"X misses {place}{f' and {n_more} more' if n_more else ''}: every step of y, and "
                "every one to forecast, needs its row of X. If X and y were taken for each other, "
                "name them: fit(X=..., y=...)."
            )
        values = np.full((len(wanted), self.values.shape[1]), np.nan, self.values.dtype)
        values[is_there] = self.values[numbers[found[is_there]]]
        if fill in FILLS:
            values = FILLS[fill](values)
        unknown = np.isnan(values).any(axis=1)
        if unknown.any() and fill != "nan":
            place = self.form.place(self.timeline, code, start + int(np.argmax(unknown)))
            raise ValueError(f"Input X contains NaN: the first is that of {place}.")
        return values


def static_values(static: Any, form: Form, columns: Columns) -> np.ndarray:
    """Return static features, a row a series in the order of the fit: (n_series, n_features)."""
    if is_pandas(static, "Series"):
        static = static.to_frame()
    if not is_pandas(static, "DataFrame"):
        raise ValueError(
            f"static is of type {type(static).__name__}, but a DataFrame with a row for each "
            "series is expected, its index the ids."
        )
    if len(form.ids) == 1:
        raise ValueError("static features tell series apart, but y is one alone.")
    if columns.id is not None and columns.id in static.columns:
        static = static.set_index(columns.id)
    for name, kind in static.dtypes.items():
        if getattr(kind, "kind", "O") not in "biuf" or is_text(kind):
            raise ValueError(
                f"static has the column {name!r} of type {kind}, but numbers are expected: make "
                "numbers of texts and categories, pd.get_dummies(static, dtype=float)."
            )
    if not static.index.is_unique:
        raise ValueError(
            f"static has several rows for {static.index[static.index.duplicated()][0]!r}."
        )
    missing = [each for each in form.ids if each not in static.index]
    if missing:
        raise ValueError(f"static misses the series {missing[0]!r}: each needs a row.")
    values = np.asarray(static.loc[form.ids].to_numpy(dtype=float, na_value=np.nan))
    if not np.isfinite(values).all():
        row, column = (int(each[0]) for each in np.nonzero(~np.isfinite(values)))
        raise ValueError(
            f"static has no finite {static.columns[column]!r} of series {form.ids[row]!r}."
        )
    return values
