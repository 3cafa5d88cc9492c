"""Ridge regression with leave-one-out, beside fits that leave rows out one by one."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as ScikitRidge
from sklearn.linear_model import RidgeCV

from sknn.training._ridge import PENALTIES, Ridge, minimize_smooth

random = np.random.default_rng(0)


def problem(n, p, k=2):
    X = random.normal(size=(n, p)).astype(np.float32)
    return X, X[:, :3] @ random.normal(size=(3, k)) + random.normal(size=(n, k))


def left_out(X, y, weights, penalty):
    """Return the outputs for each row of fits without it, (n, k)."""
    outputs = np.empty_like(y)
    for i in range(len(X)):
        others = np.arange(len(X)) != i
        fit = ScikitRidge(penalty, solver="cholesky").fit(
            X[others].astype(float), y[others], sample_weight=weights[others]
        )
        outputs[i] = fit.predict(X[i : i + 1].astype(float))
    return outputs


@pytest.mark.parametrize(("n", "p"), [(15, 40), (40, 12)], ids=["wide", "long"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_outputs_are_those_of_fits_without_the_row(n, p, is_weighted):
    X, y = problem(n, p)
    weights = random.uniform(0.2, 3, n) if is_weighted else np.ones(n)
    fit = Ridge(X, y, weights)
    np.testing.assert_allclose(fit.held_out, left_out(X, y, weights, fit.penalty), rtol=1e-6)
    errors = [
        weights @ np.square(y - left_out(X, y, weights, penalty)).sum(1)
        for penalty in PENALTIES[4::3] * p * weights.mean()
    ]
    assert weights @ np.square(y - fit.held_out).sum(1) <= min(errors) * (1 + 1e-9)


@pytest.mark.parametrize(("n", "p"), [(15, 40), (40, 12)], ids=["wide", "long"])
def test_the_weights_are_those_of_scikit_learn(n, p):
    X, y = problem(n, p)
    weights = random.uniform(0.2, 3, n)
    fit = Ridge(X, y, weights)
    coefficients, intercept = fit.solve()
    expected = ScikitRidge(fit.penalty, solver="cholesky").fit(X.astype(float), y, weights)
    np.testing.assert_allclose(coefficients.T, expected.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(intercept, expected.intercept_, rtol=1e-6)


def test_the_penalty_is_that_of_scikit_learn():
    X, y = problem(30, 50, k=1)
    fit = Ridge(X, y, np.ones(30))
    expected = RidgeCV(PENALTIES * 50).fit(X.astype(float), y[:, 0])
    assert fit.penalty == pytest.approx(expected.alpha_)


@pytest.mark.parametrize("factor", [1e-30, 1 / 30, 1e6])
def test_the_unit_of_the_weights_changes_nothing(factor):
    X, y = problem(30, 50)
    weights = random.uniform(0.2, 3, 30)
    weights[::7] = 0
    ones, others = Ridge(X, y, weights), Ridge(X, y, weights * factor)
    assert others.penalty == pytest.approx(ones.penalty * factor)
    # small penalties, which are chosen for some draws, multiply what is rounded
    np.testing.assert_allclose(others.held_out, ones.held_out, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(others.solve()[0], ones.solve()[0], rtol=1e-6, atol=1e-9)


def test_a_heaviest_penalty_is_not_exceeded():
    X, _ = problem(20, 30)
    noise = random.normal(size=(20, 1))  # nothing to learn
    free = Ridge(X, noise, np.ones(20)).penalty
    assert free > 1 * 30
    assert Ridge(X, noise, np.ones(20), heaviest=0.1).penalty == pytest.approx(0.1 * 30)


def test_equal_rows_are_left_out_together():
    X, y = problem(12, 20)
    weights = np.array([1, 2, 0, 3, 1, 1, 4, 0, 1, 2, 1, 1])
    weighted = Ridge(X, y, weights.astype(float))
    repeated = Ridge(X.repeat(weights, 0), y.repeat(weights, 0), np.ones(weights.sum()))
    assert weighted.penalty == pytest.approx(repeated.penalty)
    np.testing.assert_allclose(weighted.solve()[0], repeated.solve()[0], rtol=1e-9, atol=1e-12)
    counted = weights > 0
    np.testing.assert_allclose(
        weighted.held_out[counted].repeat(weights[counted], 0), repeated.held_out, rtol=1e-6
    )


def test_a_constant_target_is_the_intercept():
    X, _ = problem(10, 15)
    coefficients, intercept = Ridge(X, np.full((10, 1), 3.0), np.ones(10)).solve()
    np.testing.assert_allclose(coefficients, 0, atol=1e-12)
    assert intercept == pytest.approx([3.0])


def test_minima_have_all_digits():
    target = torch.tensor([1.5, -0.25], dtype=torch.float64)

    def objective(x: torch.Tensor) -> torch.Tensor:
        return torch.cosh(x - target).sum() + 3

    found = minimize_smooth(objective, torch.zeros(2, dtype=torch.float64))
    np.testing.assert_allclose(found.numpy(), target.numpy(), rtol=1e-12)
