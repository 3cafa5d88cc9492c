from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknn.datasets import _airline, fetch_airline_passengers

# One row a year, as R prints its data set AirPassengers.
PASSENGERS = """
112 118 132 129 121 135 148 148 136 119 104 118
115 126 141 135 125 149 170 170 158 133 114 140
145 150 178 163 172 178 199 199 184 162 146 166
171 180 193 181 183 218 230 242 209 191 172 194
196 196 236 235 229 243 264 272 237 211 180 201
204 188 235 227 234 264 302 293 259 229 203 229
242 233 267 269 270 315 364 347 312 274 237 278
284 277 317 313 318 374 413 405 355 306 271 306
315 301 356 348 355 422 465 467 404 347 305 336
340 318 362 348 363 435 491 505 404 359 310 337
360 342 406 396 420 472 548 559 463 407 362 405
417 391 419 461 472 535 622 606 508 461 390 432
"""
VALUES = [int(value) for value in PASSENGERS.split()]
MONTHS = [f"{year}-{month:02}" for year in range(1949, 1961) for month in range(1, 13)]
TABLE = "\n".join(
    ["Date,Passengers", *(f"{m},{value}" for m, value in zip(MONTHS, VALUES, strict=True)), ""]
)
QUOTED_TABLE = "\n".join(
    ['"Month","Passengers"', *(f'"{m}",{value}' for m, value in zip(MONTHS, VALUES, strict=True))]
)


def write(home: Path, content: str) -> Path:
    path = home / "series" / "Airline.csv"
    path.parent.mkdir()
    path.write_text(content, encoding="latin-1")
    return path


@pytest.mark.parametrize("table", [TABLE, QUOTED_TABLE, TABLE.replace("\n", "\r\n")])
def test_reads_passengers_and_months(table: str, tmp_path: Path) -> None:
    write(tmp_path, table)
    airline = fetch_airline_passengers(data_home=tmp_path, download_if_missing=False)
    assert_array_equal(airline.data, np.array(VALUES, dtype=np.float64), strict=True)
    assert airline.month.dtype == "datetime64[M]"
    assert airline.month.astype(str).tolist() == MONTHS
    assert airline.feature_names == ["passengers"]
    assert airline.frame is None
    assert "Box" in airline.DESCR and "thousands" in airline.DESCR


def test_as_frame(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    write(tmp_path, TABLE)
    airline = fetch_airline_passengers(data_home=tmp_path, as_frame=True)
    assert isinstance(airline.data, pd.Series)
    assert list(airline.frame.columns) == ["passengers"]
    assert airline.data.loc["1960-07"] == 622
    assert airline.frame.loc["1949-11", "passengers"] == 104
    yearly = airline.data.groupby(airline.data.index.year).sum()
    assert yearly[1949] == sum(VALUES[:12])
    assert len(airline.data) == 144


def test_download_is_kept_under_its_name_here(
    publisher: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (publisher.folder / "airline-passengers.csv").write_text(QUOTED_TABLE)
    file = replace(_airline._AIRLINE, url=f"{publisher.url}/airline-passengers.csv")
    monkeypatch.setattr(_airline, "_AIRLINE", file)
    for _ in range(2):
        assert_array_equal(fetch_airline_passengers(data_home=tmp_path).data, VALUES)
    assert publisher.n_requests == 1
    assert [path.name for path in (tmp_path / "series").iterdir()] == ["Airline.csv"]


def test_download_of_something_else_is_not_kept(
    publisher: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (publisher.folder / "airline-passengers.csv").write_text("<html>Log in first.</html>")
    file = replace(_airline._AIRLINE, url=f"{publisher.url}/airline-passengers.csv")
    monkeypatch.setattr(_airline, "_AIRLINE", file)
    with pytest.raises(OSError, match="did not give the published file: its first line is '<html>"):
        fetch_airline_passengers(data_home=tmp_path)
    assert list((tmp_path / "series").iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: "", "its first line is ''"),
        (lambda text: text.replace(",", ";"), "its first line is 'Date;Passengers', expected"),
        (lambda text: text.replace("1960-12,432\n", ""), "it has 143 months, expected 144"),
        (lambda text: text + "1961-01,450\n", "it has 145 months, expected 144"),
        (
            lambda text: text.replace("1955-03", "1955-04"),
            "a row is '1955-04,267', expected 1955-03",
        ),
        (lambda text: text.replace("1955-03,", "1955-03,1,"), "a row is '1955-03,1,267'"),
        (
            lambda text: text.replace(",622", ",622.5"),
            "of 1960-07 are '622.5', expected a positive",
        ),
        (lambda text: text.replace(",622", ",0"), "of 1960-07 are '0', expected a positive"),
        (lambda text: text.replace(",622", ",-622"), "of 1960-07 are '-622', expected a positive"),
        (lambda text: text.replace(",622", ","), "of 1960-07 are '', expected a positive integer"),
        (lambda text: text.replace(",622", ",6\xb2"), "cannot be decoded"),
    ],
)
def test_damaged_file_is_named(damage: Callable[[str], str], problem: str, tmp_path: Path) -> None:
    path = write(tmp_path, damage(TABLE))
    with pytest.raises(ValueError, match=problem) as e:
        fetch_airline_passengers(data_home=tmp_path)
    assert str(path) in str(e.value)
    assert "Delete it" in str(e.value)


def test_missing_file_names_address_and_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"https://\S+/airline-passengers\.csv by hand into") as e:
        fetch_airline_passengers(data_home=tmp_path, download_if_missing=False)
    assert f"the folder {tmp_path / 'series'} under the name Airline.csv" in str(e.value)


@pytest.mark.parametrize("parameters", [{"data_home": 3}, {"as_frame": None}])
def test_bad_parameter_is_named(parameters: dict[str, Any]) -> None:
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        fetch_airline_passengers(**parameters)


def test_real_passengers(real_data: Callable[[str], Path]) -> None:
    home = real_data("series/Airline.csv")
    airline = fetch_airline_passengers(data_home=home, download_if_missing=False)
    assert_array_equal(airline.data, VALUES)
