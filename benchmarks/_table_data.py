"""Tables of the benchmark: those of a folder with a list, or the ones that scikit-learn brings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import train_test_split

# Sets with a split of their own, as published scores have it: the first rows are for training.
OWN_SPLITS = {"adult-uci": ("adult", 32_561)}

BUNDLED: dict[str, Callable[..., Any]] = {
    "breast_cancer": load_breast_cancer,
    "wine": load_wine,
    "digits": load_digits,
    "diabetes": load_diabetes,
}


@dataclass(frozen=True)
class Table:
    """Training and test rows: frames of floats and categories; classes are 0, 1, ..."""

    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number."""
        return self.y.dtype.kind == "f"


def table_names() -> list[str]:
    """Return the names of all sets at hand, without those that only split another way."""
    folder = _folder()
    return list(BUNDLED) if folder is None else list(_read_list(folder))


def load_table(name: str, seed: int, cap: int | None) -> Table:
    """Return 70 % and 30 % of a set's rows, drawn with a seed, at most `cap` of each."""
    source, n_train = OWN_SPLITS.get(name, (name, None))
    X, y = _read(source)
    if n_train is not None:
        train, test = np.split(np.arange(len(X)), [n_train])
    else:
        strata = None if y.dtype.kind == "f" else y
        train, test = train_test_split(
            np.arange(len(X)), test_size=0.3, random_state=seed, stratify=strata
        )
        train, test = train[:cap], test[:cap]
    parts = [X.iloc[rows].reset_index(drop=True) for rows in (train, test)]
    return Table(parts[0], y[train], parts[1], y[test])


def _folder() -> Path | None:
    """Return the folder ``tabular`` of the data home, if it has a list of its sets."""
    folder = Path(os.environ.get("SKNN_DATA") or "~/sknn_data").expanduser() / "tabular"
    return folder if (folder / "meta.json").exists() else None


@cache
def _read_list(folder: Path) -> dict[str, Any]:
    """Return for each set its task, its target and its numeric and categorical columns."""
    return json.loads((folder / "meta.json").read_text())


@cache
def _read(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return all rows of a set."""
    folder = _folder()
    if name in BUNDLED:
        bunch = BUNDLED[name](as_frame=True)
        y = bunch.target.to_numpy()
        return bunch.data.astype(np.float64), y.astype(np.float64) if name == "diabetes" else y
    if folder is None or name not in (known := _read_list(folder)):
        raise ValueError(f"No set {name!r}; there are {[*table_names(), *OWN_SPLITS]}.")
    meta = known[name]
    frame = pd.read_csv(
        folder / f"{name}.csv.gz",
        dtype=dict.fromkeys(meta["categorical"], "str"),
        keep_default_na=False,
        na_values=[""],
        float_precision="round_trip",
    )
    X = frame[meta["numeric"] + meta["categorical"]].copy()
    X[meta["numeric"]] = X[meta["numeric"]].astype(np.float64)
    for column in meta["categorical"]:
        X[column] = X[column].astype("category")
    if meta["task"] == "regression":
        return X, frame[meta["target"]].to_numpy(np.float64)
    return X, pd.factorize(frame[meta["target"]].astype("str"), sort=True)[0]
