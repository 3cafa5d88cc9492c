"""Answers to held-out rows, and the choice of networks by them."""

import itertools

import numpy as np
import torch
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from sknn import TabularClassifier
from sknn.estimators._folds import Fold
from sknn.estimators._held_out import HeldOut, rounds_of_folds, select_greedily
from sknn.nn import make_regression_loss


def squared_error(candidates: list[np.ndarray], y: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average((np.mean(candidates, axis=0) - y) ** 2, weights=weights))


def test_greedy_selection_takes_what_lowers_the_loss_most() -> None:
    random = np.random.RandomState(0)
    y, weights = random.randn(50), random.rand(50)
    outputs = [y + random.randn(50) * scale for scale in (1.0, 0.6, 0.8, 3.0, 0.7)]
    loss = make_regression_loss("squared_error")
    candidates = [
        HeldOut([i], torch.tensor(each)[:, None], torch.tensor(y)[:, None], weights)
        for i, each in enumerate(outputs)
    ]
    chosen = select_greedily(candidates, loss, 5)

    expected: list[int] = []
    while True:  # the same by NumPy
        trials = {
            i: squared_error([outputs[j] for j in [*expected, i]], y, weights)
            for i in set(range(5)) - set(expected)
        }
        best = min(trials, key=trials.__getitem__)
        now = squared_error([outputs[j] for j in expected], y, weights) if expected else np.inf
        if trials[best] >= now:
            break
        expected.append(best)
    assert chosen == expected
    assert 1 < len(chosen) < 5
    assert select_greedily(candidates, loss, 1) == chosen[:1]


def test_rows_that_none_has_held_out_do_not_count() -> None:
    y = torch.tensor([[1.0], [2.0], [3.0]])
    outputs = torch.tensor([[2.0], [float("nan")], [3.5]])
    held_out = HeldOut([0], outputs, y, np.array([1.0, 5.0, 3.0]))
    loss = make_regression_loss("squared_error")
    # half of a squared error, as the loss has it
    assert_allclose(held_out.mean_loss(loss, outputs), (1 * 0.5 + 3 * 0.125) / 4)


def test_rounds_are_networks_that_hold_out_each_row_once(monkeypatch) -> None:
    joined: list[list[int]] = []

    def join(trainings: list[int], networks: list[int]) -> HeldOut:
        joined.append(networks)
        assert trainings == networks
        return HeldOut(networks, torch.zeros(0, 1), torch.zeros(0, 1), None)

    monkeypatch.setattr("sknn.estimators._held_out._join", join)
    three = [Fold(i % 3, 3, 7) for i in range(7)]
    others = [Fold(0, 2, 7), Fold(1, 2, 7), Fold(0, 3, 8)]
    folds = list(itertools.chain(three, others))
    rounds = rounds_of_folds(list(range(len(folds))), folds)  # type: ignore[arg-type]
    assert joined == [[0, 1, 2], [3, 4, 5], [7, 8]]
    assert [each.networks for each in rounds] == joined


def test_an_average_whose_rows_no_network_has_learned_from_gets_a_temperature() -> None:
    random = np.random.RandomState(0)
    X = random.randn(400, 2)
    y = X[:, 0] + 2 * random.randn(400) > 0
    given = {"max_iter": 5, "hidden_layer_sizes": (8,), "n_estimators": 2, "random_state": 0}
    with_folds = TabularClassifier(**given).fit(X, y)
    assert with_folds._calibration.temperature == 1
    model = TabularClassifier(**given).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    plain = TabularClassifier(calibration=False, **given)
    plain.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    logits = plain.decision_function(X[200:])
    best = minimize_scalar(
        # the mean loss, and what pulls an inverse temperature towards 1
        lambda b: np.logaddexp(0, -b * logits * (2 * y[200:] - 1)).sum() + 8 * (b - 1) ** 2,
        bounds=(0.1, 10),
    )
    assert_allclose(model.decision_function(X[200:]), logits * best.x, rtol=1e-3)
    for network in model.estimators_:
        assert network._calibration.temperature != 1
