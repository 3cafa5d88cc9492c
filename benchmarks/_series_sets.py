"""How good and how costly the families for series are, over many sets and seeds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import sknn

from ._measure import Options, quiet
from ._report import Row
from ._series_data import SeriesSet, archive_folder, series_sets


def _family(name: str, **parameters: Any) -> Callable[[SeriesSet, int], Any]:
    """Return what makes an estimator of a family: a classifier, or a regressor for numbers."""

    def make(data: SeriesSet, seed: int) -> Any:
        kind = getattr(sknn, f"{name}{'Regressor' if data.is_regression else 'Classifier'}")
        return kind(random_state=seed, **parameters)

    return make


def _dense(data: SeriesSet, seed: int) -> Any:
    """Dense layers on all steps side by side, each channel with a scale of its own."""
    X, _ = data.padded()
    mean, scale = X.mean((0, 1)), X.std((0, 1))
    flatten = FunctionTransformer(lambda X: ((X - mean) / scale).reshape(len(X), -1))
    return make_pipeline(flatten, _family("Neural")(data, seed))


MODELS: dict[str, Callable[[SeriesSet, int], Any]] = {
    "minirocket": _family("ConvSeries", architecture="minirocket"),
    "inception": _family("ConvSeries", architecture="inception"),
    "lite": _family("ConvSeries", architecture="lite"),
    "recurrent": _family("Recurrent"),
    "attention": _family("Attention"),
    "dense": _dense,
}
# Their hours are for a run by name.
SLOW = ("inception",)


def measure(data: SeriesSet, name: str, seed: int) -> dict[str, Any]:
    """Fit and predict one model; return a line of the file of rows."""
    X, X_test = data.padded() if name == "dense" else (data.X, data.X_test)
    model = MODELS[name](data, seed)
    wall, cpu = time.perf_counter(), time.process_time()
    with quiet():
        model.fit(X, data.y)
    score = float(model.score(X_test, data.y_test))
    return {
        "set": data.name,
        "model": name,
        "seed": seed,
        "measure": "R2" if data.is_regression else "accuracy",
        "score": score,
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
    }


def read_rows(path: Path | None) -> list[dict[str, Any]]:
    """Read the lines that earlier runs and `_series_peers` have written."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def run_series_sets(options: Options) -> list[Row]:
    """Scores and seconds of the families with defaults, over sets of the archives.

    A fit is one process's CPU and wall seconds, predictions of the test series included. With
    ``--rows FILE`` each fit is a line of a file, what the file has is not measured again, and the
    table has its rows: those of peers, too, which `_series_peers` writes.
    """
    models = options.models or [name for name in MODELS if name not in SLOW]
    for name in models:
        if name not in MODELS:
            raise SystemExit(f"no model {name!r}; there are {', '.join(MODELS)}")
    seeds = 1 if options.quick or options.overview else options.seeds
    path = None if options.rows is None else Path(options.rows)
    rows = read_rows(path)
    done = {(row["set"], row["model"], row["seed"]) for row in rows}
    for data in series_sets(options.folders or [archive_folder()], options.sets):
        for seed in range(seeds):
            for name in models:
                if (data.name, name, seed) in done:
                    continue
                row = measure(data, name, seed)
                rows.append(row)
                print(
                    f"{data.name}, {name}, seed {seed}: {row['measure']} {row['score']:.4f}, "
                    f"{row['cpu']:.1f} s of CPU, {row['wall']:.1f} s",
                    flush=True,
                )
                if path is not None:
                    with path.open("a") as file:
                        file.write(json.dumps(row) + "\n")
    print(f"\n{format_scores(rows)}", flush=True)
    return []


def format_scores(rows: list[dict[str, Any]]) -> str:
    """Return a table: a line a set, and for each model the mean score and seconds of CPU."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    sets: dict[str, dict[str, dict[str, list[tuple[float, float]]]]] = {}  # a measure, a set
    for row in rows:
        of_set = sets.setdefault(row["measure"], {}).setdefault(row["set"], {})
        of_set.setdefault(row["model"], []).append((row["score"], row["cpu"]))
    lines = [["set", "measure", *models]]
    for kind, by_set in sets.items():
        means = {
            (name, model): (fmean(score for score, _ in runs), fmean(cpu for _, cpu in runs))
            for name, by_model in by_set.items()
            for model, runs in by_model.items()
        }
        lines += [
            [name, kind, *(_cell(means.get((name, model))) for model in models)] for name in by_set
        ]
        common = [name for name, by_model in by_set.items() if len(by_model) == len(models)]
        if common:
            averages = [
                tuple(fmean(means[name, model][i] for name in common) for i in range(2))
                for model in models
            ]
            lines.append([f"mean of {len(common)}", kind, *(_cell(each) for each in averages)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(mean: tuple[float, ...] | None) -> str:
    return "" if mean is None else f"{mean[0]:.4f} ({mean[1]:.1f} s)"
