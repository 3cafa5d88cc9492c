"""Fits in several threads at once end with the weights that they have one after the other."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sknn import (
    NeuralClassifier,
    NeuralRegressor,
)
from sknn.model_selection import GridSearchCV as OurGridSearchCV
from tests.random_fits import FITS, SHORT, Dropping, X, labels, weights, y

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit_in_threads(names: list[str], n_threads: int) -> list[np.ndarray]:
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(lambda name: weights(FITS[name]()), names))


def test_fits_in_threads_end_as_one_after_the_other() -> None:
    names = [*FITS, "dense", "module", "attention"]
    before = torch.get_rng_state()
    alone = {name: weights(FITS[name]()) for name in FITS}
    for name, found in zip(names, fit_in_threads(names, n_threads=4), strict=True):
        assert_array_equal(found, alone[name], err_msg=name)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.parametrize("name", FITS)
def test_eight_threads_of_eight_fits(name: str) -> None:
    before = torch.get_rng_state()
    alone = weights(FITS[name]())
    for found in fit_in_threads([name] * 64, n_threads=8):
        assert_array_equal(found, alone)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", FITS)
def test_global_generators_decide_nothing_and_are_left_alone(name: str) -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(weights(FITS[name]()))
        assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(*found)


class Waiting(Callback):
    """Has two fits go from batch to batch together."""

    def __init__(self, barrier: Any) -> None:
        self.barrier = barrier

    def on_batch_begin(self, net: Any, **kwargs: Any) -> None:
        self.barrier.wait(timeout=60)


@pytest.mark.parametrize("parameters", [{"dropout": 0.3}, {"module": Dropping}], ids=str)
def test_fits_whose_batches_alternate(parameters: dict[str, Any]) -> None:
    def fit(callbacks: list[Any]) -> np.ndarray:
        model = NeuralRegressor(**parameters, **SHORT, callbacks=callbacks)
        return weights(model.fit(X, y))

    alone = fit([])
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(fit, [Waiting(barrier)]) for _ in range(2)]
    for future in futures:
        assert_array_equal(future.result(), alone)


SEARCHED: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "dense": (NeuralClassifier(dropout=0.3), {"hidden_layer_sizes": [(4,), (8,)]}, X),
    "sparse": (NeuralClassifier((8,), dropout=0.3), {"alpha": [0, 0.1]}, csr_array(X)),
    "module": (NeuralClassifier(module=Dropping), {"alpha": [0, 0.1]}, X),
}


@pytest.mark.parametrize("search_class", [GridSearchCV, OurGridSearchCV])
@pytest.mark.parametrize("name", SEARCHED)
def test_searches_in_threads(name: str, search_class: Any) -> None:
    model, grid, inputs = SEARCHED[name]
    model = clone(model).set_params(**SHORT)

    def search(n_jobs: int) -> Any:
        return search_class(model, grid, cv=3, n_jobs=n_jobs).fit(inputs, labels)

    before = torch.get_rng_state()
    alone = search(1)
    with joblib.parallel_backend("threading"):
        found = search(4)
    assert_array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert_array_equal(weights(found.best_estimator_), weights(alone.best_estimator_))
    assert torch.equal(torch.get_rng_state(), before)
