"""The forms in which users pass series, and get forecasts back: arrays, Series, wide and long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sknn.data import check_numbers

from ._timeline import Timeline, checked_dates, has_dates, is_pandas
from ._windows import FLOATS


class Columns(NamedTuple):
    """Names of the columns of long frames; None where a frame has none."""

    id: Any
    time: Any
    target: Any

    @property
    def given(self) -> bool:
        """Whether y is a long frame."""
        return any(name is not None for name in self)


@dataclass(frozen=True)
class Form:
    """How series are passed, and what they are called."""

    kind: str  # "array", "arrays", "series", "wide", "panel" (MultiIndex) or "long"
    ids: list[Any]  # of the series; [None] if one alone has no name
    levels: list[Any]  # names of the levels, of the column or of the columns that hold the ids
    time: Any = None  # name of the index, its last level or the column of dates
    target: Any = None  # name of a Series, or of the column of values
    is_frame: bool = False  # a panel in a DataFrame of one column
    dates_in_index: bool = False  # of a long frame

    @property
    def is_wide(self) -> bool:
        """Whether a row holds a step of all series."""
        return self.kind in ("arrays", "wide")

    @property
    def is_panel(self) -> bool:
        """Whether a row holds a step of one of several series."""
        return self.kind in ("panel", "long") and bool(self.levels)

    def place(self, timeline: Timeline | None, code: int, position: int) -> str:
        """Return a step of a series as it stands in messages."""
        step = f"step {position}" if timeline is None else timeline.text(position)
        return step if len(self.ids) == 1 else f"{step} of series {self.ids[code]!r}"


class Target(NamedTuple):
    """The rows of y, as they were passed."""

    form: Form
    codes: np.ndarray | None  # (n_rows,), the series of each; None if rows belong to all
    index: Any  # dates of the rows; None for arrays
    values: np.ndarray  # (n_rows, n_columns), NaN where there is none


def read_target(y: Any, columns: Columns) -> Target:
    """Read y in any form."""
    if is_pandas(y, "Series"):
        return _read_series(y, columns)
    if is_pandas(y, "DataFrame"):
        return _read_frame(y, columns)
    if columns.given:
        raise ValueError(
            f"y is of type {type(y).__name__}, but id_column, time_column and target_column name "
            "columns of a pandas DataFrame: pass one, or leave them out."
        )
    if is_pandas(y, "Index") or is_other_frame(y):
        raise ValueError(
            f"y is of type {type(y).__name__}: pass a pandas Series or DataFrame, or an array. "
            "Tables of polars and pyarrow have the method to_pandas()."
        )
    values = _numbers(y)
    if values.ndim not in (1, 2):
        raise ValueError(
            f"y has the shape {values.shape}, but a series is of shape (n_timesteps,), several "
            "are of shape (n_timesteps, n_series)."
        )
    kind = "array" if values.ndim == 1 else "arrays"
    values = values.reshape(len(values), -1)
    ids = [None] if kind == "array" else list(range(values.shape[1]))
    return Target(Form(kind, ids, []), None, None, values)


def _read_series(y: Any, columns: Columns) -> Target:
    if columns.given:
        raise ValueError(
            "y is a Series, but id_column, time_column and target_column name columns of a "
            "DataFrame: pass one, or leave them out."
        )
    values = _numbers(y)[:, None]
    if is_pandas(y.index, "MultiIndex"):
        return _panel(y.index, values, target=y.name, is_frame=False)
    index = checked_dates(y.index, "y")
    return Target(Form("series", [None], [], index.name, y.name), None, index, values)


def _read_frame(y: Any, columns: Columns) -> Target:
    if is_pandas(y.columns, "MultiIndex"):
        raise ValueError(
            "the columns of y are a MultiIndex: each series needs a column with a name of its own."
        )
    if not y.columns.is_unique:
        name = y.columns[y.columns.duplicated()][0]
        raise ValueError(f"y has the column {name!r} twice.")
    if columns.given:
        return _read_long(y, columns)
    _check_wide(y)
    if is_pandas(y.index, "MultiIndex"):
        if y.shape[1] != 1:
            raise ValueError(
                f"y has a MultiIndex and {y.shape[1]} columns: pass the column of the series, "
                "y['name'], and those of covariates as X."
            )
        return _panel(y.index, _numbers(y), target=y.columns[0], is_frame=True)
    index = checked_dates(y.index, "y")
    form = Form("wide", y.columns.tolist(), [y.columns.name], index.name)
    return Target(form, None, index, _numbers(y))


def _check_wide(y: Any) -> None:
    for name, kind in y.dtypes.items():
        if getattr(kind, "kind", "O") in "OUMm" or is_text(kind):
            raise ValueError(
                f"y has the column {name!r} of type {kind}, but each column of a wide frame is a "
                "series of numbers. Is y a long frame, a row for each step of each series? Set "
                "id_column, time_column and target_column. Texts that are numbers: y.astype(float)."
            )


def is_text(kind: Any) -> bool:
    """Say whether a column's type is one of texts or of categories."""
    return str(kind) in ("str", "string", "category") or str(kind).startswith("string")


def holds_texts(values: Any) -> bool:
    """Say whether a column or an index holds texts, of whatever type of pandas."""
    import pandas as pd

    if getattr(values.dtype, "kind", "O") != "O":
        return False
    return is_text(values.dtype) or pd.api.types.infer_dtype(values, skipna=True) == "string"


def _read_long(y: Any, columns: Columns) -> Target:
    name_id, name_time, target = columns
    for parameter, name in zip(("id_column", "time_column", "target_column"), columns, strict=True):
        if name is not None and name not in y.columns:
            raise ValueError(f"{parameter}={name!r} is no column of y, which has {list(y)}.")
    if name_id is None and name_time is None and is_pandas(y.index, "MultiIndex"):
        return _read_frame(y if target is None else y[[target]], Columns(None, None, None))
    ids, index, rest = split_frame(y, name_id, name_time, "y")
    if target is None:
        if rest.shape[1] != 1:
            raise ValueError(f"y has the columns {list(rest)}: target_column says which is y.")
        target = rest.columns[0]
    others = [name for name in rest.columns if name != target]
    if others:
        raise ValueError(
            f"y has the further column {others[0]!r}. If it is known in advance, pass it with "
            f"those of ids and dates as X: X=y.drop(columns={target!r}); else leave it out: "
            f"y[{[name for name in y.columns if name not in others]}]."
        )
    values = _numbers(rest[target])[:, None]
    time, in_index = (index.name, True) if name_time is None else (name_time, False)
    if ids is None:
        form = Form("long", [None], [], time, target, dates_in_index=in_index)
        return Target(form, None, index, values)
    codes, names = _coded(ids)
    form = Form("long", names, [name_id], time, target, dates_in_index=in_index)
    return Target(form, codes, index, values)


def split_frame(frame: Any, name_id: Any, name_time: Any, name: str) -> tuple[Any, Any, Any]:
    """Return ids, or None, dates and the other columns of a frame."""
    import pandas as pd

    ids = column = None
    index = frame.index
    if name_id is not None and name_id in frame.columns:
        ids, frame = pd.Index(frame[name_id]), frame.drop(columns=name_id)
    if name_time is not None and name_time in frame.columns:
        column, index = name_time, pd.Index(frame[name_time])
        frame = frame.drop(columns=name_time)
    if ids is None and is_pandas(index, "MultiIndex"):
        ids, index = index.droplevel(-1), index.get_level_values(-1)
    return ids, checked_dates(index, name, column), frame


def _panel(index: Any, values: np.ndarray, *, target: Any, is_frame: bool) -> Target:
    """Read a MultiIndex of ids and dates."""
    if has_dates(index.levels[0]) and not has_dates(index.levels[-1]):
        raise ValueError(
            "the first level of y's MultiIndex holds the dates; the last one has to: y.swaplevel()."
        )
    dates = checked_dates(index.get_level_values(-1), "y")
    codes, names = _coded(index.droplevel(-1))
    *levels, time = index.names
    return Target(Form("panel", names, levels, time, target, is_frame), codes, dates, values)


def _coded(ids: Any) -> tuple[np.ndarray, list[Any]]:
    """Return the number of each row's series, and the ids, sorted whatever the order of rows is."""
    import pandas as pd

    try:
        codes, names = pd.factorize(ids, sort=True)
    except TypeError:  # of ids that cannot be compared, the first that comes is the first
        codes, names = pd.factorize(ids)
    if (codes < 0).any():
        raise ValueError(f"the id of row {int(np.flatnonzero(codes < 0)[0])} of y is missing.")
    return codes.astype(np.int64), names.tolist()


def matched(target: Target, form: Form) -> Target:
    """Return the rows of a later y with the series' numbers of the fit."""
    _check_form(target.form, form)
    if form.is_wide:
        if target.form.kind != form.kind or target.form.ids == form.ids:
            return target._replace(form=form)
        places = [target.form.ids.index(name) for name in form.ids]
        return target._replace(form=form, values=target.values[:, places])
    if target.codes is None:
        return target._replace(form=form)
    return target._replace(form=form, codes=known_codes(target.codes, target.form.ids, form, "y"))


def known_codes(codes: np.ndarray, ids: Sequence[Any], form: Form, name: str) -> np.ndarray:
    """Return the numbers that series have had in the fit, of those with the given ids."""
    numbers = {each: code for code, each in enumerate(form.ids)}
    unknown = [each for each in ids if each not in numbers]
    if unknown:
        raise ValueError(
            f"{name} has the series {unknown[0]!r}, which y of fit has not: a forecast starts from "
            "a series' past. Fit again with it."
        )
    return np.array([numbers[each] for each in ids], dtype=np.int64)[codes]


def _check_form(later: Form, form: Form) -> None:
    n_later, n = len(later.ids), len(form.ids)
    if (n_later != n and not form.is_panel) or form.is_panel != later.is_panel:
        raise ValueError(
            f"y has {n_later} series, but the forecaster was fitted with {n} in the form of "
            f"{_FORMS[form.kind]}; this is {_FORMS[later.kind]}."
        )
    if form.is_wide != later.is_wide:
        raise ValueError(
            f"y is {_FORMS[later.kind]}, but the forecaster was fitted with {_FORMS[form.kind]}. "
            "The series comes first in update(y, X), and last in observe(X, y)."
        )
    if later.kind == form.kind == "wide" and set(later.ids) != set(form.ids):
        (name, *_) = [each for each in form.ids if each not in later.ids]
        raise ValueError(f"y has no column {name!r}, which y of fit has.")


_FORMS = {
    "array": "an array of one dimension",
    "arrays": "an array of two dimensions",
    "series": "a Series",
    "wide": "a wide DataFrame",
    "panel": "a MultiIndex of ids and dates",
    "long": "a long DataFrame",
}


class Block(NamedTuple):
    """What is forecast of one series."""

    code: int
    start: int  # position of its first step
    values: np.ndarray  # (n_steps, n_columns)


def as_passed(
    form: Form, timeline: Timeline | None, blocks: Sequence[Block], columns: list[str] | None
) -> Any:
    """Return blocks in the form in which y was passed; `columns` name bounds of intervals."""
    if form.kind in ("array", "arrays"):
        stacked = np.stack([block.values for block in blocks], axis=1)
        stacked = stacked if columns else stacked[:, :, 0]
        return stacked[:, 0] if form.kind == "array" else stacked
    import pandas as pd

    assert timeline is not None
    grid = timeline.dates(0, max(start + len(values) for _, start, values in blocks))
    dates = [grid[start : start + len(values)] for _, start, values in blocks]
    if form.kind == "wide":
        ids = [form.ids[block.code] for block in blocks]
        names = pd.Index(ids, name=form.levels[0])
        if columns:
            names = pd.MultiIndex.from_product([names, columns])
        values = np.concatenate([block.values for block in blocks], axis=1)
        return pd.DataFrame(values, dates[0].rename(form.time), names)
    values = np.concatenate([block.values for block in blocks])
    index = dates[0].append(dates[1:]) if len(dates) > 1 else dates[0]
    ids = [form.ids[block.code] for block in blocks for _ in block.values]
    if form.kind == "long":
        keys = {form.levels[0]: ids} if form.levels else {}
        body = pd.DataFrame(values, columns=columns or [form.target])
        if form.dates_in_index:
            frame = pd.concat([pd.DataFrame(keys), body], axis=1)
            return frame.set_axis(index.rename(form.time))
        return pd.concat([pd.DataFrame(keys | {form.time: index}), body], axis=1)
    index = index.rename(form.time)
    if form.kind == "panel":
        levels = [ids] if len(form.levels) == 1 else list(zip(*ids, strict=True))
        index = pd.MultiIndex.from_arrays([*levels, index], names=[*form.levels, form.time])
    if columns or form.is_frame:
        return pd.DataFrame(values, index, columns or [form.target])
    return pd.Series(values[:, 0], index, name=form.target)


def _numbers(y: Any) -> np.ndarray:
    """Return floats of an array-like of any number of dimensions, which may be NaN."""
    if is_pandas(y, "Series"):
        y = y.to_frame()
        return check_numbers(y, dtype=FLOATS, ensure_all_finite="allow-nan", name="y")[:, 0]
    return check_numbers(
        y, dtype=FLOATS, ensure_2d=False, allow_nd=True, ensure_all_finite="allow-nan", name="y"
    )


def is_other_frame(data: Any) -> bool:
    """Say whether data are a table of another library than pandas."""
    has_columns = hasattr(data, "__dataframe__") or (
        hasattr(data, "columns") and hasattr(data, "schema")
    )
    return has_columns and not is_pandas(data)
