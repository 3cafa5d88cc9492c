"""X as a table of numbers and categories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import torch
from sklearn.utils.validation import validate_data
from torch import Tensor, nn

from sknn.data import DenseRows, row_parts

from ._columns import TableColumn, learn_column, write_numbers
from ._exchange import (
    arrange,
    make_up,
    refuse_what_has_no_number,
    text_codes,
    to_numbers,
    to_objects,
)
from ._reading import KINDS, Plain, place_of, read_array, read_series

PLAIN_KINDS = ("number", "boolean", "empty")
ARRAY_CHECKS: dict[str, Any] = {"dtype": None, "ensure_all_finite": False}


class TableFormat(NamedTuple):
    """A table whose columns have types of their own.

    A validated X is one matrix of floats: first the numbers, of each column in the order of the
    table, then the categories. Numbers are centered and scaled by what the training data have, NaN
    where missing. Categories are codes: 0 is a level that training had not, 1 missing, and the
    levels of training follow.
    """

    columns: tuple[TableColumn, ...]

    @classmethod
    def learn(cls, X: Any, estimator: Any) -> tuple[TableFormat, np.ndarray]:
        """Learn levels, centers and scales of all columns."""
        table = as_table(X, estimator, reset=True)
        is_category = _category_mask(estimator.categorical_features, table)
        columns, codes = [], {}
        for j, (name, plain) in enumerate(table):
            by_type = plain.is_category if is_category is None else is_category[j]
            column = learn_column(name, plain, is_category=bool(by_type))
            if column.is_category and plain.kind == "text":
                codes[j] = plain  # made of Python objects, which takes longest
            columns.append(column)
        found = cls(tuple(columns))
        return found, found._matrix(table, estimator, codes)

    def check(self, X: Any, estimator: Any) -> np.ndarray:
        """Return the matrix of a later table with the columns of the training data."""
        return self._matrix(as_table(X, estimator, reset=False), estimator, {})

    def _matrix(self, table: Table, estimator: Any, read: dict[int, Plain]) -> np.ndarray:
        """Return the numbers and codes (n, n_numbers + categories) of a table."""
        dtype = np.float64 if estimator.precision == "float64" else np.float32
        matrix = np.empty((len(table), self.n_numbers + len(self.n_levels)), dtype)
        number, category = 0, self.n_numbers
        if table.is_plain and all(each.is_number for each in self.columns):
            return self._plain_matrix(table, matrix)
        for j, column in enumerate(self.columns):
            plain = read.get(j) or table.read(j)
            if column.is_category:
                column.fill(plain, matrix[:, category : category + 1])
                category += 1
            else:
                column.fill(plain, matrix[:, number : number + len(column.parts)])
                number += len(column.parts)
        return matrix

    def _plain_matrix(self, table: Table, matrix: np.ndarray) -> np.ndarray:
        """Write the numbers of an array, all columns at once."""
        centers = np.array([each.centers[0] for each in self.columns])
        scales = np.array([each.scales[0] for each in self.columns])
        table.refuse_infinity()
        write_numbers(table.X, None, centers, scales, matrix)
        return matrix

    @property
    def n_numbers(self) -> int:
        """Number of columns of the matrix that are numbers."""
        return sum(len(each.parts) for each in self.columns)

    @property
    def n_levels(self) -> tuple[int, ...]:
        """Number of levels of each category; its codes run to two more, less one."""
        return tuple(len(each.levels) for each in self.columns if each.is_category)

    @property
    def names(self) -> tuple[str, ...]:
        """What each column of the matrix is, such as "age" or "sold: weekday"."""
        numbers = [
            f"{each.name}: {part}" if part else str(each.name)
            for each in self.columns
            for part in each.parts
        ]
        return (*numbers, *(str(each.name) for each in self.columns if each.is_category))

    @property
    def may_be_float64(self) -> bool:
        """Whether float64 X may be computed in float64: never, which would cost too much."""
        return False

    @property
    def may_vary_in_length(self) -> bool:
        """Never."""
        return False

    def rows(
        self, X: np.ndarray, device: torch.device, dtype: torch.dtype, module: nn.Module
    ) -> DenseRows:
        """Wrap the matrix."""
        return DenseRows(X, device, dtype)

    def module_arguments(self) -> dict[str, Any]:
        """Return the numbers of columns, of those of the matrix, and of levels."""
        return {
            "n_features_in": self.n_numbers + len(self.n_levels),
            "n_numbers": self.n_numbers,
            "n_levels": self.n_levels,
        }

    def empty_batch(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return zeros (1, n_numbers + categories): centers, and levels that are unknown."""
        n_columns = self.n_numbers + len(self.n_levels)
        return torch.zeros(1, n_columns, device=device, dtype=dtype)

    def sample_shape(self, fewest_steps: int) -> tuple[int, ...]:
        """Return (n_columns,)."""
        return (len(self.columns),)

    def input_module(self, dtype: torch.dtype) -> nn.Module:
        """Return a module from :meth:`to_numbers` to the matrix."""
        return arrange(self.columns, dtype)

    @property
    def has_names(self) -> bool:
        """Whether the columns had names."""
        return any(isinstance(each.name, str) for each in self.columns)

    @property
    def is_plain(self) -> bool:
        """Whether all columns held numbers or booleans."""
        return all(each.kind in PLAIN_KINDS for each in self.columns)

    def require_plain(self) -> None:
        """Raise TypeError unless :attr:`is_plain`."""
        for each in self.columns:
            if each.kind not in PLAIN_KINDS:
                raise TypeError(
                    f"estimator got {KINDS[each.kind]} from the steps before it, in "
                    f"{place_of(each.name, 'column')}; after steps only numbers can be exported. "
                    "An estimator for tables needs no preprocessing: fit it with the table itself."
                )

    def require_numbers(self) -> None:
        """Raise TypeError for a table that has no form as numbers."""
        refuse_what_has_no_number(self.columns)

    def text_codes(self) -> dict[int, dict[str | None, int]]:
        """Return the codes of the texts of columns, by number, None if missing; others are 0."""
        return {j: text_codes(each) for j, each in enumerate(self.columns) if each.kind == "text"}

    def to_numbers(self, X: Any, estimator: Any) -> tuple[np.ndarray, list[np.dtype]]:
        """Return a later table as float64 (n, n_columns), see `_exchange`, and its types."""
        table = as_table(X, estimator, reset=False)
        found = [to_numbers(each, table.read(j)) for j, each in enumerate(self.columns)]
        return np.stack([values for values, _ in found], 1), [dtype for _, dtype in found]

    def to_table(self, numbers: np.ndarray) -> np.ndarray:
        """Return the table (n, n_columns) that numbers stand for, of Python objects."""
        columns = [to_objects(each, numbers[:, j]) for j, each in enumerate(self.columns)]
        return np.stack(columns, 1)

    def make_up(self, n: int, random: np.random.Generator) -> np.ndarray:
        """Return a table (n, n_columns) of random numbers."""
        return np.stack([make_up(each, n, random) for each in self.columns], 1)


# ------------------------------------------------------------------------------------------- table


class Table:
    """Columns of X that are read one by one."""

    def __init__(self, X: Any) -> None:
        self.X = X  # narwhals' DataFrame or an array
        self.is_frame = isinstance(X, nw.DataFrame)
        # narwhals finds all columns as fast as one
        self.series: list[nw.Series[Any]] = list(X.iter_columns()) if self.is_frame else []
        self.names: list[Any] = [_plain_name(each) for each in X.columns] if self.is_frame else []

    def __len__(self) -> int:
        return self.X.shape[0]

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self.X.shape[1]

    @property
    def is_plain(self) -> bool:
        """Whether it is an array of numbers."""
        return not self.is_frame and self.X.dtype.kind in "fiub"

    def name(self, j: int) -> str | int:
        """Return the name of a column, or its number."""
        return self.names[j] if self.is_frame else j

    def read(self, j: int) -> Plain:
        """Read a column."""
        if self.is_frame:
            return read_series(self.series[j], self.name(j))
        # read several times, and in an array by rows a column is as far apart as the whole
        return read_array(np.ascontiguousarray(self.X[:, j]), j)

    def refuse_infinity(self) -> None:
        """Refuse infinite numbers of an array, by their column."""
        if self.X.dtype.kind == "f" and any(np.isinf(part).any() for part in row_parts(self.X)):
            for _ in self:
                pass

    def __iter__(self) -> Iterator[tuple[str | int, Plain]]:
        return ((self.name(j), self.read(j)) for j in range(self.n_columns))


def _plain_name(name: Any) -> str | int:
    return name if type(name) in (str, int) else str(name)


def as_table(X: Any, estimator: Any, *, reset: bool) -> Table:
    """Check shape and names of X, as scikit-learn does, and return it as columns."""
    if nw.dependencies.is_into_dataframe(X):
        frame = nw.from_native(X)
        n_rows, n_columns = frame.shape
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        for count, what in ((n_rows, "sample"), (n_columns, "feature")):
            if not count:
                raise ValueError(
                    f"Found array with 0 {what}(s) (shape={frame.shape}) while a minimum of 1 is "
                    "required."
                )
        return Table(frame)
    if hasattr(X, "collect") and isinstance(nw.from_native(X, pass_through=True), nw.LazyFrame):
        raise TypeError(f"X is a {type(X).__name__}, which is not computed yet: X.collect().")
    if isinstance(X, list | tuple) and np.asarray(X).dtype.kind in "US":
        X = np.array(X, object)  # numbers among strings stay numbers
    is_known = (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype.kind in "fiu"
        and 0 not in X.shape
        and not hasattr(estimator, "feature_names_in_")
        and (reset or X.shape[1] == estimator.n_features_in_)
    )
    if not is_known:
        X = validate_data(estimator, X, reset=reset, **ARRAY_CHECKS)
    elif reset:
        estimator.n_features_in_ = X.shape[1]
    return Table(X)


def _category_mask(given: Any, table: Table) -> np.ndarray | None:
    """Return which columns (n_columns,) are categories; None if their types say so."""
    if isinstance(given, str) and given == "from_dtype":
        return None
    mask = np.zeros(table.n_columns, bool)
    chosen = np.asarray([] if given is None else given)
    if not chosen.size:
        return mask
    types = {type(each) for each in chosen.tolist()}
    if chosen.dtype.kind not in "ibUO" or (chosen.dtype.kind == "O" and types != {str}):
        names = ", ".join(sorted(each.__name__ for each in types))
        raise ValueError(
            f"categorical_features must be an array-like of bool, int or str, got: {names}."
        )
    if chosen.dtype.kind in "UO":
        _mark_names(mask, np.atleast_1d(chosen).tolist(), table)
    elif chosen.dtype.kind == "b":
        if chosen.shape != mask.shape:
            raise ValueError(
                "categorical_features set as a boolean mask must have shape (n_features,), got: "
                f"{chosen.shape}"
            )
        mask |= chosen
    else:
        if chosen.max() >= len(mask) or chosen.min() < 0:
            raise ValueError(
                "categorical_features set as integer indices must be in [0, n_features - 1]"
            )
        mask[chosen] = True
    return mask


def _mark_names(mask: np.ndarray, chosen: list[str], table: Table) -> None:
    """Set those columns of a mask that have a name."""
    if not table.is_frame:
        raise ValueError(
            "categorical_features should be passed as an array of integers or as a boolean mask "
            "when the model is fitted on data without feature names."
        )
    for name in chosen:
        if name not in table.names:
            raise ValueError(
                f"categorical_features has an item value {name!r} which is not a valid feature "
                f"name of the training data. Observed feature names: {table.names}"
            )
        mask[table.names.index(name)] = True
