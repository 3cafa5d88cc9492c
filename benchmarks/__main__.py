"""The command line: ``python -m benchmarks [name ...] [options]``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

from ._autoencoders import run_autoencoders
from ._checkpoints import run_checkpoints
from ._compiled import run_compiled
from ._cuda import run_cuda
from ._fits import run_mnist, run_small
from ._forecasts import run_forecasts
from ._generative import run_generative
from ._image_defaults import run_image_defaults
from ._image_scores import run_image_scores
from ._images import run_images
from ._imports import run_imports
from ._machine import describe
from ._measure import Options
from ._memory import run_memory
from ._overheads import run_overheads
from ._predictions import run_predict
from ._real_forecasts import run_real_forecasts
from ._report import LEGEND, Row, format_table
from ._scores import run_scores
from ._searches import run_searches
from ._series import run_series
from ._series_sets import run_series_sets
from ._tables import run_tabular, run_tabular_intervals
from ._texts import run_texts
from ._words import run_words

BENCHMARKS: dict[str, Callable[[Options], list[Row]]] = {
    "mnist": run_mnist,
    "small": run_small,
    "predict": run_predict,
    "overheads": run_overheads,
    "searches": run_searches,
    "compiled": run_compiled,
    "checkpoints": run_checkpoints,
    "memory": run_memory,
    "imports": run_imports,
    "scores": run_scores,
    "images": run_images,
    "images-scores": run_image_scores,
    "images-defaults": run_image_defaults,
    "series": run_series,
    "series-sets": run_series_sets,
    "forecasts": run_forecasts,
    "forecasts-real": run_real_forecasts,
    "tabular": run_tabular,
    "tabular-intervals": run_tabular_intervals,
    "generative": run_generative,
    "words": run_words,
    "autoencoders": run_autoencoders,
    "texts": run_texts,
    "cuda": run_cuda,
}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure sknn side by side with scikit-learn, skorch, Keras and plain torch.",
        epilog="The data are looked for in the folder SKNN_DATA, and downloaded if they are not "
        "there. Without a name all benchmarks run, shortened to a few minutes.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"any of {', '.join(BENCHMARKS)}; default: all"
    )
    parser.add_argument("--repeats", type=int, help="interleaved runs of each contender")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of mean scores (default: 3)")
    parser.add_argument("--epochs", type=int, help="epochs, where a benchmark does not fix them")
    parser.add_argument("--quick", action="store_true", help="smaller and less reliable")
    parser.add_argument(
        "--bfloat16", action="store_true", help="also where the processor has no bfloat16"
    )
    parser.add_argument(
        "--keras-python",
        metavar="PATH",
        help="a Python with tensorflow and keras, for the rows of Keras in images",
    )
    parser.add_argument("--gensim-python", metavar="PATH", help="a Python with gensim, for words")
    parser.add_argument(
        "--sets",
        nargs="+",
        default=[],
        metavar="SET",
        help="of tabular, tabular-intervals, series-sets, generative and texts; default: all",
    )
    series = parser.add_argument_group("series-sets")
    series.add_argument(
        "--folders",
        nargs="+",
        default=[],
        help="with .npz files of series (default: that of SKNN_DATA), or .csv files to forecast",
    )
    series.add_argument(
        "--models", nargs="+", default=[], metavar="MODEL", help="default: all but inception"
    )
    series.add_argument("--rows", metavar="FILE", help="what earlier runs and peers have measured")
    tables = parser.add_argument_group("tabular and tabular-intervals")
    tables.add_argument(
        "--peers", nargs="+", default=[], metavar="PEER", help="of tabular; default: all installed"
    )
    tables.add_argument(
        "--cap", type=int, default=6000, help="largest number of rows, 0 for all (default: 6000)"
    )
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f"no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    for name in ("repeats", "seeds", "epochs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name} must be at least 1, got {value}")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks and print one table."""
    parsed = parse(arguments)
    options = Options(
        repeats=parsed.repeats,
        seeds=parsed.seeds,
        epochs=parsed.epochs,
        quick=parsed.quick,
        overview=not parsed.names,
        bfloat16=parsed.bfloat16,
        keras_python=parsed.keras_python,
        gensim_python=parsed.gensim_python,
        sets=tuple(parsed.sets),
        peers=tuple(parsed.peers),
        cap=parsed.cap,
        models=tuple(parsed.models),
        folders=tuple(parsed.folders),
        rows=parsed.rows,
    )
    print(describe(), flush=True)
    rows: list[Row] = []
    start = time.perf_counter()
    for name in parsed.names or BENCHMARKS:
        print(f"\n{name}: {(BENCHMARKS[name].__doc__ or '').splitlines()[0]}", flush=True)
        rows += BENCHMARKS[name](options)
    print(f"\n{time.perf_counter() - start:.0f} s")
    if rows:
        print(f"\n{format_table(rows)}\n\n{LEGEND}")


if __name__ == "__main__":
    main()
