"""Dates, which are no numbers, are refused with where they are and what to do."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge

from sknn import NeuralClassifier, NeuralRegressor, RecurrentRegressor, TabularRegressor
from sknn.data import check_numbers
from sknn.decomposition import Autoencoder
from sknn.forecasting import RecursiveForecaster, WindowTransformer, smape
from sknn.generative import AdversarialGenerator, frechet_distance
from sknn.preprocessing import MiniRocket, PeriodicEncoder, SmoothRobustScaler
from sknn.sequences import StepClassifier, StepRegressor
from sknn.testing import estimators_to_check

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DAYS = np.arange(24).astype("datetime64[D]")
NUMBERS = np.random.default_rng(0).normal(size=(24, 9))
LABELS = np.arange(24) % 2
TABLE = pd.DataFrame({"level": np.arange(24.0), "when": DAYS, "other": np.arange(24) % 5})
WITHOUT_TABLES = [
    *(each for each in estimators_to_check() if not type(each).__name__.startswith("Tabular")),
    MiniRocket(),
]

HOLDING: dict[str, tuple[Any, str]] = {
    "an array": (DAYS[:, None], r"^X holds dates or durations \(datetime64\[D\]\)"),
    "durations": (DAYS[:, None] - DAYS[0], r"^X .*timedelta64\[D\]"),
    "objects": (TABLE.to_numpy(object), "^X .*Timestamp"),
    "a list": ([[1.0, datetime.date(2020, 1, 1)]], r"^X .*\(date\)"),
    "a table": (TABLE, "^column 'when' of X .*datetime64.*leave it out"),
    "a table of dates": (TABLE[["when"]], "^column 'when' of X"),
    "equal names": (TABLE.set_axis(["a", "a", "b"], axis=1), "^column 'a' of X .*datetime64"),
    "a time zone": (
        TABLE.assign(when=pd.date_range("2020", periods=24, tz="UTC")),
        "^column 'when' of X .*datetime64",
    ),
    "periods": (
        TABLE.assign(when=pd.period_range("2020", periods=24, freq="D")),
        r"^column 'when' of X .*\(Period\)",
    ),
    "times": (TABLE.assign(when=[datetime.time(3)] * 24), r"^column 'when' of X .*\(time\)"),
}


@pytest.mark.parametrize("form", HOLDING)
def test_dates_are_named_in_every_form(form: str) -> None:
    X, message = HOLDING[form]
    with pytest.raises(ValueError, match=message):
        check_numbers(X, dtype="numeric")


def test_dates_in_tables_of_polars_are_named() -> None:
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({"level": np.arange(24.0), "when": DAYS})
    for table in (X, X.with_columns(polars.col("when") - polars.col("when").min())):
        with pytest.raises(ValueError, match=r"^column 'when' of X .*\((Date|Duration.*)\)"):
            check_numbers(table, dtype="numeric")
    assert check_numbers(X[["level"]], dtype="numeric").shape == (24, 1)


def test_other_errors_stay_scikit_learns() -> None:
    with pytest.raises(ValueError, match="not compatible with arrays of bytes/strings"):
        check_numbers([["a", "b"]], dtype="numeric")
    with pytest.raises(ValueError, match="contains NaN"):
        check_numbers([[np.nan]], dtype="numeric")
    with pytest.raises(ValueError, match="inhomogeneous shape"):
        check_numbers([np.zeros((2, 3)), np.zeros((2, 2))], dtype="numeric")


@pytest.mark.parametrize("estimator", WITHOUT_TABLES, ids=lambda each: type(each).__name__)
def test_every_family_refuses_dates_in_fit_and_later(estimator: Any) -> None:
    dates = np.tile(DAYS[:, None], 9)
    table = pd.DataFrame(NUMBERS).add_prefix("x").assign(x8=DAYS)
    for X, message in ((dates, "^X holds dates"), (table, "^column 'x8' of X holds dates")):
        with pytest.raises(ValueError, match=message):
            clone(estimator).fit(X, LABELS)
    few = {"max_iter": 1, "batch_size": 24} if hasattr(estimator, "max_iter") else {}
    model = clone(estimator).set_params(**few).fit(NUMBERS, LABELS)
    later = next(
        getattr(model, name)
        for name in ("predict", "transform", "discriminate")
        if hasattr(model, name)
    )
    with pytest.raises(ValueError, match="^X holds dates"):
        later(dates, *([LABELS] if later.__name__ == "discriminate" else []))


def test_images_and_series_of_dates_are_refused() -> None:
    dates = np.tile(DAYS[:, None, None], (1, 4, 3))
    for estimator in (*WITHOUT_TABLES[2:8], StepClassifier(), AdversarialGenerator()):
        with pytest.raises(ValueError, match="^X holds dates"):
            clone(estimator).fit(dates, LABELS)


DATES, FIRST = np.tile(DAYS[:, None], 3), DAYS[:, None]
SERIES = [each[:5] for each in NUMBERS]
SMALL = {"max_iter": 1, "random_state": 0}
TAKEN_FOR_NUMBERS: dict[str, tuple[Any, Any, str]] = {
    "values": (NeuralRegressor(**SMALL).fit, (NUMBERS, DAYS), "^y holds"),
    "a column of values": (NeuralRegressor(**SMALL).fit, (NUMBERS, TABLE["when"]), "^y holds"),
    "a list of values": (NeuralRegressor(**SMALL).fit, (NUMBERS, DAYS.tolist()), "^y holds"),
    "values of tables": (TabularRegressor(**SMALL).fit, (NUMBERS, DAYS - DAYS[0]), "^y holds"),
    "steps": (StepRegressor(**SMALL).fit, (SERIES, [DAYS[:5]] * 24), r"^y\[0\] holds"),
    "a list of series": (RecurrentRegressor(**SMALL).fit, ([DAYS] * 24, LABELS), r"^X\[0\] holds"),
    "series of objects": (
        RecurrentRegressor(**SMALL).fit,
        ([TABLE.to_numpy(object)] * 24, LABELS),
        r"^X\[0\] holds dates or durations \(Timestamp\)",
    ),
    "weights": (NeuralClassifier(**SMALL).fit, (NUMBERS, LABELS, DAYS), "^sample_weight: it holds"),
    "vectors": (RecurrentRegressor(embedding=DATES, **SMALL).fit, (DATES, LABELS), "^embedding"),
    "a transformer": (PeriodicEncoder().fit, (DATES,), "^X holds .*or use TabularClassifier"),
    "weights of a transformer": (SmoothRobustScaler().fit, (NUMBERS, None, DAYS), "^sample_w"),
    "rows of a list": (PeriodicEncoder().fit, (list(DATES),), "^X holds"),
    "a series to forecast": (RecursiveForecaster(Ridge()).fit, (DAYS,), "^y holds"),
    "covariates": (RecursiveForecaster(Ridge()).fit, (DATES, NUMBERS[:, 0]), "^X holds"),
    "steps of windows": (WindowTransformer(past=2).fit, (DAYS,), "^X holds"),
    "channels of windows": (WindowTransformer(past=2).fit, (DATES,), "^X holds"),
    "forecasts": (smape, (DAYS, DAYS), "^y_true holds"),
    "features": (frechet_distance, (DATES, NUMBERS[:, :3]), "^features holds"),
    "codes": (Autoencoder(1, **SMALL).fit(NUMBERS).inverse_transform, (FIRST,), "^X holds"),
}


@pytest.mark.parametrize("name", TAKEN_FOR_NUMBERS)
def test_dates_are_not_taken_for_numbers(name: str) -> None:
    """NumPy would count them in their unit, as days or nanoseconds since 1970."""
    call, arguments, message = TAKEN_FOR_NUMBERS[name]
    with pytest.raises(ValueError, match=message):
        call(*arguments)


def test_dates_may_be_labels() -> None:
    days = DAYS[LABELS]
    model = NeuralClassifier(**SMALL, batch_size=24).fit(NUMBERS, days)
    assert set(model.predict(NUMBERS)) <= set(days)
