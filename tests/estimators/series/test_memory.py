"""Memory of fits and predictions: a long series among short ones costs what its own steps cost."""

import subprocess
import sys

# Each estimator in turn, in a process of its own, after a fit that loads what all fits need.
FIT_AND_MEASURE = """
    import resource, sys
    import numpy as np
    import sknn, sknn.sequences

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def targets_of(name, X):
        if name.startswith("Step"):
            return [(each > 0).astype(float) for each in X]
        if name == "EncoderDecoderClassifier":
            return [(each[:9] > 0).astype(int) for each in X]
        if name == "EncoderDecoderRegressor":
            return np.arange(len(X) * 4.0).reshape(-1, 4)
        return np.arange(len(X)) % 2

    def go(name, lengths):
        random = np.random.default_rng(0)
        X = [random.normal(size=n) for n in lengths]
        estimator = getattr(sknn, name, None) or getattr(sknn.sequences, name)
        options = {"stride": 1, "batch_size": "all", "max_iter": 1, "random_state": 0}
        estimator(**options).fit(X, targets_of(name, X)).predict(X)

    jobs = [each.split(":") for each in sys.argv[1:]]
    for name, *_ in jobs:
        go(name, [9, 10, 11, 12])
    for name, short, long in jobs:
        before = peak()
        go(name, [5] * int(short) + [int(long)])
        print(peak() - before)
"""


def peaks(*jobs: str) -> list[float]:
    """Return by how many MiB the peak of the process rises with each job, NAME:SHORT:LONG."""
    code = "\n".join(line[4:] for line in FIT_AND_MEASURE.splitlines())
    command = [sys.executable, "-W", "ignore", "-c", code, *jobs]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(mebibytes) for mebibytes in done.stdout.split()]


def test_long_series_take_memory_for_their_own_steps() -> None:
    # padded, they are 75 times as many steps, and each took 0.9 GiB or more
    jobs = [
        "RecurrentClassifier:200:600",
        "AttentionClassifier:200:600",
        "StepRegressor:200:600",
        "EncoderDecoderClassifier:200:600",
        "EncoderDecoderRegressor:200:600",
        # the weights of one head are 24 MiB; with their gradients and masks, all took 2 GiB
        "AttentionRegressor:2:2500",
    ]
    found = peaks(*jobs)
    assert len(found) == len(jobs)
    assert sum(found) < 250, found
