"""What must not happen: failures that users of neural networks in Python have met."""

import functools
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    make_multilabel_classification,
    make_regression,
)
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import precision_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback as SkorchCallback

from sknn import (
    AttentionClassifier,
    AttentionRegressor,
    ConvClassifier,
    ConvRegressor,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
)
from tests.helpers import assert_same_weights, representatives, run_python, weights_of

ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
pytestmark = ignore_convergence

X = StandardScaler().fit_transform(load_breast_cancer().data)[:300]
y = load_breast_cancer().target[:300]
X_regression, y_regression = make_regression(200, 5, random_state=0)


def make_classifier(**parameters: Any) -> NeuralClassifier:
    parameters = {"max_iter": 10, "learning_rate_init": 0.01, "random_state": 0} | parameters
    return NeuralClassifier((10,), **parameters)


# ------------------------------------------------------------------------------------- contract


LABELS: dict[str, Any] = {
    "1, 2": np.array([1, 2]),
    "-1, 1": np.array([-1, 1]),
    "5, 7": np.array([5, 7]),
    "strings": np.array(["benign", "malignant"]),
    "booleans": np.array([False, True]),
    "objects": np.array(["no", "yes"], dtype=object),
    "floats": np.array([0.0, 1.0]),
    "bytes of another type": np.array([100, 200], dtype=np.uint8),
}


@functools.cache
def fitted_to_zero_and_one(loss: str, solver: str) -> NeuralClassifier:
    return make_classifier(loss=loss, solver=solver).fit(X, y)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_any_two_labels_are_learned_as_well_as_zero_and_one(
    labels: np.ndarray, loss: str, solver: str
) -> None:
    model = make_classifier(loss=loss, solver=solver).fit(X, labels[y])
    expected = fitted_to_zero_and_one(loss, solver)
    assert_same_weights(model, expected)
    predictions = model.predict(X)
    assert_array_equal(predictions, labels[expected.predict(X)])
    assert predictions.dtype == labels.dtype
    assert model.score(X, labels[y]) == expected.score(X, y) > 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_a_column_of_targets_gives_the_fit_of_a_vector(estimator: Any) -> None:
    vector = estimator(max_iter=5, random_state=0).fit(X, y)
    column = estimator(max_iter=5, random_state=0).fit(X, y[:, None])
    assert_same_weights(vector, column)
    assert column.predict(X).shape == y.shape


def test_one_target_in_a_column_warns_as_everywhere_in_scikit_learn() -> None:
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        make_classifier(max_iter=1).fit(X, y[:, None])


def test_multilabel_partial_fit_is_as_good_as_fit() -> None:
    X_labels, Y = make_multilabel_classification(400, 20, n_classes=5, random_state=0)
    fitted = make_classifier(max_iter=30, batch_size=50).fit(X_labels, Y)
    partial = make_classifier(batch_size=50)
    for _ in range(30):
        partial.partial_fit(X_labels, Y, classes=np.arange(5))
    for model in (fitted, partial):
        assert precision_score(Y, model.predict(X_labels), average="micro") > 0.75
    assert abs(partial.score(X_labels, Y) - fitted.score(X_labels, Y)) < 0.1


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"solver": "adamw", "learning_rate": "cosine"},
        {"solver": "rmsprop", "dropout": 0.3},
        {"solver": torch.optim.NAdam, "normalization": "batch"},
        {"activation": "gelu", "learning_rate": "one_cycle"},
    ],
    ids=str,
)
def test_partial_fits_with_a_load_between_them_are_bit_equal(parameters: dict[str, Any]) -> None:
    check_loads(lambda: make_classifier(batch_size=40, **parameters), X, y, n_calls=4)


def check_loads(make: Callable[[], Any], X: Any, y: np.ndarray, n_calls: int) -> None:
    """Compare partial fits with the same once more, and with loads between them."""
    straight, again, stored = (make() for _ in range(3))
    for _ in range(n_calls):
        straight.partial_fit(X, y, classes=[0, 1])
        again.partial_fit(X, y, classes=[0, 1])
        stored = pickle.loads(pickle.dumps(stored.partial_fit(X, y, classes=[0, 1])))
    for other in (again, stored):
        assert_same_weights(straight, other)
        assert straight.loss_curve_ == other.loss_curve_
        assert_array_equal(straight.predict_proba(X), other.predict_proba(X))


def test_partial_fit_after_fit_and_load_goes_on_learning(tmp_path: Path) -> None:
    model = NeuralRegressor(hidden_layer_sizes=(20,), learning_rate_init=0.01, random_state=0)
    model.fit([[2.0]], [4.0])
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model")
    for _ in range(200):
        loaded.partial_fit([[2.0]], [1.0])
    assert_allclose(loaded.predict([[2.0]]), [1.0], rtol=1e-2)


# ------------------------------------------------------------------------------------- numerics


@pytest.mark.parametrize("solver", ["sgd", "adam", torch.optim.SGD])
def test_divergence_is_an_error_that_names_cause_and_remedy(solver: Any) -> None:
    model = NeuralRegressor(solver=solver, learning_rate_init=5.0, max_iter=200, random_state=0)
    if solver == "adam":
        model.set_params(learning_rate_init=1e300)
    with pytest.raises(ValueError, match=r"diverged.*StandardScaler.*learning_rate_init"):
        model.fit(X_regression, y_regression)


def test_divergence_with_early_stopping_warns_and_keeps_the_best_finite_weights() -> None:
    model = NeuralRegressor(
        solver="sgd", learning_rate_init=0.05, early_stopping=True, max_iter=200, random_state=0
    )
    scale = 3.0
    with pytest.warns(ConvergenceWarning, match=r"diverged.*best validation score") as caught:
        model.fit(X_regression * scale, y_regression)
    assert len(caught) == 1
    assert all(np.isfinite(weights).all() for weights in weights_of(model))
    predictions = model.predict(X_regression * scale)
    assert np.isfinite(predictions).all()
    scores = [score for score in model.validation_scores_ if np.isfinite(score)]
    assert model.best_validation_score_ == max(scores)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_values_that_are_not_finite_are_refused_before_training(
    estimator: Any, make: Any, value: float
) -> None:
    bad = X.copy()
    bad[5, 3] = value
    model = estimator(max_iter=1)
    with pytest.raises(ValueError, match="X contains"):
        model.fit(make(bad), y)
    assert not hasattr(model, "module_")
    model.fit(X, y)
    with pytest.raises(ValueError, match="X contains"):
        model.predict(make(bad))


@pytest.mark.parametrize("shuffle", [False, True])
def test_sparse_and_dense_rows_give_the_same_model(shuffle: bool) -> None:
    sparse_X = np.where(np.abs(X) > 1, X, 0)
    models = [
        make_classifier(batch_size=64, shuffle=shuffle).fit(form(sparse_X), y)
        for form in (np.asarray, sparse.csr_array, sparse.csc_array, sparse.csr_matrix)
    ]
    for model in models[1:]:
        for one, other in zip(weights_of(models[0]), weights_of(model), strict=True):
            assert_allclose(one, other, atol=1e-9)


@pytest.mark.serial
@pytest.mark.slow
def test_a_sparse_matrix_is_never_made_dense() -> None:
    """1 % of the entries: the peak beyond the network stays below three times the CSR bytes."""
    pytest.importorskip("psutil")
    output = run_python(
        """
        import threading, time
        import numpy as np, psutil
        from scipy import sparse
        from sknn import NeuralClassifier

        rng = np.random.default_rng(0)
        X = sparse.random_array((30_000, 20_000), density=0.01, rng=rng, format="csr",
                                dtype=np.float32)
        y = rng.integers(0, 2, 30_000)
        small = sparse.random_array((500, 20_000), density=0.01, rng=rng, format="csr",
                                    dtype=np.float32)
        process = psutil.Process()
        model = NeuralClassifier((2,), max_iter=1, batch_size=500, random_state=0)
        model.fit(small, y[:500])  # what torch and the network take is there before
        before = process.memory_info().rss
        peak = [before]
        done = threading.Event()

        def watch():
            while not done.is_set():
                peak[0] = max(peak[0], process.memory_info().rss)
                time.sleep(0.005)

        watcher = threading.Thread(target=watch)
        watcher.start()
        model.fit(X, y).predict(X)
        done.set()
        watcher.join()
        size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
        print(peak[0] - before, size)
        """,
        timeout=300,
    )
    growth, size = map(int, output.split())
    # the matrix itself was there before: what is beyond it has to stay below twice its size
    assert growth < 2 * size


# ----------------------------------------------------------------------------------- randomness


DIGEST = """
import hashlib
import numpy as np

def report(model):
    digest = hashlib.sha256()
    for p in model.module_.parameters():
        digest.update(p.detach().numpy().tobytes())
    print(digest.hexdigest())
"""
# Each fits several models, and how many.
SCRIPTS = {
    "rows": (
        """
from sklearn.datasets import load_breast_cancer
from sknn import NeuralClassifier
X, y = load_breast_cancer(return_X_y=True)
for parameters in ({}, {"dropout": 0.3}, {"early_stopping": True, "normalization": "batch"}):
    report(NeuralClassifier((10,), max_iter=3, random_state=7, **parameters).fit(X / 100, y))
""",
        3,
    ),
    "images": (
        """
from sklearn.datasets import load_digits
from sknn import ConvClassifier
X, y = load_digits(return_X_y=True)
for parameters in ({}, {"dropout": 0.3}, {"early_stopping": True, "architecture": "airbench"}):
    model = ConvClassifier(filters=(4, 4), max_iter=1, random_state=7, **parameters)
    report(model.fit(X[:200] / 16, y[:200]))
""",
        3,
    ),
    "series": (
        """
from sknn import AttentionClassifier, RecurrentClassifier
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 12, 100)]
y = np.array([x.sum() > 0 for x in X])
for estimator in (RecurrentClassifier, AttentionClassifier):
    model = estimator(hidden_size=8, max_iter=2, early_stopping=True, random_state=7)
    report(model.fit(X, y))
""",
        2,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("script", "n_models"), SCRIPTS.values(), ids=SCRIPTS)
def test_another_process_with_another_hash_seed_has_bit_equal_weights(
    script: str, n_models: int
) -> None:
    first = run_python(DIGEST + script, PYTHONHASHSEED="1")
    assert first == run_python(DIGEST + script, PYTHONHASHSEED="2")
    assert len(set(first.split())) == n_models


class HeldOutRows(SkorchCallback):
    """Keeps the rows that a fit trains on and those that it validates on."""

    def __init__(self) -> None:
        self.trained: set[bytes] = set()
        self.validated: set[bytes] = set()

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kw: Any
    ) -> None:
        self.trained |= {row.tobytes() for row in np.asarray(dataset_train.X)}
        if dataset_valid is not None:
            self.validated |= {row.tobytes() for row in np.asarray(dataset_valid.X)}


def change_rows(name: str, i: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(i)
    if name == "same":
        return X[:200], y[:200]
    if name == "permuted":
        order = rng.permutation(200)
        return X[:200][order], y[:200][order]
    return X[: 200 + 30 * i], y[: 200 + 30 * i]


@pytest.mark.parametrize("rows", ["same", "permuted", "grown"])
@pytest.mark.parametrize("seed", [0, None])
def test_a_warm_start_never_validates_on_a_row_that_was_trained_on(
    rows: str, seed: int | None
) -> None:
    seen = HeldOutRows()
    model = make_classifier(
        early_stopping=True, warm_start=True, max_iter=2, callbacks=[seen], random_state=seed
    )
    for i in range(4):
        model.fit(*change_rows(rows, i))
    assert len(seen.validated) >= 20
    assert seen.trained.isdisjoint(seen.validated)


@pytest.mark.parametrize(
    "first",
    [
        lambda model: model.set_params(warm_start=False, early_stopping=False).fit(X, y),
        lambda model: model.set_params(early_stopping=False).fit(X, y),
        lambda model: model.set_params(early_stopping=False).partial_fit(X, y, classes=[0, 1]),
        lambda model: model.fit(X, y, X_val=X[:9], y_val=y[:9]),
        lambda model: model.set_params(solver="lbfgs").fit(X, y),
    ],
    ids=["cold fit", "no early stopping", "partial fit", "own validation data", "lbfgs"],
)
def test_early_stopping_after_another_kind_of_fit_does_not_validate_on_its_rows(
    first: Callable[[Any], Any],
) -> None:
    """It is an error, not a score on rows that were learned."""
    model = first(make_classifier(warm_start=True, early_stopping=True, max_iter=2))
    model.set_params(warm_start=True, early_stopping=True, solver="adam")
    with pytest.raises(ValueError, match="validation set is too small|cannot tell which rows"):
        model.fit(X, y)


# --------------------------------------------------------------------------------------- Ctrl-C


class Interrupts(SkorchCallback):
    """Sends the process what Ctrl-C sends, once, in an epoch or a batch."""

    def __init__(self, hook: str = "epoch", at: int = 3) -> None:
        self.hook, self.at = hook, at

    def initialize(self) -> Any:
        self.n_ = 0
        return self

    def _tick(self, hook: str) -> None:
        if hook == self.hook:
            self.n_ += 1
            if self.n_ == self.at:
                signal.raise_signal(signal.SIGINT)

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self._tick("train")

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self._tick("epoch begin")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self._tick("epoch")

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        self._tick("batch")


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    ("hook", "at", "n_epochs"), [("epoch", 3, 3), ("batch", 8, 1), ("epoch begin", 2, 1)]
)
def test_ctrl_c_is_raised_and_leaves_a_fitted_model(
    hook: str, at: int, n_epochs: int, early_stopping: bool
) -> None:
    model = make_classifier(
        batch_size=50,
        max_iter=30,
        dropout=0.5,
        early_stopping=early_stopping,
        callbacks=[Interrupts(hook, at)],
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == n_epochs
    assert not model.module_.training
    assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    assert np.isfinite(model.loss_)
    if early_stopping:
        assert model.best_validation_score_ == max(model.validation_scores_)
    model.set_params(callbacks=None, early_stopping=False).partial_fit(X, y)
    assert len(model.loss_curve_) == n_epochs + 1
    assert pickle.loads(pickle.dumps(model)).score(X, y) == model.score(X, y)


def test_ctrl_c_before_the_first_batch_leaves_a_model_that_predicts() -> None:
    model = make_classifier(dropout=0.5, callbacks=[Interrupts("train", 1)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    assert model.n_iter_ == 0
    assert model.loss_curve_ == []


def test_ctrl_c_in_lbfgs_keeps_the_last_iteration() -> None:
    model = make_classifier(solver="lbfgs", max_iter=50, callbacks=[Interrupts("epoch", 4)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == 4
    expected = make_classifier(solver="lbfgs", max_iter=4).fit(X, y)
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize(
    "search",
    [
        lambda model: GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2).fit(X, y),
        lambda model: cross_val_score(model, X, y, cv=3),
        lambda model: BaggingClassifier(model, 3).fit(X, y),
    ],
    ids=["search", "cross-validation", "bagging"],
)
def test_ctrl_c_ends_a_meta_estimator_too(search: Any) -> None:
    model = make_classifier(max_iter=20, callbacks=[Interrupts("epoch", 2)])
    with pytest.raises(KeyboardInterrupt):
        search(model)


@pytest.mark.serial
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_a_signal_from_outside_ends_a_fit_and_leaves_it_fitted() -> None:
    code = """
    import signal
    import numpy as np
    from sknn import NeuralClassifier
    from skorch.callbacks import Callback

    signal.signal(signal.SIGINT, signal.default_int_handler)

    class Ready(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                print("ready", flush=True)

    X = np.random.default_rng(0).normal(size=(2000, 20))
    y = (X[:, 0] > 0).astype(int)
    model = NeuralClassifier(max_iter=10**6, n_iter_no_change=10**6, callbacks=[Ready()])
    try:
        model.fit(X, y)
    except KeyboardInterrupt:
        print("interrupted", model.n_iter_ >= 3, model.predict(X).shape, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert output == "interrupted True (2000,)\n"


# -------------------------------------------------------------------------------------- machines


def test_eight_threads_predict_bit_for_bit_what_one_does() -> None:
    model = NeuralClassifier((50,), "gelu", dropout=0.2, max_iter=3, random_state=0).fit(X, y)
    parts = [X[i::8] for i in range(8)] * 4
    expected = [model.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for result, serial in zip(pool.map(model.predict_proba, parts), expected, strict=True):
            assert_array_equal(result, serial)


def test_fits_in_threads_equal_the_serial_ones() -> None:
    """Each has its own random numbers; models with dropout borrow torch's global ones in turn."""

    def fit(seed: int) -> list[np.ndarray]:
        return weights_of(make_classifier(max_iter=4, random_state=seed).fit(X, y))

    expected = [fit(seed) for seed in range(6)]
    before = torch.get_num_threads()
    with ThreadPoolExecutor(6) as pool:
        for result, serial in zip(pool.map(fit, range(6)), expected, strict=True):
            for one, other in zip(result, serial, strict=True):
                assert_array_equal(one, other)
    assert torch.get_num_threads() == before


FITTED = {
    "rows": """
        from sknn import NeuralClassifier
        X = np.random.default_rng(0).normal(size=(4000, 300))
        y = (X[:, 0] > 0).astype(int)
        model = NeuralClassifier((300,), max_iter=1, batch_size=2000, random_state=0).fit(X, y)
        """,
    "images": """
        from sknn import ConvClassifier
        X = np.random.default_rng(0).random((200, 16, 16, 3))
        y = np.arange(200) % 2
        model = ConvClassifier(filters=(16, 16), max_iter=1, batch_size="all").fit(X, y)
        """,
}


@pytest.mark.serial
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize(
    "fitted",
    [
        pytest.param(code, marks=pytest.mark.slow if name == "images" else (), id=name)
        for name, code in FITTED.items()
    ],
)
def test_a_forked_child_does_not_hang(fitted: str) -> None:
    """torch's threads do not survive a fork, so a child that used them would wait for ever."""
    before = """
        import os, time
        import numpy as np, torch
        torch.set_num_threads(2)
        """
    after = """
        actions = {
            "predict": lambda: model.predict(X),
            "fit": lambda: model.fit(X, y),
            "partial_fit": lambda: model.partial_fit(X, y),
        }
        for name, action in actions.items():
            child = os.fork()
            if child == 0:
                action()
                os._exit(0)
            deadline = time.monotonic() + 20
            done = 0
            while not done and time.monotonic() < deadline:
                time.sleep(0.05)
                done, status = os.waitpid(child, os.WNOHANG)
            if not done:
                os.kill(child, 9)
                os.waitpid(child, 0)
            print(name, "finished" if done and status == 0 else "hung")
        """
    output = run_python(before + fitted + after)
    assert output.splitlines() == ["predict finished", "fit finished", "partial_fit finished"]


def report_threads(seed: int) -> tuple[int, int, float]:
    import torch

    model = NeuralClassifier((10,), max_iter=2, random_state=seed).fit(X, y)
    return os.getpid(), torch.get_num_threads(), model.loss_


@pytest.mark.serial
@pytest.mark.slow
def test_workers_times_threads_do_not_exceed_the_cores() -> None:
    n_cores = joblib.cpu_count()
    # by value: the workers cannot import this module
    reported = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(joblib.wrap_non_picklable_objects(report_threads))(seed) for seed in range(4)
    )
    n_threads = max(threads for _, threads, _ in reported)
    assert 2 * n_threads <= max(n_cores, 2)
    expected = [report_threads(seed)[2] for seed in range(4)]
    assert [loss for _, _, loss in reported] == expected


def test_a_fit_in_a_thread_that_is_not_the_main_one_works() -> None:
    results: list[float] = []
    thread = threading.Thread(target=lambda: results.append(make_classifier().fit(X, y).loss_))
    thread.start()
    thread.join(60)
    assert results == [make_classifier().fit(X, y).loss_]


@pytest.mark.serial
@pytest.mark.slow
def test_a_spawned_process_takes_a_fitted_model() -> None:
    model = make_classifier().fit(X, y)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert_array_equal(pool.apply(model.predict_proba, (X,)), model.predict_proba(X))


def test_a_first_fit_imports_nothing_heavy() -> None:
    """torch's compiler and SymPy take over a second to import, and training needs neither.

    Nor do the figures need their packages before one is drawn.
    """
    code = """
    import sys, numpy as np
    from sknn import NeuralClassifier, inspection
    X = np.random.default_rng(0).normal(size=(30, 3))
    NeuralClassifier(max_iter=2, n_iter_no_change=1, tol=10).fit(X, X[:, 0] > 0)
    names = ("sympy", "torch._dynamo", "matplotlib", "captum")
    print([name for name in names if name in sys.modules])
    """
    assert run_python(code).strip() == "[]"


# ---------------------------------------------------------------------------- images and series

digits = load_digits()
IMAGES, KINDS = digits.images[:120] / 16, digits.target[:120] % 2

series_rng = np.random.default_rng(3)
RISES = np.arange(60) % 2
SERIES = [
    (2 * rises - 1) * np.linspace(0, 2, n)[:, None] + series_rng.normal(scale=0.3, size=(n, 2))
    for rises, n in zip(RISES, series_rng.integers(4, 12, 60), strict=True)
]
CONVOLUTIONAL = [ConvClassifier, ConvRegressor]
CLASSIFIERS = [ConvClassifier, RecurrentClassifier, AttentionClassifier]
each_classifier = pytest.mark.parametrize("estimator", CLASSIFIERS)


def data_for(estimator: Any) -> tuple[Any, np.ndarray]:
    return (IMAGES, KINDS) if estimator in CONVOLUTIONAL else (SERIES, RISES)


def take(X: Any, rows: np.ndarray) -> Any:
    return X[rows] if isinstance(X, np.ndarray) else [X[i] for i in rows]


def make(estimator: Any, **parameters: Any) -> Any:
    own: dict[str, Any] = {"hidden_size": 8, "filters": (6,)}
    if estimator in CONVOLUTIONAL:
        own = {"filters": (3, 4), "hidden_layer_sizes": (6,)}
    shared = {"batch_size": 20, "learning_rate_init": 0.01, "max_iter": 3, "random_state": 0}
    return estimator(**(own | shared | parameters))


@pytest.mark.parametrize("name", representatives(LABELS, "strings", "bytes of another type"))
@pytest.mark.parametrize("estimator", [ConvClassifier, RecurrentClassifier])
def test_any_two_labels_of_images_and_series_are_learned_as_zero_and_one(
    estimator: Any, name: str
) -> None:
    X, y = data_for(estimator)
    labels = LABELS[name]
    model = make(estimator).fit(X, labels[y])
    expected = make(estimator).fit(X, y)
    assert_same_weights(model, expected)
    assert_array_equal(model.predict(X), labels[expected.predict(X)])
    assert model.score(X, labels[y]) == expected.score(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("estimator", CONVOLUTIONAL)
def test_a_column_of_targets_of_images_gives_the_fit_of_a_vector(estimator: Any) -> None:
    vector = make(estimator).fit(IMAGES, KINDS)
    column = make(estimator).fit(IMAGES, KINDS[:, None])
    assert_same_weights(vector, column)
    assert column.predict(IMAGES).shape == KINDS.shape


@pytest.mark.parametrize(
    ("hook", "at", "n_epochs", "early_stopping"),
    representatives(
        [
            (*each, early_stopping)
            for each in [("epoch", 3, 3), ("batch", 8, 1), ("epoch begin", 2, 1)]
            for early_stopping in (False, True)
        ],
        ("epoch", 3, 3, False),
        ("batch", 8, 1, True),
    ),
)
@each_classifier
def test_ctrl_c_leaves_a_fitted_model_of_images_and_series(
    estimator: Any, hook: str, at: int, n_epochs: int, early_stopping: bool
) -> None:
    X, y = data_for(estimator)
    own: dict[str, Any] = {"batch_size": 10}  # six batches an epoch, as of the images
    if estimator is ConvClassifier:
        own = {"normalization": "batch", "augment": torch.clone}
    model = make(
        estimator,
        max_iter=30,
        dropout=0.5,
        early_stopping=early_stopping,
        callbacks=[Interrupts(hook, at)],
        **own,
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == n_epochs
    assert not model.module_.training
    assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    model.set_params(callbacks=None, early_stopping=False).partial_fit(X, y)
    assert len(model.loss_curve_) == n_epochs + 1
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("estimator", "parameters"),
    [
        (ConvClassifier, {}),
        (ConvClassifier, {"dropout": 0.3, "normalization": "batch"}),
        (ConvClassifier, {"augment": ["flip", "shift"], "solver": "adamw"}),
        (ConvClassifier, {"architecture": "airbench", "solver": "sgd"}),
        (RecurrentClassifier, {}),
        (RecurrentClassifier, {"dropout": 0.0, "solver": "sgd"}),
        (AttentionClassifier, {}),
        (AttentionClassifier, {"dropout": 0.0, "solver": "sgd"}),
    ],
    ids=str,
)
def test_partial_fits_of_images_and_series_with_a_load_between_them_are_bit_equal(
    estimator: Any, parameters: dict[str, Any]
) -> None:
    if "augment" in parameters:
        pytest.importorskip("kornia")
    check_loads(lambda: make(estimator, **parameters), *data_for(estimator), n_calls=3)


@pytest.mark.parametrize(
    ("estimator", "parameters", "scale"),
    [
        (ConvRegressor, {"learning_rate_init": 1e4}, 1e3),
        (RecurrentRegressor, {"learning_rate_init": 1e6, "standardize": False}, 1e6),
        (AttentionRegressor, {"learning_rate_init": 1e6, "standardize": False}, 1e6),
    ],
)
def test_a_diverging_fit_of_images_and_series_is_an_error_that_names_cause_and_remedy(
    estimator: Any, parameters: dict[str, Any], scale: float
) -> None:
    X, y = data_for(estimator)
    model = make(estimator, solver="sgd", max_iter=30, **parameters)
    with pytest.raises(ValueError, match=r"diverged.*learning_rate_init"):
        model.fit(X, scale * y)


@pytest.mark.parametrize("seed", [0, None])
@pytest.mark.parametrize(
    ("estimator", "n_first", "n_validated"),
    [(ConvClassifier, 100, 10), (RecurrentClassifier, 40, 4)],
)
def test_a_warm_start_never_validates_on_images_and_series_that_were_trained_on(
    estimator: Any, n_first: int, n_validated: int, seed: int | None
) -> None:
    X, y = data_for(estimator)
    seen = HeldOutRows()
    model = make(
        estimator, early_stopping=True, warm_start=True, callbacks=[seen], random_state=seed
    )
    for i in range(3):
        order = np.random.default_rng(i).permutation(n_first + 10 * i)
        model.fit(take(X, order), y[order])
    assert len(seen.validated) >= n_validated
    assert seen.trained.isdisjoint(seen.validated)


@each_classifier
def test_eight_threads_predict_images_and_series_bit_for_bit_as_one_does(estimator: Any) -> None:
    X, y = data_for(estimator)
    own: dict[str, Any] = {}
    if estimator is ConvClassifier:
        own = {"test_time_augment": "flip", "normalization": "batch"}
    model = make(estimator, **own).fit(X, y)
    parts = [X[i::8] for i in range(8)] * 4
    expected = [model.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for result, serial in zip(pool.map(model.predict_proba, parts), expected, strict=True):
            assert_array_equal(result, serial)


@pytest.mark.slow
def test_a_first_fit_of_images_imports_nothing_heavy() -> None:
    """kornia takes seconds to import, and only augmentation by name needs it."""
    code = """
    import sys, numpy as np
    from sknn import ConvClassifier
    X = np.random.default_rng(0).random((30, 8, 8))
    ConvClassifier(filters=(2,), max_iter=2, augment=lambda x: x).fit(X, X[:, 0, 0] > 0.5)
    names = ("sympy", "torch._dynamo", "kornia", "matplotlib", "captum")
    print([name for name in names if name in sys.modules])
    """
    assert run_python(code).strip() == "[]"
