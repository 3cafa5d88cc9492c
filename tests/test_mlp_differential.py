"""Random settings, data and sequences of calls have the weights of scikit-learn's MLP.

Each seed is one case. A case that fails is repeated alone with its seed.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sknn import NeuralClassifier, NeuralRegressor
from sknn.training import DivergenceError

N_QUICK, N_ALL, N_A_TEST = 60, 3000, 20


@dataclass
class Case:
    """Parameters, data and calls."""

    is_classifier: bool
    parameters: dict[str, Any]
    X: Any
    y: Any
    sample_weight: Any
    calls: list[str]

    @property
    def is_single(self) -> bool:
        """Whether both compute in float32, in which the order of sums shows."""
        return getattr(self.X, "dtype", None) == np.float32


def random_case(seed: int) -> Case:
    rng = np.random.default_rng(seed)

    def one_of(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    is_classifier = bool(rng.random() < 0.5)
    n, n_features = int(rng.integers(8, 60)), int(rng.integers(1, 7))
    X = rng.normal(size=(n, n_features)) * rng.choice([0.5, 1, 3])
    solver = one_of("adam", "adam", "sgd", "sgd", "lbfgs")
    early_stopping = solver != "lbfgs" and rng.random() < 0.25 and n >= 30
    target = one_of("binary", "names", "several", "labels") if is_classifier else one_of(1, 1, 2, 3)
    if early_stopping and target == "several":
        target = "binary"  # MLPClassifier stratifies two classes, and we several too
    if solver == "lbfgs" and target in (2, 3):
        target = 1  # MLPRegressor's loss and gradient are of different functions there
    y = random_targets(rng, target, X, n)
    parameters: dict[str, Any] = {
        "hidden_layer_sizes": one_of((), (1,), (5,), (4, 3), (6, 2, 4), 7),
        "activation": one_of("relu", "tanh", "logistic", "identity"),
        "solver": solver,
        "alpha": one_of(0.0, 1e-4, 0.01, 1.0),
        "batch_size": one_of("auto", 1, 3, 7, n),
        "learning_rate": one_of("constant", "invscaling", "adaptive"),
        "learning_rate_init": one_of(1e-4, 1e-3, 0.01, 0.03),
        "power_t": one_of(0.0, 0.5, 1.0),
        "max_iter": int(rng.integers(1, 8)),
        "shuffle": bool(rng.random() < 0.7),
        "random_state": int(rng.integers(1000)),
        "tol": one_of(0.0, 1e-4, 0.05),
        "momentum": one_of(0.0, 0.5, 0.9),
        "nesterovs_momentum": bool(rng.random() < 0.5),
        "early_stopping": bool(early_stopping),
        "validation_fraction": one_of(0.1, 0.2, 0.4),
        "beta_1": one_of(0.0, 0.5, 0.9),
        "beta_2": one_of(0.9, 0.999),
        "epsilon": one_of(1e-8, 1e-3),
        "n_iter_no_change": one_of(1, 2, 10),
    }
    if solver == "lbfgs" and parameters["activation"] == "relu":
        # a line search that meets a kink turns on the last digit of a sum
        parameters["max_iter"] = min(parameters["max_iter"], 2)
    if not is_classifier:
        parameters["loss"] = one_of("squared_error", "squared_error", "poisson")
        if parameters["loss"] == "poisson":
            y = np.abs(y)
    calls = one_of(["fit"], ["fit", "fit"], ["warm", "warm"], ["partial"] * 3, ["fit", "partial"])
    if early_stopping or solver == "lbfgs":
        calls = one_of(["fit"], ["fit", "fit"])
    if calls[-1] in ("partial", "warm"):  # their generator begins anew with each call, ours goes on
        parameters["shuffle"] = False
    if calls[-1] == "warm":  # so does our count of epochs without improvement
        parameters |= {"tol": 0.0, "n_iter_no_change": 100}
    weights = one_of(None, None, "ones", "counts", "floats")
    # Their loss counts batches by rows and averages over outputs, ours by weights and as a sum,
    # so that only the weights are equal, not when training stops.
    if (weights is not None or target in (2, 3)) and not early_stopping:
        parameters["n_iter_no_change"] = 100
    sample_weight = {
        "ones": np.ones(n),
        "counts": rng.integers(1, 5, size=n).astype(float),  # theirs divide by those of a batch
        "floats": rng.random(n) + 0.1,
    }.get(weights)
    forms = {
        "plain": X,
        "lists": X.tolist(),
        "column-major": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "integers": np.round(3 * X).astype(int),
        "swapped": X.astype(">f8"),
        "csr": sparse.csr_array(X * (rng.random(X.shape) < 0.5)),
        "table": pytest.importorskip("pandas").DataFrame(X),
        "float32": X.astype(np.float32),
    }
    return Case(is_classifier, parameters, forms[one_of(*forms)], y, sample_weight, calls)


def random_targets(rng: np.random.Generator, target: Any, X: np.ndarray, n: int) -> Any:
    if target == "binary":
        return (X[:, 0] + rng.normal(size=n) > 0).astype(int) if n > 12 else np.arange(n) % 2
    if target == "names":
        return np.array(["no", "yes"])[np.arange(n) % 2]
    if target == "several":
        return rng.permutation(np.arange(n) % 4) - 1
    if target == "labels":
        labels = rng.integers(0, 2, size=(n, 3))
        labels[:2] = [[0, 1, 1], [1, 0, 0]]
        return labels
    values = rng.normal(size=(n, target))
    return values[:, 0] if target == 1 else values


def outcome(cls: Any, case: Case) -> Any:
    """The fitted estimator, or the class of the error."""
    model = cls(**case.parameters)
    model.set_params(warm_start="warm" in case.calls)
    arguments = {} if case.sample_weight is None else {"sample_weight": case.sample_weight}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, call in enumerate(case.calls):
                if call != "partial":
                    model.fit(case.X, case.y, **arguments)
                elif case.is_classifier and not number:
                    classes = [0, 1, 2] if np.ndim(case.y) > 1 else np.unique(case.y)
                    model.partial_fit(case.X, case.y, classes=classes, **arguments)
                else:
                    model.partial_fit(case.X, case.y, **arguments)
    except ValueError as error:
        return type(error), str(error)
    return model


def check(seed: int) -> None:
    case = random_case(seed)
    ours = outcome(NeuralClassifier if case.is_classifier else NeuralRegressor, case)
    theirs = outcome(MLPClassifier if case.is_classifier else MLPRegressor, case)
    if isinstance(ours, tuple) and ours[0] is DivergenceError and not isinstance(theirs, tuple):
        assert not np.isfinite(theirs.loss_curve_).all()  # which early stopping hides there
        return
    assert isinstance(ours, tuple) == isinstance(theirs, tuple), (ours, theirs, case)
    if isinstance(ours, tuple):
        return
    tolerance: dict[str, float] = {"rtol": 1e-6, "atol": 1e-8}
    if case.parameters["solver"] == "lbfgs":  # line searches make more of the last digits
        tolerance = {"rtol": 1e-3, "atol": 1e-5}
    if case.is_single:
        tolerance = {"rtol": 5e-3, "atol": 5e-4}
    if not case.is_single and theirs.n_iter_:  # L-BFGS that is over at once is an epoch to us
        assert ours.n_iter_ == theirs.n_iter_
        assert ours.t_ == theirs.t_
    assert ours.out_activation_ == theirs.out_activation_
    for mine, other in zip(
        [*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True
    ):
        assert_allclose(mine, other, **tolerance, err_msg=f"{case}")
    if not case.is_classifier:
        assert_allclose(ours.predict(case.X), theirs.predict(case.X), **tolerance)
        return
    assert_array_equal(ours.classes_, theirs.classes_)
    probabilities = theirs.predict_proba(case.X)
    assert_allclose(ours.predict_proba(case.X), probabilities, **tolerance)
    if np.abs(probabilities - 0.5).min() > 0.01 and len(theirs.classes_) == 2:
        assert_array_equal(ours.predict(case.X), theirs.predict(case.X))


@pytest.mark.parametrize("first", range(0, N_QUICK, N_A_TEST))
def test_random_cases_have_scikit_learns_weights(first: int) -> None:
    for seed in range(first, first + N_A_TEST):
        check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(N_QUICK, N_ALL, 10 * N_A_TEST))
def test_thousands_of_random_cases_have_scikit_learns_weights(first: int) -> None:
    for seed in range(first, first + 10 * N_A_TEST):
        check(seed)
