"""Series: epochs beside a hand-written torch loop, and series of different lengths."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sknn import AttentionClassifier, RecurrentClassifier

from ._contenders import ALPHA, LEARNING_RATE
from ._data import series_sets
from ._measure import Options, interleave, quiet, report
from ._report import Row

N_SERIES, N_STEPS, N_CHANNELS, N_CLASSES = 1024, 50, 8, 5
BATCH_SIZE = 32
HIDDEN_SIZE = 64
# The recurrent layer or transformer alone, as the loop has it.
ALONE: dict[str, Any] = {
    "filters": None,
    "normalization": None,
    "dropout": 0.0,
    "standardize": False,
}


class _RecurrentNetwork(nn.Module):
    """A recurrent layer of torch's, and a linear layer on its last state."""

    def __init__(self, cell: str, bidirectional: bool) -> None:
        super().__init__()
        self.layer = getattr(nn, cell.upper())(
            N_CHANNELS, HIDDEN_SIZE, batch_first=True, bidirectional=bidirectional
        )
        self.output = nn.Linear(HIDDEN_SIZE * (2 if bidirectional else 1), N_CLASSES)

    def forward(self, X: Tensor) -> Tensor:
        states, _ = self.layer(X)
        last = states[:, -1]
        if self.layer.bidirectional:
            last = torch.cat([last[:, :HIDDEN_SIZE], states[:, 0, HIDDEN_SIZE:]], 1)
        return self.output(last)


class _TransformerNetwork(nn.Module):
    """torch's own transformer encoder with the normalization first, and the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Linear(N_CHANNELS, HIDDEN_SIZE)
        self.positions = nn.Parameter(torch.randn(N_STEPS, HIDDEN_SIZE))
        block = nn.TransformerEncoderLayer(
            HIDDEN_SIZE, 4, 4 * HIDDEN_SIZE, 0.0, "gelu", batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(HIDDEN_SIZE)
        self.encoder = nn.TransformerEncoder(block, 2, norm, enable_nested_tensor=False)
        self.output = nn.Linear(HIDDEN_SIZE, N_CLASSES)

    def forward(self, X: Tensor) -> Tensor:
        return self.output(self.encoder(self.projection(X) + self.positions).mean(1))


class _Loop:
    """A plain loop: autograd, fused Adam, index_select."""

    def __init__(self, network: nn.Module, X: np.ndarray, y: np.ndarray) -> None:
        self.network = network
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        weights = [p for p in network.parameters() if p.ndim >= 2]
        biases = [p for p in network.parameters() if p.ndim == 1]
        self.optimizer = torch.optim.Adam(
            [{"params": weights, "weight_decay": ALPHA / BATCH_SIZE}, {"params": biases}],
            lr=LEARNING_RATE,
            fused=True,
        )

    def epoch(self) -> float:
        """Train on every series once; return the seconds that it took."""
        start = time.perf_counter()
        for rows in torch.randperm(len(self.y)).split(BATCH_SIZE):
            self.optimizer.zero_grad(set_to_none=True)
            outputs = self.network(self.X.index_select(0, rows))
            loss = nn.functional.cross_entropy(outputs, self.y.index_select(0, rows))
            loss.backward()
            self.optimizer.step()
        return time.perf_counter() - start


class _Ours:
    """One epoch is one call of `partial_fit`, timed as the history has it."""

    def __init__(self, model: Any, X: Any, y: np.ndarray) -> None:
        self.model = model.set_params(
            batch_size=BATCH_SIZE,
            alpha=ALPHA,
            learning_rate="constant",
            learning_rate_init=LEARNING_RATE,
            device="cpu",
            random_state=0,
        )
        self.X, self.y = X, y

    def epoch(self) -> float:
        """Train on every series once; return the seconds that it took."""
        with quiet():
            self.model.partial_fit(self.X, self.y, classes=np.arange(N_CLASSES))
        return self.model.history_[-1]["dur"]


def _compare(task: str, trainers: dict[str, Any], reference: str, rounds: int) -> list[Row]:
    for trainer in trainers.values():
        trainer.epoch()
    actions = {name: (lambda _, t=trainer: t.epoch()) for name, trainer in trainers.items()}
    seconds = {
        name: [result for _, result in runs]
        for name, runs in interleave(actions, rounds, task).items()
    }
    medians = {name: median(values) for name, values in seconds.items()}
    rows = []
    for name in trainers:
        is_loop = reference == "torch loop"
        rows.append(
            Row(
                task,
                name,
                epochs="1",
                seconds=seconds[name],
                vs_torch=medians[reference] / medians[name] if is_loop else None,
                rate=f"{N_SERIES / medians[name]:,.0f}",
                score="" if is_loop else f"cost {medians[name] / medians[reference]:.2f}",
            )
        )
        report(rows[-1])
    return rows


def _equal_lengths(rng: np.random.Generator, rounds: int) -> list[Row]:
    X = rng.normal(size=(N_SERIES, N_STEPS, N_CHANNELS)).astype(np.float32)
    y = rng.integers(0, N_CLASSES, N_SERIES)
    tasks: dict[str, tuple[Any, nn.Module]] = {}
    for cell, bidirectional in (("gru", False), ("gru", True), ("lstm", False), ("rnn", False)):
        model = RecurrentClassifier(
            cell=cell,
            bidirectional=bidirectional,
            hidden_size=HIDDEN_SIZE,
            pooling="last",
            **ALONE,
        )
        name = f"{cell}, both directions" if bidirectional else cell
        tasks[name] = model, _RecurrentNetwork(cell, bidirectional)
    model = AttentionClassifier(hidden_size=HIDDEN_SIZE, pooling="mean", **ALONE)
    tasks["attention, 2 layers"] = model, _TransformerNetwork()
    rows = []
    for name, (model, network) in tasks.items():
        trainers = {"sknn": _Ours(model, X, y), "torch loop": _Loop(network, X, y)}
        task = f"{name}, {N_SERIES:,} series of {N_STEPS} steps, batch {BATCH_SIZE}"
        rows += _compare(task, trainers, "torch loop", rounds)
    return rows


def _different_lengths(rng: np.random.Generator, rounds: int) -> list[Row]:
    """The same number of steps in series of equal and of different lengths, defaults else."""
    lengths = rng.integers(N_STEPS // 5, 2 * N_STEPS - N_STEPS // 5 + 1, N_SERIES)
    n_equal = round(lengths.sum() / N_STEPS)
    ragged = [rng.normal(size=(n, N_CHANNELS)).astype(np.float32) for n in lengths]
    equal = rng.normal(size=(n_equal, N_STEPS, N_CHANNELS)).astype(np.float32)
    rows = []
    for model in (RecurrentClassifier, AttentionClassifier):
        trainers = {
            name: _Ours(model(), X, rng.integers(0, N_CLASSES, len(X)))
            for name, X in (("equal lengths", equal), ("10 to 90 steps", ragged))
        }
        task = f"{model.__name__}, {lengths.sum():,} steps, batch {BATCH_SIZE}"
        rows += _compare(task, trainers, "equal lengths", rounds)
    return rows


def _archives(seeds: int) -> list[Row]:
    """Whole fits with defaults on the sets of the archives that are at hand."""
    rows = []
    for name, data in series_sets().items():
        for model in (RecurrentClassifier, AttentionClassifier):
            scores, seconds = [], []
            for seed in range(seeds):
                start = time.perf_counter()
                fitted = model(random_state=seed).fit(data.X, data.y)
                seconds.append(time.perf_counter() - start)
                scores.append(fitted.score(data.X_test, data.y_test))
            row = Row(
                f"{name}, defaults, median of {seeds} seeds",
                model.__name__,
                epochs=str(fitted.n_iter_),
                seconds=seconds,
                score=f"acc {median(scores):.4f}",
            )
            rows.append(report(row))
    return rows


def run_series(options: Options) -> list[Row]:
    """Epochs beside a torch loop with the same layers, series of different lengths, and scores.

    All have the same batches and Adam; the first epoch of each is not counted. "cost" is the
    time beside that of as many steps in series of equal length. The scores are those of the
    archives' test series with default parameters.
    """
    rng = np.random.default_rng(0)
    rounds = options.rounds(alone=7, overview=3, quick=3)
    rows = _equal_lengths(rng, rounds) + _different_lengths(rng, rounds)
    if not options.overview:
        rows += _archives(1 if options.quick else options.seeds)
    return rows
