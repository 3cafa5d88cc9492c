"""How good and how costly networks for tables are beside ensembles of trees."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from statistics import fmean, median
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from tqdm import tqdm

from sknn import NeuralClassifier, NeuralRegressor, TabularClassifier, TabularRegressor

from ._measure import Options, quiet, report
from ._report import Row, format_duration
from ._table_data import OWN_SPLITS, Table, load_table, table_names

QUANTILES = (0.1, 0.9)
N_BINS = 15  # of the calibration error

OURS, HIST, LIGHT, CAT, DENSE = "sknn.Tabular", "HistGB", "LightGBM", "CatBoost", "dense"


# ----------------------------------------------------------------------------------- contenders


def _is_category(X: pd.DataFrame) -> list[bool]:
    return [isinstance(dtype, pd.CategoricalDtype) for dtype in X.dtypes]


def _tabular(table: Table, seed: int, **parameters: Any) -> Any:
    kind = TabularRegressor if table.is_regression else TabularClassifier
    return kind(random_state=seed, **parameters)


def _hist(table: Table, seed: int, **parameters: Any) -> Any:
    kind = HistGradientBoostingRegressor if table.is_regression else HistGradientBoostingClassifier
    model = kind(random_state=seed, categorical_features="from_dtype", **parameters)
    return make_pipeline(FunctionTransformer(_number_many_levels), model)


def _number_many_levels(X: pd.DataFrame) -> pd.DataFrame:
    """Number the levels of categories that have more than HistGradientBoosting takes."""
    many = [name for name in X.columns[_is_category(X)] if len(X[name].cat.categories) > 255]
    return X.assign(**{name: X[name].cat.codes.where(X[name].notna()) for name in many})


def _light(table: Table, seed: int) -> Any:
    import lightgbm

    kind = lightgbm.LGBMRegressor if table.is_regression else lightgbm.LGBMClassifier
    return kind(random_state=seed, verbose=-1)


class _CatBoost:
    """CatBoost with its defaults; it takes no missing categories, so they are a level."""

    def __init__(self, table: Table, seed: int) -> None:
        import catboost

        kind = catboost.CatBoostRegressor if table.is_regression else catboost.CatBoostClassifier
        self._model = kind(random_seed=seed, verbose=0, allow_writing_files=False)

    @staticmethod
    def _strings(X: pd.DataFrame) -> pd.DataFrame:
        categories = X.columns[_is_category(X)]
        return X.assign(**{c: X[c].astype("object").fillna("missing") for c in categories})

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> _CatBoost:
        categories = list(X.columns[_is_category(X)])
        self._model.fit(self._strings(X), y, cat_features=categories)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return np.ravel(self._model.predict(self._strings(X)))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return self._model.predict_proba(self._strings(X))


def _dense(table: Table, seed: int) -> Any:
    """Return the dense pair, tuned, behind what its users write for a table."""
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": (128, 128),
        "n_estimators": 8,
        "solver": "adamw",
        "learning_rate": "cosine",
        "dropout": 0.1,
        "early_stopping": True,
        "random_state": seed,
    }
    is_category = np.array(_is_category(table.X))
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ~is_category),
        (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10), is_category),
        sparse_threshold=0,
    )
    if not table.is_regression:
        return make_pipeline(encode, NeuralClassifier(**parameters))
    pipeline = make_pipeline(encode, NeuralRegressor(**parameters))
    return TransformedTargetRegressor(pipeline, transformer=StandardScaler())


CONTENDERS: dict[str, Callable[[Table, int], Any]] = {
    OURS: _tabular,
    HIST: _hist,
    LIGHT: _light,
    CAT: _CatBoost,
    DENSE: _dense,
}
PACKAGES = {LIGHT: "lightgbm", CAT: "catboost"}


def contenders_at_hand(names: Iterable[str]) -> list[str]:
    """Return ours and those of `names` (all, if there are none) whose packages are installed."""
    wanted = [OURS, *(names or [name for name in CONTENDERS if name != OURS])]
    for name in wanted:
        if name not in CONTENDERS:
            raise ValueError(f"No contender {name!r}; there are {list(CONTENDERS)}.")
    missing = [
        name
        for name in wanted
        if name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is None
    ]
    if missing:
        print(f"Left out: {', '.join(missing)}. pip install 'sknn[bench]' brings them.")
    return [name for name in dict.fromkeys(wanted) if name not in missing]


# --------------------------------------------------------------------------------------- scores


@dataclass(frozen=True)
class Outcome:
    """What one fit gave: on test rows the loss is log loss or root mean squared error."""

    loss: float
    fit_wall: float
    fit_cpu: float
    predict_wall: float
    accuracy: float = math.nan  # R2 for regression
    calibration: float = math.nan


def calibration_error(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the expected calibration error, in bins of equal numbers of rows.

    Of two classes it is the second's probability that is compared with its share; of more classes
    the largest probability, with how often that class is right.
    """
    if probabilities.shape[1] == 2:
        claimed, occurs = probabilities[:, 1], y == 1
    else:
        claimed, occurs = probabilities.max(axis=1), y == probabilities.argmax(axis=1)
    bins = np.array_split(np.argsort(claimed, kind="stable"), N_BINS)
    return float(
        sum(abs(claimed[rows].sum() - occurs[rows].sum()) for rows in bins if len(rows))
        / len(claimed)
    )


def measure(table: Table, model: Any) -> Outcome:
    """Fit and score one model."""
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(table.X, table.y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    start = time.perf_counter()
    answers = (model.predict if table.is_regression else model.predict_proba)(table.X_test)
    seconds = time.perf_counter() - start
    y = table.y_test
    if table.is_regression:
        loss = float(root_mean_squared_error(y, answers))
        return Outcome(loss, wall, cpu, seconds, accuracy=1 - loss**2 / float(y.var()))
    return Outcome(
        float(log_loss(y, answers, labels=np.arange(answers.shape[1]))),
        *(wall, cpu, seconds),
        accuracy=float(np.mean(answers.argmax(axis=1) == y)),
        calibration=calibration_error(y, answers),
    )


def average(outcomes: list[Outcome]) -> Outcome:
    """Return the means of several seeds."""
    return Outcome(*(fmean(getattr(o, f.name) for o in outcomes) for f in fields(Outcome)))


# ---------------------------------------------------------------------------------------- tables


def _describe(outcome: Outcome, is_regression: bool) -> str:
    if is_regression:
        return f"RMSE {outcome.loss:.5g}, R2 {outcome.accuracy:.4f}"
    return (
        f"log loss {outcome.loss:.4f}, acc {outcome.accuracy:.4f}, "
        f"calibration error {outcome.calibration:.4f}"
    )


def format_losses(means: dict[str, dict[str, Outcome]]) -> str:
    """Return losses a set and contender, and what they make of all sets."""
    names = list(next(iter(means.values())))
    lines = [["loss", *names]]
    for title, outcomes in means.items():
        lines.append([title, *(_format_loss(outcomes[name].loss) for name in names)])

    def over_sets(title: str, text: Callable[[str], str]) -> None:
        lines.append([title, *(text(name) for name in names)])

    def each(name: str, field: str) -> list[float]:
        return [getattr(outcomes[name], field) for outcomes in means.values()]

    def ratio(name: str) -> float:
        pairs = zip(each(OURS, "loss"), each(name, "loss"), strict=True)
        return math.exp(fmean(math.log(ours / theirs) for ours, theirs in pairs))

    def worst(name: str) -> float:
        return max(a / b for a, b in zip(each(OURS, "loss"), each(name, "loss"), strict=True))

    over_sets("ours / theirs, geometric mean", lambda name: f"{ratio(name):.3f}")
    over_sets("ours / theirs, largest", lambda name: f"{worst(name):.3f}")
    for field, title in (
        ("fit_cpu", "fit, CPU seconds, median"),
        ("fit_wall", "fit, seconds, median"),
        ("predict_wall", "predict, seconds, median"),
    ):
        over_sets(title, lambda name, field=field: f"{median(each(name, field)):.2f}")
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([title.ljust(widths[0]), *map(str.rjust, cells, widths[1:])])
        for title, *cells in lines
    )


def _format_loss(loss: float) -> str:
    return f"{loss:.4f}" if loss < 10 else f"{loss:,.1f}" if loss < 1000 else f"{loss:,.0f}"


def run_tabular(options: Options) -> list[Row]:
    """Scores of default fits on tables, beside ensembles of trees and the dense pair.

    The sets are those of the folder ``tabular`` of the data home, else scikit-learn's own.
    """
    short = options.quick or options.overview
    names = contenders_at_hand(options.peers)
    rows: list[Row] = []
    means: dict[str, dict[str, Outcome]] = {}
    for title in options.sets or table_names()[: 2 if short else None]:
        seeds = 1 if short or title in OWN_SPLITS else options.seeds
        tables = [load_table(title, seed, options.cap or None) for seed in range(seeds)]
        outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
        total = seeds * len(names)
        with quiet(), tqdm(total=total, desc=title, leave=False, disable=None) as bar:
            for seed, table in enumerate(tables):
                for name in names:
                    outcomes[name].append(measure(table, CONTENDERS[name](table, seed)))
                    bar.update()
        means[title] = {name: average(each) for name, each in outcomes.items()}
        rows += [
            report(
                Row(
                    _title(title, tables),
                    name,
                    seconds=[each.fit_wall for each in outcomes[name]],
                    score=_describe(outcome, tables[0].is_regression),
                    latency=format_duration(outcome.predict_wall),
                )
            )
            for name, outcome in means[title].items()
        ]
    print(f"\n{format_losses(means)}")
    return rows


def _title(name: str, tables: list[Table]) -> str:
    return f"{name}, {len(tables[0].X):,} rows, seeds {len(tables)}"


def run_tabular_intervals(options: Options) -> list[Row]:
    """Share of test rows between predicted quantiles 0.1 and 0.9: 80 % is what they claim."""
    short = options.quick or options.overview
    seeds = 1 if short else options.seeds
    rows: list[Row] = []
    shares: dict[str, list[float]] = {name: [] for name in INTERVALS}
    for title in options.sets or table_names():
        if not load_table(title, 0, options.cap or None).is_regression:
            continue
        tables = [load_table(title, seed, options.cap or None) for seed in range(seeds)]
        for name, predict in INTERVALS.items():
            share = fmean(
                _share_inside(table, *predict(table, i)) for i, table in enumerate(tables)
            )
            shares[name].append(share)
            rows.append(report(Row(_title(title, tables), name, score=f"inside {share:.1%}")))
        if short:
            break
    for name, each in shares.items():
        if each:
            print(f"{name}: inside {fmean(each):.1%}, mean of the sets")
    return rows


def _share_inside(table: Table, lower: np.ndarray, upper: np.ndarray) -> float:
    return float(np.mean((lower <= table.y_test) & (table.y_test <= upper)))


def _our_quantiles(table: Table, seed: int) -> tuple[np.ndarray, np.ndarray]:
    model = _tabular(table, seed, loss="quantile", quantiles=QUANTILES)
    answers = model.fit(table.X, table.y).predict(table.X_test)
    return answers[:, 0], answers[:, 1]


def _hist_quantiles(table: Table, seed: int) -> tuple[np.ndarray, np.ndarray]:
    models = [_hist(table, seed, loss="quantile", quantile=q) for q in QUANTILES]
    lower, upper = (model.fit(table.X, table.y).predict(table.X_test) for model in models)
    return lower, upper


INTERVALS: dict[str, Callable[[Table, int], tuple[np.ndarray, np.ndarray]]] = {
    OURS: _our_quantiles,
    HIST: _hist_quantiles,
}
