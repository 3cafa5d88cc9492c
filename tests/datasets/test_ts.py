import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn.datasets._ts import read_ts

CLASSES = "@problemName Hand\n@timeStamps false\n@classLabel true a b\n@data\n"
NUMBERS = "@problemName Hand\n@timeStamps false\n@targetlabel true\n@data\n"


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def test_channels_become_columns_and_series_follow_one_another() -> None:
    series = read_ts(lines(CLASSES + "1,2,3:-1,-2,-3:a\n4.5,5e0:0.25,-.5:b\n"))
    expected = [[1, -1], [2, -2], [3, -3], [4.5, 0.25], [5, -0.5]]
    assert_array_equal(series.values, np.array(expected, dtype=np.float32), strict=True)
    assert_array_equal(series.lengths, np.array([3, 2]), strict=True)
    assert_array_equal(series.target, np.array(["a", "b"]), strict=True)


def test_numbers_to_predict_are_in_double_precision() -> None:
    series = read_ts(lines(NUMBERS + "1,2:0.1\n3,4:-2e-3\n"))
    assert_array_equal(series.target, np.array([0.1, -0.002]), strict=True)


@pytest.mark.parametrize("missing", ["?", " ? ", "NaN", "nan"])
def test_missing_values_are_nan(missing: str) -> None:
    series = read_ts(lines(CLASSES + f"1,{missing},3:a\n"))
    assert_array_equal(series.values[:, 0], np.array([1, np.nan, 3], dtype=np.float32))


def test_comments_blank_lines_spaces_and_case_do_not_matter() -> None:
    text = (
        "# a comment: 1,2\n%another\n\n@PROBLEMNAME x\n@TimeStamps  False\n@univariate\ttrue\n"
        "@EQUALLENGTH true\n@seriesLength 2\n@unknown 3 4\n@classlabel TRUE Run walk\n@DATA\n"
        "# in between\n 1, 2 : Run \r\n\n3,4:Walk"
    )
    series = read_ts(lines(text))
    assert_array_equal(series.values[:, 0], [1, 2, 3, 4])
    # labels as they stand in the lines of the series
    assert series.target.tolist() == ["Run", "Walk"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has no line @data"),
        ("@classLabel true a b\n", "it has no line @data"),
        ("1,2:a\n@data\n", "line 1: '1,2:a' before the line @data"),
        ("@data\n1:a\n", "announces neither class labels nor a target"),
        ("@classLabel false\n@targetlabel false\n@data\n1:a\n", "announces neither class"),
        ("@classLabel true\n@data\n1:a\n", "announces neither class"),
        ("@timeStamps true\n@data\n", "line 1: series with time stamps are not supported"),
        ("\n@univariate maybe\n", "line 2: @univariate is 'maybe', expected true or false"),
        ("@equalLength\n", "line 1: @equallength is '', expected true or false"),
        ("@targetlabel true 3\n", "line 1: @targetlabel is 'true 3', expected true or false"),
        (CLASSES, "it has no series"),
        (CLASSES + "1,2\n", "line 5: there is no ':' between the values and the target"),
        (CLASSES + "1,2:a\n1,x:a\n", "line 6: could not convert string to float: 'x'"),
        (CLASSES + "1,2,:a\n", "line 5: could not convert string to float: ''"),
        (CLASSES + "(0,1),(1,2):a\n", "line 5: could not convert string to float"),
        (CLASSES + "1,inf:a\n", "line 5: a value is infinite, or too large for single"),
        (CLASSES + "1,1e39:a\n", "line 5: a value is infinite, or too large for single"),
        (CLASSES + "1,2:c\n", "line 5: the class label is 'c', which the header does not name"),
        (CLASSES + "1,2:\n", "line 5: the class label is ''"),
        (CLASSES + "1,2:1,2,3:a\n", "line 5: its channels have from 2 to 3 values"),
        (CLASSES + "1,2:1,2:a\n1,2:a\n", "line 6: it has 1 channels, and the first series 2"),
        (NUMBERS + "1,2:a\n", "line 5: could not convert string to float: 'a'"),
        (NUMBERS + "1,2:nan\n", "line 5: the target is 'nan', expected a finite number"),
        (NUMBERS + "1,2:?\n", "line 5: could not convert string to float: '?'"),
        ("@univariate true\n" + CLASSES + "1:2:a\n", "line 6: it has 2 channels, and the header"),
        (
            "@equalLength true\n" + CLASSES + "1,2:a\n1,2,3:b\n",
            "line 7: it has 3 values a channel, the first series 2, and the header announces equal",
        ),
    ],
)
def test_errors_name_the_line_and_the_problem(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        read_ts(lines(text))
