"""Images a second of a training epoch: sknn, a hand-written torch loop, and Keras."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import Protocol

import numpy as np
import torch
from torch import nn

from sknn import ConvClassifier
from sknn.nn import AirbenchNetwork

from ._contenders import ALPHA, LEARNING_RATE
from ._data import Data, image_sets
from ._image_loop import ImageLoop, build_network, count_parameters
from ._image_problems import AIRBENCH, CIFAR_TUTORIAL, MNIST_TUTORIAL, Problem
from ._keras import KerasProcess, KerasTrainer, start_keras
from ._machine import has_bfloat16
from ._measure import Options, interleave, quiet, report
from ._report import Row

N_IMAGES = 10_000
N_IMAGES_QUICK = 2_000
N_TEST_IMAGES = 2_000

KERAS = "Keras float32"


class Trainer(Protocol):
    """Trains for an epoch at a time."""

    n_parameters: int

    def epoch(self) -> float:
        """Train for an epoch; return its seconds, without the preparations of a fit."""

    def score(self) -> float:
        """Return the accuracy of the test images."""


class _Ours:
    """One epoch is one call of `partial_fit`, timed as the history has it."""

    def __init__(self, problem: Problem, data: Data, batch_size: int, precision: str) -> None:
        self.data = data
        self.model = ConvClassifier(
            **problem.parameters,
            batch_size=batch_size,
            solver="adam",
            alpha=ALPHA,
            learning_rate="constant",
            learning_rate_init=LEARNING_RATE,
            precision=precision,
            device="cpu",
            random_state=0,
        )

    @property
    def n_parameters(self) -> int:
        return count_parameters(self.model.module_)

    def epoch(self) -> float:
        with quiet():
            self.model.partial_fit(self.data.X, self.data.y, classes=np.arange(10))
        return self.model.history_[-1]["dur"]

    def score(self) -> float:
        return self.model.score(self.data.X_test, self.data.y_test)


class _Loop:
    def __init__(
        self, problem: Problem, data: Data, batch_size: int, precision: str, *, channels_last: bool
    ) -> None:
        self.data = data
        torch.manual_seed(0)
        network = _torch_network(problem, data)
        self.n_parameters = count_parameters(network)
        self.loop = ImageLoop(
            network,
            data.X,
            data.y,
            batch_size=batch_size,
            solver="adam",
            alpha=ALPHA,
            learning_rate=LEARNING_RATE,
            precision=precision,
            channels_last=channels_last,
        )
        self.epoch = self.loop.epoch

    def score(self) -> float:
        return self.loop.score(self.data.X_test, self.data.y_test)


def _torch_network(problem: Problem, data: Data) -> nn.Module:
    shape = data.X.shape[1:]
    if problem.layers is not None:
        return build_network(problem.layers, shape)
    images = torch.from_numpy(data.X[:5000]).permute(0, 3, 1, 2).float().div_(255)
    filters, activation = problem.parameters["filters"], problem.parameters["activation"]
    network = AirbenchNetwork(shape, filters, 10, activation=activation)
    network.layers.whitening.fit(images)
    network.initialize(np.random.RandomState(0), "dirac")
    return network


def _trainers(
    problem: Problem,
    data: Data,
    batch_size: int,
    precisions: list[str],
    keras: KerasProcess | None,
) -> dict[str, Trainer]:
    trainers: dict[str, Trainer] = {}
    for precision in precisions:
        trainers[f"ConvClassifier {precision}"] = _Ours(problem, data, batch_size, precision)
        trainers[f"torch loop {precision}"] = _Loop(
            problem, data, batch_size, precision, channels_last=True
        )
    trainers["torch loop float32, channels first"] = _Loop(
        problem, data, batch_size, "float32", channels_last=False
    )
    if keras is not None and problem.layers is not None:
        trainers[KERAS] = KerasTrainer(
            keras, problem.layers, data, batch_size=batch_size, learning_rate=LEARNING_RATE
        )
    return trainers


def _compare(task: str, trainers: dict[str, Trainer], n_images: int, rounds: int) -> list[Row]:
    for trainer in trainers.values():  # tracing, kernels for each shape, thread pools
        trainer.epoch()
    counts = {name: trainer.n_parameters for name, trainer in trainers.items()}
    if len(set(counts.values())) > 1:
        raise RuntimeError(f"{task}: the networks are not the same, they have {counts} parameters")
    actions = {name: (lambda _, t=trainer: t.epoch()) for name, trainer in trainers.items()}
    seconds = {
        name: [result for _, result in runs]
        for name, runs in interleave(actions, rounds, task).items()
    }
    medians = {name: median(values) for name, values in seconds.items()}
    rows = []
    for name, trainer in trainers.items():
        precision = "bfloat16" if "bfloat16" in name else "float32"
        rows.append(
            Row(
                f"{task}, {next(iter(counts.values())):,} parameters",
                name,
                epochs="1",
                seconds=seconds[name],
                vs_torch=medians[f"torch loop {precision}"] / medians[name],
                vs_keras=medians[KERAS] / medians[name] if KERAS in medians else None,
                rate=f"{n_images / medians[name]:,.0f}",
                score=f"acc {trainer.score():.4f}",
            )
        )
        report(rows[-1])
    return rows


def run_images(options: Options) -> list[Row]:
    """Epochs of CIFAR-10 and MNIST as bytes; the first epoch of each contender is not counted.

    All have the same network, batches and Adam. sknn and the loop have the penalty alpha as well
    and start from bytes; Keras has no penalty and gets its floats ready made. sknn and Keras
    count the hits while they train. sknn pools before ReLU, the loop after it, as tutorials do;
    the results are equal. An epoch's seconds are those that sknn and Keras measure, without what
    they do before it in each call. The score is that of the first 2,000 test images when all
    repeats are done; initial weights differ.
    """
    short = options.quick or options.overview
    n_images = N_IMAGES_QUICK if short else N_IMAGES
    precisions = ["float32"]
    if has_bfloat16() or options.bfloat16:
        precisions.append("bfloat16")
    else:
        print("bfloat16 is left out: no instructions for it here (--bfloat16 runs it all the same)")
    rows = []
    sets = image_sets()
    with start_keras(options.keras_python) as keras:
        for problem in (CIFAR_TUTORIAL, MNIST_TUTORIAL, AIRBENCH):
            data = sets.get(problem.data_set)
            if data is None:
                continue
            data = replace(
                data,
                X=data.X[:n_images],
                y=data.y[:n_images],
                X_test=data.X_test[:N_TEST_IMAGES],
                y_test=data.y_test[:N_TEST_IMAGES],
            )
            for batch_size in problem.batch_sizes[: 1 if short else None]:
                trainers = _trainers(problem, data, batch_size, precisions, keras)
                task = f"{problem.title}, batch {batch_size}, {len(data.y):,} images"
                rounds = options.rounds(alone=5, overview=3, quick=3)
                rows += _compare(task, trainers, len(data.y), rounds)
    return rows
