"""What those are told who come from other packages."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sknn.forecasting import RecursiveForecaster

pd = pytest.importorskip("pandas")

MONTHS = pd.date_range("2020-01", periods=40, freq="MS")
Y = pd.Series(np.random.default_rng(0).normal(size=40), MONTHS)


def ridge(**columns: Any) -> RecursiveForecaster:
    return RecursiveForecaster(Ridge(), past=6, **columns)


@pytest.mark.parametrize("steps", [[1, 2, 3], np.arange(1, 4)])
def test_steps_ahead_are_counted(steps: Any) -> None:
    with pytest.raises(ValueError, match=r"number of steps is asked for by predict\(horizon\)"):
        ridge().fit(Y).predict(steps)


def test_a_column_of_texts_that_are_dates() -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": MONTHS.astype(str), "y": Y.to_numpy()})
    model = ridge(id_column="unique_id", time_column="ds", target_column="y")
    with pytest.raises(ValueError, match=r"y\['ds'\] = pd.to_datetime\(y\['ds'\]\)"):
        model.fit(frame)
    forecast = model.fit(frame.assign(ds=pd.to_datetime(frame["ds"]))).predict(1)
    assert forecast["ds"].tolist() == [pd.Timestamp("2023-05-01")]


def test_dates_of_the_future_that_are_no_steps() -> None:
    X = pd.DataFrame({"price": np.arange(43.0)}, pd.date_range("2020-01", periods=43, freq="MS"))
    model = ridge().fit(Y, X)
    ends = X[40:].set_axis(X.index[40:] + pd.offsets.MonthEnd(0))
    with pytest.raises(ValueError, match="Its date 2023-07-31 is no step of y.* steps of 'MS'"):
        model.predict(ends)
