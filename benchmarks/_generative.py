"""Adversarial generators: what a step costs, digits, and a ring of normal distributions."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

import sknn
from sknn import ConvClassifier
from sknn.datasets import fetch_mnist
from sknn.generative import AdversarialGenerator, frechet_distance

from ._measure import Options
from ._report import Row

N_SAMPLES = 10_000  # that are compared with the test digits
BATCHES = 5000  # of 32 that the course trains on
CONFIDENT = 0.9


@cache
def digits(subset: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 28, 28) and labels (n,)."""
    X, y = fetch_mnist(subset=subset, return_X_y=True)
    return X.reshape(-1, 28, 28), y.astype(int)


@cache
def judge() -> ConvClassifier:
    """Return the classifier whose features digits are compared by: trained once, and kept."""
    folder = Path(os.environ.get("SKNN_BENCHMARKS", Path(tempfile.gettempdir(), "sknn-benchmarks")))
    path = folder / "digits.sknn"
    if not path.exists():
        X, y = digits("train")
        model = ConvClassifier(filters=(16, 32, 64), max_iter=6, random_state=0).fit(X, y)
        folder.mkdir(parents=True, exist_ok=True)
        sknn.save(model, path)
    model = sknn.load(path)
    score = model.score(*digits("test"))
    print(f"the judge is right in {100 * score:.2f} % of the test digits", flush=True)
    if score < 0.99:
        raise ValueError(f"{path} holds a classifier that is not good enough; delete it")
    return model


@cache
def features_of_test_digits() -> np.ndarray:
    """Return the judge's features of the test digits."""
    return features(digits("test")[0])


@torch.inference_mode()
def features(images: np.ndarray) -> np.ndarray:
    """Return what the judge's last layer takes, of images (n, 28, 28) -> (n, n_features)."""
    network: Any = judge().module_
    body = nn.Sequential(*list(network.layers)[:-1]).eval()
    batches = torch.from_numpy(images).unsqueeze(1).split(1000)
    return torch.cat([body(batch.float() / 255) for batch in batches]).double().numpy()


class Quality(NamedTuple):
    """What samples of digits are worth."""

    distance: float
    confident: float  # share of samples that the judge is sure of
    rarest: float  # share of the digit that comes least often
    commonest: float

    def __str__(self) -> str:
        return (
            f"distance {self.distance:.2f}, {100 * self.confident:.1f} % confident, digits "
            f"{100 * self.rarest:.1f}-{100 * self.commonest:.1f} %"
        )


def quality(samples: np.ndarray) -> Quality:
    """Judge samples (n, 28, 28)."""
    probabilities = judge().predict_proba(samples)
    shares = np.bincount(probabilities.argmax(1), minlength=10) / len(samples)
    return Quality(
        frechet_distance(features(samples), features_of_test_digits()),
        float(np.mean(probabilities.max(1) > CONFIDENT)),
        float(shares.min()),
        float(shares.max()),
    )


# -------------------------------------------------------------------------------------- a step


def course_networks(n_features: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the course's generator and discriminator, as one writes them with torch."""
    generator, width = nn.Sequential(), 100
    for size in (256, 512, 1024):
        generator.extend([nn.Linear(width, size), nn.LeakyReLU(0.2)])
        generator.append(nn.BatchNorm1d(size, eps=1e-3, momentum=0.2))
        width = size
    generator.extend([nn.Linear(width, n_features), nn.Tanh()])
    discriminator = nn.Sequential(
        nn.Linear(n_features, 512),
        nn.LeakyReLU(0.2),
        nn.Linear(512, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 1),
    )
    return generator, discriminator


def train_by_hand(X: np.ndarray) -> float:
    """Train the course's networks as one writes it with torch; return the seconds a batch."""
    torch.manual_seed(0)
    generator, discriminator = course_networks(X.shape[1])
    of_generator, of_discriminator = (
        torch.optim.Adam(each.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        for each in (generator, discriminator)
    )
    cross_entropy = nn.BCEWithLogitsLoss()
    rows = torch.from_numpy(X)
    ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
    start = time.perf_counter()
    batches = torch.randperm(len(rows)).split(32)
    for index in batches:
        real = rows[index].float() / 127.5 - 1
        samples = generator(torch.randn(32, 100))
        of_generator.zero_grad()
        cross_entropy(discriminator(samples), ones).backward()
        of_generator.step()
        of_discriminator.zero_grad()
        loss = cross_entropy(discriminator(real), ones)
        (loss + cross_entropy(discriminator(samples.detach()), zeros)).backward()
        of_discriminator.step()
    return (time.perf_counter() - start) / len(batches)


def cost(options: Options) -> list[Row]:
    """Compare a batch of the course's network with a loop of torch's."""
    rounds = options.rounds(alone=7, overview=3)
    X = digits("train")[0][: 32 * 100].reshape(-1, 784)

    def ours() -> float:
        gan = AdversarialGenerator(architecture="dense", max_iter=1, random_state=0).fit(X)
        return gan.history_[-1]["dur"] / 100

    def by_hand() -> float:
        return train_by_hand(X)

    seconds: dict[str, list[float]] = {"ours": [], "torch": []}
    for number in range(rounds + 1):
        for name, action in (("ours", ours), ("torch", by_hand)):
            measured = action()
            if number:  # the first one warms up
                seconds[name].append(measured)
    ratio = median(seconds["ours"]) / median(seconds["torch"])
    print(
        f"a batch of the course's network: {1000 * median(seconds['ours']):.1f} ms, by hand "
        f"{1000 * median(seconds['torch']):.1f} ms, ratio {ratio:.2f} (aim: at most 1.1)",
        flush=True,
    )
    return [
        Row("course's GAN, a batch", "torch loop", seconds=seconds["torch"]),
        Row(
            "course's GAN, a batch",
            "AdversarialGenerator",
            seconds=seconds["ours"],
            vs_torch=1 / ratio,
            aim="x torch >= 0.91",
        ),
    ]


# -------------------------------------------------------------------------------------- a ring

RING_RADIUS, RING_DEVIATION = 2.0, 0.02
ENOUGH = 20  # samples of 2500 within three deviations: a mode is found
RINGS: list[tuple[str, str, dict[str, Any]]] = [
    ("ring", "", {}),
    ("ring", ", n_clusters=8", {"n_clusters": 8}),
    ("grid", "", {}),
    ("grid", ", n_clusters=25", {"n_clusters": 25}),
]


def modes(kind: str) -> np.ndarray:
    """Return the centres of normal distributions on a ring (8) or a grid (25), (n, 2)."""
    if kind == "grid":
        places = np.arange(-4.0, 5.0, 2.0)
        return np.array([(a, b) for a in places for b in places])
    angles = np.arange(8) * np.pi / 4
    return RING_RADIUS * np.c_[np.cos(angles), np.sin(angles)]


def ring(options: Options) -> list[Row]:
    """Count the normal distributions on a ring, and on a grid, that are found."""
    rows = []
    for kind, title, parameters in RINGS:
        centres, n_all, shares, begun = modes(kind), 0, [], time.perf_counter()
        n_seeds = 2 if options.quick else 10 if kind == "ring" else 3
        for seed in range(n_seeds):
            rng = np.random.default_rng(seed)
            X = centres[rng.integers(len(centres), size=10_000)]
            X = X + RING_DEVIATION * rng.normal(size=X.shape)
            gan = AdversarialGenerator(random_state=seed, **parameters).fit(X)
            samples = gan.sample(2500, random_state=seed)
            distances = np.linalg.norm(samples[:, None] - centres, axis=2)
            near = distances.min(1) < 3 * RING_DEVIATION
            counts = np.bincount(distances.argmin(1)[near], minlength=len(centres))
            n_all += int((counts >= ENOUGH).all())
            shares.append(near.mean())
            print(
                f"{kind}{title}, seed {seed}: {np.sum(counts >= ENOUGH)} of {len(centres)}",
                flush=True,
            )
        seconds = (time.perf_counter() - begun) / n_seeds
        score = f"all found by {n_all} of {n_seeds}, {100 * np.mean(shares):.0f} % near"
        print(
            f"{kind}{title}: {score}, {seconds:.1f} s each (aim of the ring: 9 of 10)", flush=True
        )
        aim = "9 of 10" if kind == "ring" else ""
        name = f"AdversarialGenerator{title}"
        rows.append(Row(kind, name, seconds=[seconds], score=score, aim=aim))
    return rows


# -------------------------------------------------------------------------------------- digits


def unconditional(options: Options) -> list[Row]:
    """Compare the default with the course's network: digits without labels."""
    X = digits("train")[0]
    n_course = 32 * 1667  # three epochs are 5001 batches
    contenders: dict[str, tuple[AdversarialGenerator, np.ndarray]] = {
        "course's network": (
            AdversarialGenerator(architecture="dense", max_iter=3, random_state=0),
            X[:n_course],
        ),
        "default": (AdversarialGenerator(max_iter=options.epochs or "auto", random_state=0), X),
    }
    rows, distances = [], []
    for name, (gan, images) in contenders.items():
        start = time.perf_counter()
        gan.fit(images)
        seconds = time.perf_counter() - start
        found = quality(gan.sample(N_SAMPLES, random_state=0))
        distances.append(found.distance)
        print(f"{name}: {found}, {seconds:.0f} s", flush=True)
        rows.append(Row("digits", f"GAN, {name}", seconds=[seconds], score=str(found)))
    print(f"distances: the default's is {distances[1] / distances[0]:.3f} of the course's "
          "(aim: at most 1/3)", flush=True)  # fmt: skip
    rows[1].aim = "a third of the distance, 85 % confident, digits 5-15 %"
    return rows


def conditional(options: Options) -> list[Row]:
    """Ask for digits by their labels."""
    X, y = digits("train")
    start = time.perf_counter()
    gan = AdversarialGenerator(max_iter=options.epochs or "auto", random_state=0).fit(X, y)
    seconds = time.perf_counter() - start
    asked = np.repeat(np.arange(10), N_SAMPLES // 10)
    samples = gan.sample(N_SAMPLES, y=asked, random_state=0)
    right = float(np.mean(judge().predict(samples) == asked))
    score = f"{100 * right:.1f} % as asked, {quality(samples)}"
    print(f"with labels: {score}, {seconds:.0f} s (aim: 97 % as asked)", flush=True)
    return [Row("digits by label", "GAN, default", seconds=[seconds], score=score, aim="97 %")]


PARTS: dict[str, Callable[[Options], list[Row]]] = {
    "cost": cost,
    "ring": ring,
    "digits": unconditional,
    "labels": conditional,
}


def run_generative(options: Options) -> list[Row]:
    """Adversarial generators: cost of a step, digits without and with labels, rings and grids."""
    unknown = set(options.sets) - set(PARTS)
    if unknown:
        raise ValueError(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    parts = [part for name, part in PARTS.items() if not options.sets or name in options.sets]
    return [row for part in parts for row in part(options)]
