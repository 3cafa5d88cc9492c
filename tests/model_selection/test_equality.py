"""A fit in a search on a CPU is the same fit alone, bit for bit, whatever the number of threads."""

import _thread
import gc
import threading
import time

import numpy as np
import pytest
import sklearn.model_selection as reference
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import KFold

import sknn.model_selection as ours
from sknn.model_selection._calls import last_step

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {
    "plain": {},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.3, "tol": 1e-3},
    "dropout": {"dropout": 0.3, "hidden_layer_sizes": (9, 5)},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.2, "n_iter_no_change": 1},
    "adamw": {"solver": "adamw", "alpha": 0.1, "learning_rate": "one_cycle", "activation": "tanh"},
    "float32": {"precision": "float32", "max_grad_norm": 0.5},
    "class weights": {"class_weight": "balanced", "label_smoothing": 0.1, "batch_size": 7},
    "one batch": {"batch_size": "all", "shuffle": False},
    "nadam": {"solver": "nadam"},
}
RATES = [0.005, 0.02]


class Keeping:
    """A scorer that keeps weights, learning curve and predictions of each fit."""

    def __init__(self):
        self.seen = {}

    def __call__(self, estimator, X, y):
        network = last_step(estimator)
        rate = network.learning_rate_init
        arrays = [*network.coefs_, *network.intercepts_, network.loss_curve_, network.predict(X)]
        if network.validation_scores_ is not None:
            arrays.append(network.validation_scores_)
        key = rate, len(y), float(np.sum(X))
        assert key not in self.seen
        self.seen[key] = [np.asarray(array) for array in arrays]
        return estimator.score(X, y)


def assert_equal(actual, expected):
    assert actual.keys() == expected.keys()
    for key, arrays in expected.items():
        for one, other in zip(actual[key], arrays, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.fixture
def compare(wine, tools):
    """Run a search of ours and scikit-learn's, and compare all fits."""
    X, y = wine

    def run(name, estimator, n_jobs, fit_params=None, **options):
        prefix = "net__" if hasattr(estimator, "steps") else ""
        grid = {f"{prefix}learning_rate_init": RATES}
        options = {"refit": False, "error_score": "raise"} | options
        searches, scorers = [], (Keeping(), Keeping())
        for module, scorer in zip((ours, reference), scorers, strict=True):
            search = getattr(module, name)(
                clone(estimator),
                grid,
                cv=KFold(3, shuffle=True, random_state=0),
                n_jobs=n_jobs if module is ours else None,
                scoring=scorer,
                **options,
            )
            searches.append(search.fit(X, y, **fit_params or {}))
        assert_equal(scorers[0].seen, scorers[1].seen)
        tools.assert_same_results(searches[0].cv_results_, searches[1].cv_results_)

    return run


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("case", SETTINGS)
def test_settings(compare, tools, case, n_jobs):
    compare("GridSearchCV", tools.classifier(**{"max_iter": 6} | SETTINGS[case]), n_jobs)


@pytest.mark.filterwarnings("ignore:The scoring .* does not support sample_weight:UserWarning")
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("is_pipeline", [False, True])
def test_sample_weights(compare, tools, is_pipeline, n_jobs):
    estimator, prefix = tools.classifier(max_iter=6, early_stopping=True), ""
    if is_pipeline:
        estimator, prefix = tools.pipeline(estimator), "net__"
    weights = np.random.default_rng(0).uniform(0.1, 3, 178)
    compare("GridSearchCV", estimator, n_jobs, {f"{prefix}sample_weight": weights})


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_generator(compare, tools, n_jobs):
    seed = np.random.RandomState(3)
    compare("GridSearchCV", tools.classifier(max_iter=6, dropout=0.2, random_state=seed), n_jobs)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_halving(compare, tools, n_jobs):
    estimator = tools.classifier(max_iter=6, batch_size=10)
    options = {"random_state": 0, "factor": 2, "min_resources": 60}
    compare("HalvingGridSearchCV", estimator, n_jobs, **options)


def test_eight_threads(diabetes, tools):
    X, y = diabetes
    options = {"cv": 24, "return_estimator": True, "error_score": "raise"}
    estimator = tools.pipeline(tools.regressor(max_iter=4, dropout=0.2, early_stopping=True))
    actual = ours.cross_validate(estimator, X, y, n_jobs=8, **options)
    expected = reference.cross_validate(estimator, X, y, **options)
    np.testing.assert_array_equal(actual["test_score"], expected["test_score"])
    for one, other in zip(actual["estimator"], expected["estimator"], strict=True):
        for weights, others in zip(one["net"].coefs_, other["net"].coefs_, strict=True):
            np.testing.assert_array_equal(weights, others)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("solver", ["adam", "rmsprop"])
# Python drops an interrupt that comes within a callback of its garbage collector, and says so
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_ends_fits_that_would_never_end(wine, tools, n_jobs, solver):
    begun, over = threading.Event(), threading.Event()

    def interrupt():
        assert begun.wait(60)
        time.sleep(0.5)  # in the middle of a fit
        for _ in range(10):
            _thread.interrupt_main()  # as Ctrl-C does
            if over.wait(5):
                break

    class Telling(KFold):
        def split(self, *args, **kwargs):
            begun.set()
            yield from super().split(*args, **kwargs)

    gc.collect()  # threads of earlier tests, whose callbacks would drop the interrupt
    # hours
    endless = tools.classifier(max_iter=10**8, n_iter_no_change=10**9, solver=solver)
    n_threads = threading.active_count()
    interrupter = threading.Thread(target=interrupt, daemon=True)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        ours.cross_val_score(endless, *wine, cv=Telling(3), n_jobs=n_jobs)
    over.set()
    interrupter.join()
    assert threading.active_count() == n_threads
