"""Rows of measurements and the table that they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

LEGEND = """\
Seconds are medians (smallest-largest) of interleaved runs. "x sklearn" and "x torch" say how many
times as fast (for memory: how many times as small) a row is as scikit-learn's and as the torch loop
of the same precision, in medians of the same run; above 1 is better. "x keras" likewise, and "x one
by one" beside fits of the same network in float32 that share nothing. Samples a second are those of
a training epoch."""

HEADER = (
    "task",
    "estimator",
    "epochs",
    "fit s",
    "x sklearn",
    "x torch",
    "x keras",
    "x one by one",
    "samples/s",
    "score",
    "peak memory",
    "prediction",
    "aim",
)


@dataclass
class Row:
    """One line of the table; what was not measured is empty."""

    task: str
    estimator: str
    epochs: str = ""
    seconds: list[float] = field(default_factory=list)
    vs_sklearn: float | None = None
    vs_torch: float | None = None
    vs_keras: float | None = None
    vs_single: float | None = None
    rate: str = ""
    score: str = ""
    memory: str = ""
    latency: str = ""
    aim: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return the row as text."""
        return (
            self.task,
            self.estimator,
            self.epochs,
            format_seconds(self.seconds),
            format_ratio(self.vs_sklearn),
            format_ratio(self.vs_torch),
            format_ratio(self.vs_keras),
            format_ratio(self.vs_single),
            self.rate,
            self.score,
            self.memory,
            self.latency,
            self.aim,
        )


def format_seconds(seconds: Sequence[float]) -> str:
    """Return median and range."""
    if not seconds:
        return ""
    if len(seconds) == 1:
        return f"{seconds[0]:.3f}"
    return f"{median(seconds):.3f} ({min(seconds):.3f}-{max(seconds):.3f})"


def format_ratio(ratio: float | None) -> str:
    """Return a ratio with two decimals, or nothing."""
    return "" if ratio is None else f"{ratio:.2f}"


def format_duration(seconds: float) -> str:
    """Return microseconds, milliseconds or seconds."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def format_table(rows: Iterable[Row]) -> str:
    """Return the rows as a table, a rule between tasks, without columns that are empty."""
    lines = [row.cells() for row in rows]
    columns = [i for i in range(len(HEADER)) if i < 2 or any(line[i] for line in lines)]
    widths = {i: max(len(line[i]) for line in [HEADER, *lines]) for i in columns}

    def text(line: tuple[str, ...]) -> str:
        return "  ".join(line[i].ljust(widths[i]) for i in columns).rstrip()

    rule = "-" * (sum(widths.values()) + 2 * (len(columns) - 1))
    table = [text(HEADER)]
    previous = None
    for line in lines:
        if line[0] != previous:
            table.append(rule)
        table.append(text(line))
        previous = line[0]
    return "\n".join(table)
