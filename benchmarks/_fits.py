"""Whole fits: MNIST, and scikit-learn's small data sets."""

from __future__ import annotations

from ._contenders import Work, ours, sklearn_mlp, skorch, torch_loop
from ._data import Data, mnist, small_classification, small_regression
from ._machine import has_bfloat16
from ._measure import Options, compare
from ._report import Row


def run_mnist(options: Options) -> list[Row]:
    """Batch 200, a fixed number of epochs, hidden layers (100,) and (512,)."""
    samples = 10_000 if options.quick else None
    data = mnist(samples)
    if data is None:
        return []
    inputs = {"float32": data, "float64": data.astype("float64")}
    contenders = [
        sklearn_mlp("float32"),
        sklearn_mlp("float64"),
        ours("float32", "float32"),
        skorch("float32", "float32"),
        torch_loop("float32", "float32"),
    ]
    if has_bfloat16() or options.bfloat16:
        contenders += [ours("float32", "bfloat16"), torch_loop("float32", "bfloat16")]
    else:
        print("bfloat16 is left out: no instructions for it here (--bfloat16 runs it all the same)")

    rows = []
    for hidden in [(100,), (512,)]:
        work = Work(hidden=hidden, epochs=options.epochs or 3)
        task = f"MNIST {hidden}" + (f", {samples} rows" if samples else "")
        rows += compare(
            task,
            contenders,
            inputs,
            work,
            rounds=options.rounds(alone=5, overview=3),
            seeds=1 if options.quick else options.seeds,
        )
    return rows


def run_small(options: Options) -> list[Row]:
    """Default parameters on a few hundred rows of float64; the score is that of the same rows."""
    problems: dict[str, Data] = small_classification() | small_regression()
    if options.overview:
        problems.pop("white wine", None)  # a minute and more: only when asked for by name
    rows = []
    for name, data in problems.items():
        work = Work(
            epochs=options.epochs or (20 if options.quick else 200),
            batch_size=min(200, len(data.y)),
            stops=True,
        )
        inputs = {"float64": data, "float32": data.astype("float32")}
        contenders = [
            sklearn_mlp("float64"),
            ours("float64", "float64", automatic=True),
            ours("float32", "float32"),
            skorch("float64", "float64"),
            torch_loop("float64", "float64"),
            torch_loop("float64", "float64", threads=1),
            torch_loop("float32", "float32"),
        ]
        rounds = options.rounds(alone=9, overview=5, quick=3)
        rows += compare(name, contenders, inputs, work, rounds=rounds)
    return rows
