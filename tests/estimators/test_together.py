from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_regression
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping, EpochScoring

from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor
from sknn.estimators import FitTask, bytes_per_fit, fit_together, stacking_key
from sknn.estimators.dense._format import DenseFormat
from sknn.nn import ACTIVATIONS
from sknn.training import Interrupted, _engine
from tests.helpers import assert_equal_up_to_rounding, representatives

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("stacks_on_a_cpu"),
]


def load(name: str) -> tuple[np.ndarray, np.ndarray]:
    if name == "regression":
        X, y = make_regression(203, 7, noise=5.0, random_state=0)
        return X, y / y.std()
    loaders = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer}
    X, y = loaders[name](return_X_y=True)
    return StandardScaler().fit_transform(X), y


def folds(X: np.ndarray, y: np.ndarray, n: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    splits = KFold(n, shuffle=True, random_state=0).split(X)
    return [(X[train], y[train]) for train, _ in splits]


def make_tasks(
    estimator: Any, grid: list[dict[str, Any]], data: list[tuple[Any, Any]], **fit_params: Any
) -> list[FitTask]:
    return [
        FitTask(clone(estimator).set_params(**parameters), X, y, dict(fit_params))
        for X, y in data
        for parameters in grid
    ]


def check_equal(task: FitTask) -> None:
    """Compare with the fit alone."""
    assert task.error is None
    together = task.estimator
    alone = clone(together).fit(task.X, task.y, **task.fit_params)
    assert together.n_iter_ == alone.n_iter_
    assert together.t_ == alone.t_
    dtype = alone.coefs_[0].dtype
    for name in ("train_loss", "train_score", "valid_score", "valid_loss", "learning_rate"):
        values, expected = [
            [epoch[name] for epoch in estimator.history_ if name in epoch]
            for estimator in (together, alone)
        ]
        assert_equal_up_to_rounding(np.array(values), np.array(expected), dtype=dtype)
    assert_same_weights(together, alone)
    assert not together.module_.training
    predictions = together.predict(task.X), alone.predict(task.X)
    if isinstance(together, NeuralClassifier):
        assert_array_equal(*predictions)
    else:
        assert_equal_up_to_rounding(*predictions, dtype=dtype)


def assert_same_weights(together: Any, alone: Any) -> None:
    for values, expected in zip(
        together.coefs_ + together.intercepts_, alone.coefs_ + alone.intercepts_, strict=True
    ):
        assert_equal_up_to_rounding(values, expected)


# What may differ inside a stack; learning rates and the like are in the first.
MIXED: list[dict[str, Any]] = [
    {"learning_rate_init": 0.01, "alpha": 0.0},
    {"alpha": 0.1, "random_state": 7},
    {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-6},
    {"solver": "sgd", "momentum": 0.5, "learning_rate": "invscaling"},
    {"solver": "sgd", "nesterovs_momentum": False, "learning_rate": "adaptive", "tol": 0.1},
    {"solver": "adamw", "alpha": 0.1},
    {"solver": "nadam"},
    {"solver": "rmsprop", "momentum": 0.3},
    {"learning_rate": "one_cycle", "max_iter": 7},
    {"dropout": 0.2},
    {"dropout": 0.5, "solver": "adamw"},
    {"max_grad_norm": 0.05},
    {"early_stopping": True, "n_iter_no_change": 2},
    {"tol": 0.5, "n_iter_no_change": 1},
    {"shuffle": False},
]
CLASSES: list[dict[str, Any]] = [
    {"label_smoothing": 0.2},
    {"class_weight": "balanced"},
    {"class_weight": {0: 3.0, 1: 0.5}},
]


@pytest.mark.parametrize(
    ("name", "batch_size", "precision"),
    representatives(
        product(["cancer", "regression"], ["auto", 33, "all"], ["float64", "float32"]),
        ("cancer", "auto", "float64"),
        ("regression", "all", "float64"),
        ("regression", "auto", "float32"),
    ),
)
def test_fits_of_a_stack_equal_fits_alone(name: str, batch_size: Any, precision: str) -> None:
    kind: Any = NeuralRegressor if name == "regression" else NeuralClassifier
    estimator = kind(
        hidden_layer_sizes=(12,),
        max_iter=5,
        random_state=0,
        batch_size=batch_size,
        precision=precision,
    )
    grid = MIXED + (CLASSES if name == "cancer" else [])
    tasks = make_tasks(estimator, grid, folds(*load(name), n=2))
    fit_together(tasks)
    for task in tasks:
        check_equal(task)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu", "elu"])
@pytest.mark.parametrize("hidden", [(), (5,), (9, 4)])
def test_shapes_and_activations(hidden: tuple[int, ...], activation: str) -> None:
    estimator = NeuralClassifier(hidden, activation, max_iter=15, random_state=0, batch_size=20)
    tasks = make_tasks(estimator, [{"alpha": 1e-3}, {"alpha": 1.0}], folds(*load("iris")))
    fit_together(tasks)
    for task in tasks:
        check_equal(task)


@pytest.mark.parametrize("loss", ["poisson", "huber", "quantile", "log_cosh"])
def test_losses_of_regression(loss: str) -> None:
    X, y = load("regression")
    estimator = NeuralRegressor(loss, (6,), max_iter=8, random_state=0)
    grid: list[dict[str, Any]] = [{"quantile": 0.2}, {"quantile": 0.9}, {"alpha": 0.5}]
    tasks = make_tasks(estimator, grid, folds(X, np.abs(y)))
    fit_together(tasks)
    for task in tasks:
        check_equal(task)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "focal", "squared_error"])
def test_losses_of_classification(loss: str) -> None:
    estimator = NeuralClassifier((6,), loss=loss, max_iter=8, random_state=0)
    tasks = make_tasks(estimator, [{"alpha": 0.1}, {"alpha": 0.5}], folds(*load("wine")))
    fit_together(tasks)
    for task in tasks:
        check_equal(task)


def test_folds_of_any_sizes_and_sample_weights() -> None:
    X, y = load("cancer")
    estimator = NeuralClassifier((8,), max_iter=4, random_state=0, batch_size=50)
    weight = np.random.default_rng(0).uniform(0, 2, len(X))
    weight[:60] = 0  # a batch may have no weight at all
    tasks = [
        FitTask(
            clone(estimator).set_params(shuffle=shuffle),
            X[:n],
            y[:n],
            {"sample_weight": weight[:n]} if is_weighted else {},
        )
        for n in (200, 201, 249, 250, 251, 400, 569)
        for shuffle in (True, False)
        for is_weighted in (True, False)
    ]
    fit_together(tasks)
    for task in tasks:
        check_equal(task)


def test_validation_data_of_the_user() -> None:
    X, y = load("wine")
    estimator = NeuralClassifier((8,), max_iter=30, random_state=0, early_stopping=True)
    tasks = make_tasks(
        estimator, [{"alpha": 0.1}, {"n_iter_no_change": 1}], folds(X, y), X_val=X, y_val=y
    )
    fit_together(tasks)
    for task in tasks:
        check_equal(task)


def test_several_labels_and_several_targets() -> None:
    X, y = load("iris")
    labels = np.column_stack([y == 0, y != 1]).astype(int)
    values = np.column_stack([y, X[:, 0]]).astype(float)
    tasks = make_tasks(
        NeuralClassifier((8,), max_iter=5, random_state=0),
        [{"alpha": 0.1}, {}],
        [(X, labels), (X[:100], labels[:100])],
    )
    tasks += make_tasks(
        NeuralRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0),
        [{"alpha": 0.1}, {}],
        [(X, values), (X[:100], values[:100])],
    )
    fit_together(tasks)
    for task in tasks:
        check_equal(task)


# ------------------------------------------------------------------------------ what is stacked


def count_stacks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    from sknn.training import _engine

    sizes: list[int] = []
    train_stack = _engine.train_stack

    def spy(trainings: Any, **options: Any) -> None:
        sizes.append(len(trainings))
        train_stack(trainings, **options)

    monkeypatch.setattr(_engine, "train_stack", spy)
    return sizes


class PrintsBatches(Callback):
    """Listens to batches."""

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        pass


def a_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets.unsqueeze(1)).square().sum(1)


@pytest.mark.parametrize(
    ("parameters", "sizes"),
    [
        ([{"alpha": 0.1}, {"alpha": 0.2}], [2]),
        (MIXED, [len(MIXED)]),
        ([{"hidden_layer_sizes": (3,)}, {"hidden_layer_sizes": (4,)}], []),
        ([{"activation": "tanh"}, {"activation": "relu"}, {"activation": "tanh"}], [2]),
        ([{"batch_size": 10}, {"batch_size": 20}], []),
        ([{"precision": "float32"}, {"precision": "float64"}], []),
        ([{"normalization": "batch"}] * 2, []),
        ([{"activation": "gelu"}] * 2, []),
        ([{"solver": "lbfgs"}] * 2, []),
        ([{"precision": "bfloat16"}] * 2, []),
        ([{"loss": a_loss}] * 2, []),
        ([{"solver": torch.optim.Adam}] * 2, []),
        ([{"module": torch.nn.Linear(13, 3)}] * 2, []),
        ([{"callbacks": [PrintsBatches()]}] * 2, []),
        ([{"callbacks": [EpochScoring("accuracy", use_caching=False)]}] * 2, []),
        ([{"callbacks": [EarlyStopping("train_loss")]}] * 2, [2]),
    ],
)
def test_what_makes_a_stack(
    parameters: list[dict[str, Any]], sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = count_stacks(monkeypatch)
    X, y = load("wine")
    estimator = NeuralClassifier((5,), max_iter=2, random_state=0)
    tasks = make_tasks(estimator, parameters, [(X, y)])
    fit_together(tasks)
    assert found == sizes
    for task in tasks:
        assert task.error is None
        if task.estimator.module is None:
            check_equal(task)


def test_sparse_samples_are_fitted_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = count_stacks(monkeypatch)
    X, y = load("wine")
    estimator = NeuralClassifier((5,), max_iter=2, random_state=0)
    tasks = make_tasks(estimator, [{}, {"alpha": 0.1}], [(sparse.csr_array(X), y)])
    fit_together(tasks)
    assert found == []
    assert all(task.error is None for task in tasks)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_layer_sizes": (7,)},
        {"activation": "tanh"},
        {"batch_size": 7},
        {"precision": "float64"},
        {"loss": "hinge"},
    ],
)
def test_keys_differ_where_networks_cannot_share_a_stack(change: dict[str, Any]) -> None:
    assert stacking_key(NeuralClassifier(**change)) != stacking_key(NeuralClassifier())


@pytest.mark.parametrize("change", [*MIXED, *CLASSES])
def test_keys_are_equal_where_networks_can(change: dict[str, Any]) -> None:
    key = stacking_key(NeuralClassifier(**change))
    assert key == stacking_key(NeuralClassifier())
    hash(key)


class Overridden(NeuralClassifier):
    """Has a `fit` of its own."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **data: Any) -> Any:
        return super().fit(X, y, sample_weight, **data)


@pytest.mark.parametrize(
    "estimator",
    [
        StandardScaler(),
        ConvClassifier(),
        Overridden(),
        NeuralClassifier(solver="lbfgs"),
        NeuralClassifier(normalization="layer"),
        NeuralClassifier(activation="gelu"),
        NeuralClassifier(activation=["relu", torch.nn.ReLU]),
        NeuralClassifier(hidden_layer_sizes="wide"),
        NeuralClassifier(hidden_layer_sizes=(0,)),
        NeuralClassifier(loss=a_loss),
        NeuralClassifier(module=torch.nn.Linear),
        NeuralClassifier(precision="bfloat16"),
        NeuralClassifier(solver=torch.optim.SGD),
    ],
)
def test_what_is_always_fitted_alone_has_no_key(estimator: Any) -> None:
    assert stacking_key(estimator) is None


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_on_a_cpu_all_activations_without_parameters_have_a_key(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "UNSTACKED_DEVICES", {"cpu"})
    key = stacking_key(NeuralClassifier(activation=["relu", name], device="cpu"))
    assert (key is None) == (name == "prelu")


# ------------------------------------------------------------------------------- errors and ends


def test_an_error_of_one_harms_no_other() -> None:
    X, y = load("regression")
    estimator = NeuralRegressor(hidden_layer_sizes=(6,), max_iter=10, random_state=0)
    grid: list[dict[str, Any]] = [
        {},
        {"solver": "sgd", "learning_rate_init": 1e20, "momentum": 0.0},
        {"alpha": -1.0},
        {"alpha": 0.5},
    ]
    tasks = make_tasks(estimator, grid, [(X, y), (X[:150], y[:150])])
    fit_together(tasks)
    for number in (0, 4):
        check_equal(tasks[number])
        check_equal(tasks[number + 3])
        with pytest.raises(ValueError, match="non-finite"):
            tasks[number + 1].conclude()
        with pytest.raises(ValueError, match="alpha"):
            tasks[number + 2].conclude()


def test_errors_of_the_data_stay_in_their_task() -> None:
    X, y = load("wine")
    estimator = NeuralClassifier((5,), max_iter=2, random_state=0)
    tasks = [
        FitTask(clone(estimator), X, y),
        FitTask(clone(estimator), np.full_like(X, np.nan), y),
        FitTask(clone(estimator), X, y, {"X_val": X}),
        FitTask(clone(estimator), X, y, {"unknown": 1}),
        FitTask(clone(estimator).set_params(alpha=0.1), X, y),
    ]
    fit_together(tasks)
    check_equal(tasks[0])
    check_equal(tasks[4])
    assert isinstance(tasks[1].error, ValueError)
    assert "NaN" in str(tasks[1].error)
    assert "X_val" in str(tasks[2].error)
    assert isinstance(tasks[3].error, TypeError)


class Fails(Callback):
    """Raises in some epoch."""

    def __init__(self, hook: str, error: type[BaseException]) -> None:
        self.hook = hook
        self.error = error

    def _fail(self, hook: str, net: Any) -> None:
        if hook == self.hook and (hook == "start" or len(net.history) >= 2):
            raise self.error("as it should")

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self._fail("start", net)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self._fail("begin", net)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self._fail("end", net)


@pytest.mark.parametrize("hook", ["start", "begin", "end"])
def test_errors_of_callbacks_stay_in_their_task(hook: str) -> None:
    X, y = load("wine")
    estimator = NeuralClassifier((5,), max_iter=4, random_state=0)
    grid = [{}, {"callbacks": [Fails(hook, RuntimeError)]}, {"alpha": 0.1}]
    tasks = make_tasks(estimator, grid, [(X, y)])
    fit_together(tasks)
    check_equal(tasks[0])
    check_equal(tasks[2])
    with pytest.raises(RuntimeError, match="as it should"):
        tasks[1].conclude()


def test_an_interrupt_leaves_every_network_with_its_weights() -> None:
    X, y = load("wine")
    estimator = NeuralClassifier((5,), max_iter=4, random_state=0)
    grid = [{}, {"callbacks": [Fails("end", KeyboardInterrupt)]}, {"alpha": 0.1}]
    tasks = make_tasks(estimator, grid, [(X, y)])
    with pytest.raises(KeyboardInterrupt):
        fit_together(tasks)
    for task in tasks:
        assert task.estimator.n_iter_ == len(task.estimator.history_) in (1, 2)
        expected = clone(task.estimator).set_params(max_iter=2, callbacks=None)
        assert_same_weights(task.estimator, expected.fit(X, y))
        assert not task.estimator.module_.training


def test_should_stop_is_asked_between_epochs() -> None:
    X, y = load("wine")
    tasks = make_tasks(
        NeuralClassifier((5,), max_iter=100, random_state=0), [{}, {"alpha": 0.1}], [(X, y)]
    )
    asked: list[int] = []

    def should_stop() -> bool:
        asked.append(1)
        return len(asked) == 7

    with pytest.raises(Interrupted):
        fit_together(tasks, should_stop=should_stop)
    # before each of two preparations, before the stack, and after each of four epochs
    assert [task.estimator.n_iter_ for task in tasks] == [4, 4]
    assert tasks[0].estimator.predict(X).shape == y.shape


def test_each_task_is_reported_once_when_it_is_done() -> None:
    X, y = load("wine")
    grid: list[dict[str, Any]] = [
        {"max_iter": 3},
        {"max_iter": 1},
        {"solver": "lbfgs", "max_iter": 1},
        {"alpha": -1},
        {"max_iter": 2},
    ]
    tasks = make_tasks(NeuralClassifier((5,), random_state=0), grid, [(X, y)])
    reported: list[FitTask] = []
    report: Callable[[FitTask], None] = reported.append
    fit_together(tasks, on_fitted=report)
    numbers = [next(i for i, task in enumerate(tasks) if task is done) for done in reported]
    assert sorted(numbers) == [0, 1, 2, 3, 4]
    assert [number for number in numbers if number in (0, 1, 4)] == [1, 4, 0]
    assert all(task.seconds > 0 for task in tasks)


def test_one_warning_for_each_fit_that_did_not_converge() -> None:
    X, y = load("wine")
    tasks = make_tasks(
        NeuralClassifier((5,), random_state=0, max_iter=2), [{}, {"tol": 10.0}], [(X, y)]
    )
    tasks[1].estimator.set_params(n_iter_no_change=1, max_iter=50)
    fit_together(tasks)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\)"):
        tasks[0].conclude()
    tasks[1].conclude()  # warnings are errors where they are not expected


def test_training_goes_on_alone_where_the_stack_has_ended() -> None:
    X, y = load("wine")
    estimator = NeuralClassifier((5,), max_iter=3, random_state=0, solver="adam", dropout=0.1)
    tasks = make_tasks(estimator, [{}, {"alpha": 0.1}], [(X, y)])
    fit_together(tasks)
    alone = clone(estimator).fit(X, y).partial_fit(X, y)
    together = tasks[0].estimator.partial_fit(X, y)
    assert_same_weights(together, alone)
    assert_equal_up_to_rounding(np.array(together.loss_curve_), np.array(alone.loss_curve_))


def test_the_estimate_of_memory_grows_with_what_takes_it() -> None:
    X, y = np.zeros((1000, 20)), np.zeros(1000)
    small = bytes_per_fit(NeuralClassifier((10,)), X, y)
    assert small > 8 * 6 * (20 * 10 + 10)
    assert bytes_per_fit(NeuralClassifier((100,)), X, y) > small
    assert bytes_per_fit(NeuralClassifier((10,), batch_size="all"), X, y) > small
    assert bytes_per_fit(NeuralClassifier((10,)), np.zeros((2000, 20)), np.zeros(2000)) > small


def test_fits_to_the_same_data_share_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_iris(return_X_y=True)
    made: list[Any] = []

    def train_all(fits: Any, **_: Any) -> None:
        made.extend(fit.training.train.rows for fit in fits)

    monkeypatch.setattr("sknn.estimators._together.train_all", train_all)
    first, second = (X[:100], y[:100]), (X[50:], y[50:])
    networks = [NeuralClassifier((4,), alpha=alpha) for alpha in (0.1, 0.2)]
    other = NeuralClassifier((5,), precision="float32")
    fit_together(
        [
            FitTask(networks[0], *first),
            FitTask(networks[1], *first),
            FitTask(networks[0], *second),
            FitTask(other, *first),
        ]
    )
    assert made[0] is made[1]
    assert made[2] is not made[0]
    assert made[3] is not made[0]
    assert_array_equal(made[2].tensor, second[0])


def test_what_data_are_is_found_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_iris(return_X_y=True)
    learned: list[Any] = []
    learn = DenseFormat.learn.__func__

    def spy(cls: Any, X: Any, estimator: Any) -> Any:
        learned.append(type(estimator))
        return learn(cls, X, estimator)

    monkeypatch.setattr(DenseFormat, "learn", classmethod(spy))
    grid: list[dict[str, Any]] = [{}, {"class_weight": "balanced"}, {"loss": "hinge"}]
    estimators = [NeuralClassifier((4,), max_iter=2, random_state=0, **each) for each in grid]
    estimators.append(NeuralRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0))
    tasks = [FitTask(estimator, X, y) for estimator in estimators]
    fit_together(tasks)
    assert learned == [NeuralClassifier, NeuralRegressor]
    for task in tasks:
        check_equal(task)
        assert vars(task.estimator).keys() == vars(clone(task.estimator).fit(X, y)).keys()


COLUMN, MANY = np.arange(150)[:, np.newaxis] % 2, np.arange(150) * 2 // 3


@pytest.mark.parametrize(("y", "category"), [(COLUMN, DataConversionWarning), (MANY, UserWarning)])
def test_each_fit_warns_of_its_labels(y: np.ndarray, category: type[Warning]) -> None:
    network = NeuralClassifier((4,), learning_rate="cosine", max_iter=1)
    with pytest.warns(category) as alone:
        network.fit(load_iris().data, y)
    with pytest.warns(category) as together:
        fit_together([FitTask(clone(network), load_iris().data, y) for _ in range(3)])
    assert len(together) == 3 * len(alone)
