"""Tables as matrices, which are written by hand, and what is refused."""

import datetime
import itertools
import pickle
import sys
import tracemalloc
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

from sknn.estimators.tabular import TableFormat, TabularClassifier
from tests.helpers import run_python

pd = pytest.importorskip("pandas")
NAN = np.nan


class Reader(BaseEstimator):
    """What a format reads of an estimator."""

    def __init__(self, categorical_features="from_dtype", precision="auto"):
        self.categorical_features = categorical_features
        self.precision = precision


def learn(X, categorical_features="from_dtype", **parameters):
    """Return an estimator, the format of X and its matrix, to which `check` comes too."""
    reader = Reader(categorical_features, **parameters)
    found, matrix = TableFormat.learn(X, reader)
    np.testing.assert_array_equal(found.check(X, reader), matrix)
    assert (
        matrix.shape
        == (len(X), found.n_numbers + len(found.n_levels))
        == (len(X), len(found.names))
    )
    return reader, found, matrix


# ------------------------------------------------------------------------------------------- types

# The median of 1, 3 and 5 is 3, their interquartile range 4.
NUMBERS = [1, None, 3, 5]
NUMBERS_MATRIX = [-0.5, NAN, 0, 0.5]
FLAGS = [True, None, False, True]
FLAGS_MATRIX = [0, NAN, -1, 0]
TEXTS = ["b", None, "a", "b"]
TEXTS_MATRIX = [3, 1, 2, 3]
# Monday, Tuesday and Wednesday, the 6th to 8th day of the year.
DATES = [
    datetime.datetime(2020, 1, 6),
    None,
    datetime.datetime(2020, 1, 7, 6),
    datetime.datetime(2020, 1, 8, 12),
]
DAYS = [None if each is None else each.date() for each in DATES]
HOURS = [None if each is None else datetime.timedelta(hours=each) for each in NUMBERS]
DECIMALS = [Decimal("1.0"), None, Decimal(3), Decimal(5)]


def pandas_columns():
    """Return columns of pandas, each with the column of the matrix that it becomes."""
    for dtype in ("float64", "float32", "Float64", "Int64", "UInt8", "Int16", "object"):
        yield f"{dtype}", pd.Series(NUMBERS, dtype=dtype), NUMBERS_MATRIX
    for dtype in ("int64", "uint16", "float16"):
        yield f"{dtype}", pd.Series([1, 3, 3, 5], dtype=dtype), [-1, 0, 0, 1]
    yield "bool", pd.Series([True, False, False, True]), [1, 0, 0, 1]
    yield "sparse", pd.Series(pd.arrays.SparseArray([1.0, 3, 3, 5])), [-1, 0, 0, 1]
    for dtype in ("boolean", "object"):
        yield f"{dtype} of bool", pd.Series(FLAGS, dtype=dtype), FLAGS_MATRIX
    for dtype in ("str", "string", "object", "category"):
        yield f"{dtype} of str", pd.Series(TEXTS, dtype=dtype), TEXTS_MATRIX
    yield "object of str and NaN", pd.Series(["b", NAN, "a", "b"], dtype=object), TEXTS_MATRIX
    yield "category of int", pd.Series(NUMBERS, dtype="Int64").astype("category"), [2, 1, 3, 4]
    yield "category of float", pd.Series([1.5, NAN, 0.5, 1.5], dtype="category"), TEXTS_MATRIX
    yield "category of bool", pd.Series(FLAGS, dtype="category"), TEXTS_MATRIX
    ordered = pd.Categorical(["low", "high", None, "low"], ["low", "medium", "high"], ordered=True)
    yield "ordered", pd.Series(ordered), [2, 3, 1, 2]
    in_any_order = pd.Categorical(TEXTS, ["b", "c", "a"])
    yield "in any order", pd.Series(in_any_order), TEXTS_MATRIX
    yield "intervals", pd.cut(pd.Series([9.0, NAN, 1, 9]), 2), TEXTS_MATRIX
    yield "decimals", pd.Series(DECIMALS, dtype=object), NUMBERS_MATRIX
    fractions = pd.Series([Fraction(1), None, Fraction(3), 5], dtype=object)
    yield "fractions", fractions, NUMBERS_MATRIX
    yield "durations", pd.Series(HOURS), NUMBERS_MATRIX
    yield "objects of durations", pd.Series(HOURS, dtype=object), NUMBERS_MATRIX
    durations = [None if each is None else np.timedelta64(each, "h") for each in NUMBERS]
    yield "NumPy's durations", pd.Series(durations, dtype=object), NUMBERS_MATRIX
    yield "None", pd.Series([None] * 4, dtype=object), [NAN] * 4
    yield "NaN", pd.Series([NAN] * 4), [NAN] * 4
    yield "no category", pd.Series([None] * 4, dtype="category"), [1] * 4


@pytest.mark.parametrize(("column", "expected"), [
    pytest.param(column, expected, id=name) for name, column, expected in pandas_columns()
])  # fmt: skip
def test_types_of_pandas(column, expected):
    _, _, matrix = learn(pd.DataFrame({"x": column}))
    np.testing.assert_array_equal(matrix, np.array(expected, np.float32)[:, None])


def arrow_columns():
    """Return types of Arrow, values, and the column of the matrix that they become."""
    arrow = pytest.importorskip("pyarrow")
    for dtype in (arrow.int64(), arrow.float64(), arrow.uint8()):
        yield dtype, NUMBERS, NUMBERS_MATRIX
    yield arrow.bool_(), FLAGS, FLAGS_MATRIX
    yield arrow.string(), TEXTS, TEXTS_MATRIX
    yield arrow.large_string(), TEXTS, TEXTS_MATRIX
    yield arrow.dictionary(arrow.int32(), arrow.string()), TEXTS, TEXTS_MATRIX
    yield arrow.dictionary(arrow.int8(), arrow.int64()), NUMBERS, [2, 1, 3, 4]
    yield arrow.decimal128(10, 2), DECIMALS, NUMBERS_MATRIX
    yield arrow.duration("ms"), HOURS, NUMBERS_MATRIX
    yield arrow.null(), [None] * 4, [NAN] * 4


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_types_of_arrow(library):
    arrow = pytest.importorskip("pyarrow")
    for dtype, values, expected in arrow_columns():
        column = arrow.array(values, dtype)
        if library == "pandas":
            table = pd.DataFrame({"x": pd.Series(column, dtype=pd.ArrowDtype(dtype))})
        else:
            table = arrow.table({"x": column})
        _, _, matrix = learn(table)
        np.testing.assert_array_equal(matrix[:, 0], np.float32(expected), err_msg=str(dtype))


def test_types_of_polars():
    pl = pytest.importorskip("polars")
    for dtype in (
        pl.Float32,
        pl.Float64,
        pl.Int8,
        pl.Int64,
        pl.UInt32,
        pl.Int128,
        pl.Decimal(10, 2),
    ):
        _, _, matrix = learn(pl.DataFrame({"x": pl.Series(NUMBERS, dtype=dtype)}))
        np.testing.assert_array_equal(matrix[:, 0], np.float32(NUMBERS_MATRIX), err_msg=str(dtype))
    table = pl.DataFrame(
        {
            "flag": FLAGS,
            "text": TEXTS,
            "categorical": pl.Series(TEXTS, dtype=pl.Categorical),
            "enum": pl.Series(TEXTS, dtype=pl.Enum(["b", "c", "a"])),
            "duration": HOURS,
            "nan": [1.0, NAN, 3, 5],
            "null": [None] * 4,
            "objects": pl.Series(TEXTS, dtype=pl.Object),
        }
    )
    _, found, matrix = learn(table)
    expected = {
        "flag": FLAGS_MATRIX,
        "duration": NUMBERS_MATRIX,
        "nan": NUMBERS_MATRIX,
        "null": [NAN] * 4,
        "text": TEXTS_MATRIX,
        "categorical": TEXTS_MATRIX,
        "enum": [2, 1, 3, 2],  # in its own order
        "objects": TEXTS_MATRIX,
    }
    assert found.names == tuple(expected)
    np.testing.assert_array_equal(matrix, np.float32(list(expected.values())).T)


# ------------------------------------------------------------------------------------------- dates


def date_tables():
    """Return tables of one column of dates without a time zone, "x"."""
    yield pd.DataFrame({"x": pd.Series(DATES)})
    yield pd.DataFrame({"x": pd.Series(DATES, dtype="datetime64[s]")})
    yield pd.DataFrame({"x": pd.Series(DATES, dtype=object)})
    yield np.array(DATES, "datetime64[m]")[:, None]
    yield np.array(DATES, object)[:, None]
    if "polars" in sys.modules:
        yield sys.modules["polars"].DataFrame({"x": DATES})
    if "pyarrow" in sys.modules:
        yield sys.modules["pyarrow"].table({"x": DATES})


def test_dates():
    for table in date_tables():
        _, found, matrix = learn(table)
        name = found.columns[0].name
        assert found.names == tuple(
            f"{name}: {part}" for part in ("time", "day of year", "weekday", "hour")
        )
        seconds = (DATES[2] - datetime.datetime(1970, 1, 1)).total_seconds()
        assert found.columns[0].centers == (seconds, 7, 1, 6)
        assert found.columns[0].scales == (1 / (2.5 * 86400), 1 / 2, 1 / 2, 1 / 12)
        np.testing.assert_array_equal(matrix, np.float32([NUMBERS_MATRIX] * 4).T)


def test_days():
    pl = pytest.importorskip("polars")
    for table in (pd.DataFrame({"x": pd.Series(DAYS, dtype=object)}), pl.DataFrame({"x": DAYS})):
        _, found, matrix = learn(table)
        # midnight throughout: there is no hour
        assert found.names == ("x: time", "x: day of year", "x: weekday")
        np.testing.assert_array_equal(matrix, np.float32([NUMBERS_MATRIX] * 3).T)


def test_dates_with_a_time_zone():
    # summer time: 22:00 and 4:00 in UTC are 0:00 and 6:00 of the next day in Berlin
    utc = pd.to_datetime(["2020-07-05 22:00", None, "2020-07-07 04:00"], utc=True)
    table = pd.DataFrame({"x": utc.tz_convert("Europe/Berlin")})
    reader, found, _ = learn(table)
    # of two values the median is the smaller, and so is the first quartile
    assert found.columns[0].centers == (utc[0].timestamp(), 31 + 29 + 31 + 30 + 31 + 30 + 6, 0, 0)
    assert found.columns[0].scales == (1 / (30 * 3600), 1, 1, 1 / 6)
    naive = pd.DataFrame({"x": utc.tz_localize(None)})
    with pytest.raises(ValueError, match="Column 'x' holds dates, but .* dates with a time zone"):
        found.check(naive, reader)


def test_a_part_of_a_date_that_does_not_vary_is_left_out():
    table = pd.DataFrame({"x": pd.to_datetime(["2020-01-06 12:00", "2020-01-13 12:00"])})
    _, found, matrix = learn(table)
    assert found.names == ("x: time", "x: day of year")
    np.testing.assert_array_equal(matrix, [[0, 0], [1, 1]])
    _, found, matrix = learn(table.iloc[[0, 0]])
    assert found.names == ("x: time",)
    np.testing.assert_array_equal(matrix, [[0], [0]])


def test_dates_before_1970():
    # a Wednesday and a Thursday
    table = pd.DataFrame({"x": pd.to_datetime(["1969-12-31 18:00", "1900-03-01 00:00"])})
    _, found, _ = learn(table)
    seconds = (datetime.datetime(1900, 3, 1) - datetime.datetime(1970, 1, 1)).total_seconds()
    assert found.columns[0].centers == (seconds, 31 + 28 + 1, 2, 0)
    assert found.columns[0].scales[1:] == (1 / 305, 1, 1 / 18)


# ------------------------------------------------------------------------------------------ arrays


def test_an_array_of_numbers():
    X = np.array([[1, 4], [NAN, 4], [3, 4], [5, 4]])
    expected = np.array([NUMBERS_MATRIX, [0] * 4]).T
    for values in (X, X.astype(np.float32), X.astype(object), X.tolist(), X[::-1][::-1]):
        reader, found, matrix = learn(values)
        assert matrix.dtype == np.float32
        np.testing.assert_array_equal(matrix, expected)
        assert (reader.n_features_in_, found.names) == (2, ("0", "1"))
    _, _, matrix = learn(X, precision="float64")
    assert matrix.dtype == np.float64


def test_an_array_is_what_its_table_is():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)) ** 3
    X[rng.random(X.shape) < 0.1] = NAN
    X[:, 3] = rng.integers(0, 7, 200)
    table = pd.DataFrame(X)
    for categorical in (None, [3]):
        _, _, expected = learn(table, categorical)
        np.testing.assert_array_equal(learn(X, categorical)[2], expected)
        np.testing.assert_array_equal(learn(X.astype(object), categorical)[2], expected)


def test_centers_are_subtracted_in_float64():
    # float32 cannot tell these numbers
    values = 1e9 + np.arange(5.0)
    _, _, matrix = learn(values[:, None])
    np.testing.assert_array_equal(matrix[:, 0], [-1, -0.5, 0, 0.5, 1])


def test_the_farthest_numbers_are_cut_off():
    largest = np.finfo(np.float64).max
    reader, found, _ = learn(np.arange(5.0)[:, None])
    matrix = found.check([[largest], [-largest], [NAN]], reader)
    np.testing.assert_array_equal(matrix[:, 0], np.float32([1e15, -1e15, NAN]))


def test_an_array_of_objects():
    X = np.array([[1, "b", True], [None, None, None], [3, "a", False], [5, "b", True]], object)
    _, found, matrix = learn(X)
    expected = np.float32([NUMBERS_MATRIX, FLAGS_MATRIX, TEXTS_MATRIX]).T
    np.testing.assert_array_equal(matrix, expected)
    assert (found.names, found.n_numbers, found.n_levels) == (("0", "2", "1"), 2, (2,))
    np.testing.assert_array_equal(learn(X.tolist())[2], expected)
    np.testing.assert_array_equal(learn(np.array([["b"], ["a"], ["b"]]))[2], [[3], [2], [3]])


# ----------------------------------------------------------------------------- which are categories

MIXED = pd.DataFrame(
    {"size": [3, 1, 3, 2], "kind": pd.Series(["a", "b", "a", "a"], dtype="category"), "y": 1.0}
)


@pytest.mark.parametrize("chosen", [
    ["size", "kind"], ("kind", "size"), [0, 1], np.array([True, True, False]), [True, True, False],
    np.array(["size", "kind"]), np.array(["size", "kind"], object),
])  # fmt: skip
def test_chosen_categories(chosen):
    _, found, matrix = learn(MIXED, chosen)
    assert (found.n_numbers, found.n_levels, found.names) == (1, (3, 2), ("y", "size", "kind"))
    np.testing.assert_array_equal(matrix, [[0, 4, 2], [0, 2, 3], [0, 4, 2], [0, 3, 2]])


def test_categories_from_types():
    _, found, _ = learn(MIXED)
    assert found.n_levels == (2,)
    # categories that are numbers may be taken for numbers
    table = pd.DataFrame({"x": pd.Series([1, 5, 3], dtype="category")})
    np.testing.assert_array_equal(learn(table, None)[2], learn(table.astype(int), None)[2])


@pytest.mark.parametrize("chosen", [None, [], [False] * 3, ["size"]])
def test_strings_that_are_no_categories_are_refused(chosen):
    with pytest.raises(ValueError, match="Column 'kind' holds strings, such as 'a'.*categorical"):
        learn(MIXED, chosen)


@pytest.mark.parametrize(("chosen", "message"), [
    ([3], r"must be in \[0, n_features - 1\]"),
    ([-1], r"must be in \[0, n_features - 1\]"),
    ([True], "boolean mask must have shape"),
    (["size", "none"], "'none' which is not a valid feature name"),
    ([0.5], "must be an array-like of bool, int or str, got: float"),
    (["size", 1], "'1' which is not|got: int, str"),
    (np.array(["size", 1], object), "got: int, str"),
])  # fmt: skip
def test_choices_that_are_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        learn(MIXED, chosen)


def test_names_need_a_table():
    with pytest.raises(ValueError, match="data without feature names"):
        learn(np.ones((3, 2)), ["size"])


# ------------------------------------------------------------------------------------------- levels


def test_a_level_is_the_same_in_every_type():
    forms = {
        "object": pd.Series(["b", "c", None], dtype=object),
        "str": pd.Series(["b", "c", None]),
        "category": pd.Series(["b", "c", None], dtype="category"),
        "in another order": pd.Series(pd.Categorical(["b", "c", None], ["c", "b", "z"])),
    }
    tables = {name: pd.DataFrame({"x": each}) for name, each in forms.items()}
    if "polars" in sys.modules:
        pl = sys.modules["polars"]
        for dtype in (pl.String, pl.Categorical, pl.Enum(["c", "b"])):
            tables[str(dtype)] = pl.DataFrame({"x": pl.Series(["b", "c", None], dtype=dtype)})
    tables["array"] = np.array([["b"], ["c"], [None]], object)
    for table in list(tables.values())[:-1]:
        reader, found, _ = learn(pd.DataFrame({"x": ["b", "a", "d"]}))
        np.testing.assert_array_equal(found.check(table, reader)[:, 0], [3, 0, 1])
        reader, found, matrix = learn(table, ["x"])
        is_declared = "Enum" in str(getattr(table, "schema", ""))
        expected = [3, 2, 1] if is_declared else [2, 3, 1]
        np.testing.assert_array_equal(matrix[:, 0], expected)


NUMBER_FORMS = {
    "int64": np.array([1, 2, 7]),
    "uint8": np.array([1, 2, 7], np.uint8),
    "float32": np.array([1, 2, 7], np.float32),
    "float64": np.array([1.0, 2, 7]),
    "object": np.array([1, 2.0, Decimal(7)], object),
    "Int64": pd.Series([1, 2, 7], dtype="Int64"),
    "category": pd.Series([1, 2, 7], dtype="category"),
    "category of float": pd.Series([1.0, 2, 7], dtype="category"),
}


@pytest.mark.parametrize(("first", "second"), list(itertools.product(NUMBER_FORMS, repeat=2)))
def test_a_number_is_the_same_level_in_every_type(first, second):
    reader, found, matrix = learn(pd.DataFrame({"x": NUMBER_FORMS[first]}), ["x"])
    np.testing.assert_array_equal(matrix[:, 0], [2, 3, 4])
    later = pd.DataFrame({"x": NUMBER_FORMS[second]})
    np.testing.assert_array_equal(found.check(later, reader)[:, 0], [2, 3, 4])
    np.testing.assert_array_equal(found.check(later[::-1], reader)[:, 0], [4, 3, 2])


def test_levels_of_integers_beyond_float64():
    far = 2**53
    for dtype in ("int64", "uint64", "Int64"):
        reader, found, matrix = learn(
            pd.DataFrame({"x": pd.Series([far + 1, far], dtype=dtype)}), [0]
        )
        np.testing.assert_array_equal(matrix[:, 0], [3, 2])
        later = pd.DataFrame({"x": pd.Series([far + 2, None, far], dtype="Int64")})
        np.testing.assert_array_equal(found.check(later, reader)[:, 0], [0, 1, 2])
    reader, found, matrix = learn(np.array([[2**64 - 1], [2**64 - 2], [0]], np.uint64), [0])
    np.testing.assert_array_equal(matrix[:, 0], [4, 3, 2])
    np.testing.assert_array_equal(found.check(np.array([[-1], [0]]), reader)[:, 0], [0, 2])


def test_levels_of_floats():
    reader, found, matrix = learn(np.array([[0.5], [-1], [NAN], [2**70]]), [0])
    np.testing.assert_array_equal(matrix[:, 0], [3, 2, 1, 4])
    later = found.check(np.array([[0.25], [-1], [0.5]]), reader)
    np.testing.assert_array_equal(later[:, 0], [0, 2, 3])
    np.testing.assert_array_equal(found.check(np.array([[-1], [0]]), reader)[:, 0], [2, 0])


def test_flags_as_categories():
    reader, found, matrix = learn(pd.DataFrame({"x": pd.Series(FLAGS, dtype="boolean")}), ["x"])
    np.testing.assert_array_equal(matrix[:, 0], TEXTS_MATRIX)
    later = pd.DataFrame({"x": [1, 0, 2]})
    np.testing.assert_array_equal(found.check(later, reader)[:, 0], [3, 2, 0])


def test_dates_as_categories():
    _, _, matrix = learn(pd.DataFrame({"x": pd.Series(DATES)}), ["x"])
    np.testing.assert_array_equal(matrix[:, 0], [2, 1, 3, 4])


def test_missing_values_and_levels_that_training_had_not():
    train = pd.DataFrame(
        {"number": [1.0, 3, 5], "flag": [True, False, True], "text": ["a", "b", "a"]}
    )
    reader, found, _ = learn(train)
    later = pd.DataFrame({"number": [None, 3.0], "flag": [None, True], "text": [None, "c"]})
    expected = np.float32([[NAN, NAN, 1], [0, 0, 0]])
    np.testing.assert_array_equal(found.check(later, reader), expected)
    nothing = pd.DataFrame({name: [None, None] for name in train})
    np.testing.assert_array_equal(found.check(nothing, reader), np.float32([[NAN, NAN, 1]] * 2))


def test_columns_without_any_value_stay_so():
    table = pd.DataFrame({"a": [NAN, NAN], "b": pd.Series([None, None], dtype=object)})
    reader, found, matrix = learn(table)
    later = pd.DataFrame({"a": [3.0, NAN], "b": ["x", None]})
    np.testing.assert_array_equal(found.check(later, reader), matrix)
    table = pd.DataFrame({"a": pd.Series([None, None], dtype="category")})
    reader, found, _ = learn(table)
    later = pd.DataFrame({"a": ["x", None]})
    np.testing.assert_array_equal(found.check(later, reader)[:, 0], [0, 1])


def test_many_levels():
    names = np.array([f"level {i:05}" for i in range(10_000)])
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(10_000), 3))
    for dtype in ("str", "object", "category"):
        table = pd.DataFrame({"x": pd.Series(names[order], dtype=dtype)})
        reader, found, matrix = learn(table)
        assert found.n_levels == (10_000,)
        np.testing.assert_array_equal(matrix[:, 0], order + 2)
        few = table.iloc[[5, 7, 5]].copy()
        few.iloc[1, 0] = None
        np.testing.assert_array_equal(
            found.check(few, reader)[:, 0], [order[5] + 2, 1, order[5] + 2]
        )


def test_more_rows_than_are_read_at_once():
    n = 2**16 + 7
    flags = np.random.default_rng(0).integers(0, 2, n)
    table = pd.DataFrame({"x": np.array(["b", "a"])[flags], "y": flags, "z": flags.astype(object)})
    _, _, matrix = learn(table)
    center = np.quantile(flags, 0.5, method="inverted_cdf")
    expected = np.column_stack([flags - center, flags - center, 3 - flags])
    np.testing.assert_array_equal(matrix, expected)


def test_many_columns_one_row_and_one_column():
    X = np.random.default_rng(0).normal(size=(30, 500))
    table = pd.DataFrame(X, columns=[f"x{i}" for i in range(500)])
    reader, found, matrix = learn(table)
    np.testing.assert_array_equal(matrix, learn(X)[2])
    np.testing.assert_array_equal(found.check(table[3:4], reader), matrix[3:4])
    np.testing.assert_array_equal(learn(table[:1])[2], np.zeros((1, 500)))
    assert learn(table[["x7"]])[2].shape == (30, 1)


# -------------------------------------------------------------------------------- names and order


def test_names_and_order_of_columns():
    table = pd.DataFrame({"a": [1.0, 2], "b": [3.0, 4]})
    reader, found, _ = learn(table)
    assert reader.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        found.check(table[["b", "a"]], reader)
    with pytest.raises(ValueError, match="unseen at fit time:\n- c"):
        found.check(table.rename(columns={"b": "c"}), reader)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        found.check(table.to_numpy(), reader)
    reader, found, _ = learn(table.to_numpy())
    with pytest.raises(ValueError, match="X has 3 features, but Reader is expecting 2"):
        found.check(np.ones((2, 3)), reader)
    with pytest.raises(ValueError, match="X has 1 features, but Reader is expecting 2"):
        found.check(np.ones((2, 1)), reader)
    with pytest.warns(UserWarning, match="X has feature names, but"):
        found.check(table, reader)


def test_names_of_an_earlier_fit_are_forgotten():
    reader = Reader()
    TableFormat.learn(pd.DataFrame({"a": [1.0, 2]}), reader)
    TableFormat.learn(np.ones((2, 3)), reader)
    assert (reader.n_features_in_, hasattr(reader, "feature_names_in_")) == (3, False)


def test_names_that_are_not_strings():
    _, found, _ = learn(pd.DataFrame(np.eye(2), columns=[7, 8]))
    assert found.names == ("7", "8")
    columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    _, found, _ = learn(pd.DataFrame(np.eye(2), columns=columns))
    assert found.names == ("('a', 1)", "('a', 2)")


# ----------------------------------------------------------------------------------------- refusals


def test_names_that_occur_twice_are_refused():
    with pytest.raises(ValueError, match=r"unique column names.*\n.*'a' 2 times"):
        learn(pd.DataFrame(np.eye(3), columns=["a", "b", "a"]))


def refused():
    """Return columns, the error, and its message."""
    several = "Column 'x' holds values of different types, int, str"
    yield pd.Series([1, "a"], dtype=object), ValueError, several
    yield pd.Series(pd.Categorical([1, "a"])), ValueError, several
    yield pd.Series([datetime.date(2020, 1, 1), 1.5], dtype=object), ValueError, "Column 'x' holds"
    yield pd.Series([1.0, np.inf]), ValueError, "contains infinity .*: Column 'x'"
    yield pd.Series([1, -np.inf], dtype=object), ValueError, "contains infinity .*: Column 'x'"
    yield pd.Series([10**400, 1], dtype=object), ValueError, "contains infinity .*: Column 'x'"
    yield pd.Series([1j, 2]), ValueError, "Complex data not supported\nColumn 'x'"
    aware = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    yield pd.Series([aware, None], dtype=object), ValueError, "Column 'x' .*pandas.to_datetime"
    others = {
        "list": [1],
        "dict": {},
        "bytes": b"a",
        "time": datetime.time(3),
        "Period": pd.Period("2020-01"),
        "Interval": pd.Interval(0, 1),
        "date, timedelta": datetime.timedelta(1),
    }
    for found, value in others.items():
        first = datetime.date(2020, 1, 1) if "," in found else None
        column = pd.Series([first, value], dtype=object)
        yield column, TypeError, f"strings, numbers, .*column 'x' holds {found}"


@pytest.mark.parametrize(("column", "error", "message"), list(refused()))
def test_columns_that_are_refused(column, error, message):
    with pytest.raises(error, match=message):
        learn(pd.DataFrame({"good": [1.0, 2], "x": column}))


def test_columns_of_polars_that_are_refused():
    pl = pytest.importorskip("polars")
    for value in ([1], {"a": 1}, b"a", datetime.time(3)):
        with pytest.raises(TypeError, match="column 'x' holds (List|Struct|Binary|Time)"):
            learn(pl.DataFrame({"x": [value]}))
    with pytest.raises(TypeError, match=r"X is a LazyFrame.*collect"):
        learn(pl.LazyFrame({"x": [1]}))


@pytest.mark.parametrize(("later", "message"), [
    ({"x": ["a"], "y": ["a"]}, "Column 'x' holds strings, but .* held numbers"),
    ({"x": [1], "y": [1]}, "Column 'y' holds numbers, but in the training data it held strings"),
    ({"x": [pd.Timestamp(0)], "y": ["a"]}, "Column 'x' holds dates, but .* numbers"),
    ({"x": [pd.Timedelta(1)], "y": ["a"]}, "Column 'x' holds durations, but .* numbers"),
    ({"x": [np.inf], "y": ["a"]}, "infinity .*: Column 'x'"),
])  # fmt: skip
def test_later_columns_that_are_refused(later, message):
    reader, found, _ = learn(pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}))
    with pytest.raises(ValueError, match=message):
        found.check(pd.DataFrame(later), reader)


def test_an_infinite_number_of_an_array_is_refused_by_column():
    reader, found, _ = learn(np.eye(3))
    X = np.eye(3)
    X[1, 2] = -np.inf
    X[0, 0] = NAN
    with pytest.raises(ValueError, match="infinity .*: Column 2"):
        found.check(X, reader)
    with pytest.raises(ValueError, match="infinity .*: Column 2"):
        learn(X)


@pytest.mark.parametrize("table", [pd.DataFrame({"x": []}), pd.DataFrame(index=[0, 1])])
def test_empty_tables(table):
    with pytest.raises(ValueError, match="Found array with 0 (sample|feature)"):
        learn(table)


def test_what_is_no_table():
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        learn(np.arange(3.0))
    with pytest.raises(ValueError, match="Expected a 2-dimensional container"):
        learn(pd.Series([1.0, 2]))
    with pytest.raises(ValueError, match="Found array with dim 3"):
        learn(np.ones((2, 2, 2)))


# ------------------------------------------------------------------------------------------ storage


def test_a_format_is_plain_data():
    # so that it can be read where there is another pandas, or none
    table = pd.DataFrame({"number": NUMBERS, "text": TEXTS, "date": pd.Series(DATES)})
    table["category"] = table["text"].astype("category")
    table["cut"] = pd.cut(pd.Series([9.0, NAN, 1, 9]), 2)
    _, found, _ = learn(table, [1, 3, 4])
    assert b"pandas" not in pickle.dumps(found)
    assert pickle.loads(pickle.dumps(found)) == found


def test_arrays_need_no_pandas():
    code = """
    import sys
    sys.modules |= dict.fromkeys(["pandas", "polars", "pyarrow"])  # none can be imported
    import numpy as np
    from sklearn.base import BaseEstimator
    from sknn.estimators.tabular import TableFormat

    class Reader(BaseEstimator):
        categorical_features, precision = "from_dtype", "auto"

    print(TableFormat.learn(np.eye(2), Reader())[1].tolist())
    X = np.array([[1.0, "a"], [None, None], [np.nan, "b"]], object)
    print(TableFormat.learn(X, Reader())[1].tolist())
    """
    assert run_python(code).splitlines() == [
        "[[1.0, 0.0], [0.0, 1.0]]",
        "[[0.0, 2.0], [nan, 1.0], [nan, 3.0]]",
    ]


# ------------------------------------------------------------------------------------------- memory


def test_a_matrix_is_made_with_little_more_than_its_own_memory():
    n = 200_000
    numbers = np.random.default_rng(0).normal(size=(n, 16)).astype(np.float32)
    table = pd.DataFrame({f"x{j}": column for j, column in enumerate(numbers.T)})
    for j in range(4):
        codes = np.arange(n) % (10 ** (j + 1))
        table[f"c{j}"] = pd.Categorical.from_codes(codes, [f"{i}" for i in range(10 ** (j + 1))])
    for X in (table, numbers):
        reader = Reader()
        tracemalloc.start()
        found, matrix = TableFormat.learn(X, reader)
        _, learning = tracemalloc.get_traced_memory()
        del matrix
        tracemalloc.reset_peak()
        matrix = found.check(X, reader)
        _, checking = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert matrix.nbytes == n * X.shape[1] * 4
        assert max(learning, checking) < 1.5 * matrix.nbytes


# ------------------------------------------------------------------------------------------ whole


def test_an_estimator_answers_alike_to_all_tables():
    pl = pytest.importorskip("polars")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=40), "i": pd.array([1, None] * 20, dtype="Int64")})
    table["text"] = pd.Series(["a", "b", None, "c"] * 10)
    table["kind"] = table["text"].astype("category")
    table["day"] = pd.date_range("2020-01-01", periods=40, tz="Europe/Berlin")
    y = (table["x"] > 0).to_numpy()
    model = TabularClassifier(
        hidden_layer_sizes=(8,), n_estimators=2, max_iter=5, early_stopping=False, random_state=0
    )
    expected = model.fit(table, y).predict_proba(table)
    for other in (pl.from_pandas(table), table.astype({"text": object, "kind": object})):
        np.testing.assert_allclose(model.predict_proba(other), expected, rtol=1e-6)
        again = clone(model).fit(other, y)
        np.testing.assert_allclose(again.predict_proba(table), expected, rtol=1e-6)
    np.testing.assert_allclose(model.predict_proba(table[:1]), expected[:1], rtol=1e-6)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        model.predict(table[table.columns[::-1]])


# ----------------------------------------------------------------------------------- to the network


def test_what_a_network_gets():
    torch = pytest.importorskip("torch")
    _, found, matrix = learn(MIXED)
    rows = found.rows(matrix, torch.device("cpu"), torch.float32, torch.nn.Identity())
    np.testing.assert_array_equal(rows.slice(0, 4).numpy(), matrix)
    assert found.module_arguments() == {"n_features_in": 3, "n_numbers": 2, "n_levels": (2,)}
    assert found.empty_batch(torch.device("cpu"), torch.float32).tolist() == [[0, 0, 0]]
    assert found.sample_shape(1) == (3,)
    assert not found.may_be_float64 and not found.may_vary_in_length
    cast = found.input_module(torch.float64)(torch.from_numpy(matrix))
    assert cast.dtype == torch.float64
