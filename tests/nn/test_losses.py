import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import expit, huber, log_expit, log_softmax, logit, softmax
from sklearn.metrics import (
    brier_score_loss,
    hinge_loss,
    log_loss,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_gamma_deviance,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    mean_squared_log_error,
)
from torch.distributions import Normal

from sknn.nn import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    GaussianLoss,
    Loss,
    make_classification_loss,
    make_regression_loss,
)
from sknn.nn.losses import CallableLoss
from tests.helpers import assert_equal_up_to_rounding

N_ROWS = 11
TASKS = [("binary", 1), ("multiclass", 3), ("multiclass", 5), ("multilabel", 3), ("multilabel", 5)]
N_TARGETS = [1, 3, 5]
REGRESSION = [
    (loss, n)
    for loss, n in itertools.product(REGRESSION_LOSSES, N_TARGETS)
    if loss != "cosine" or n > 1
]


def make_outputs(n_outputs: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1.5, (N_ROWS, n_outputs))


def make_class_targets(task: str, n_outputs: int) -> np.ndarray:
    rng = np.random.default_rng(n_outputs)
    if task == "multiclass":
        return np.concatenate([np.arange(n_outputs), rng.integers(0, n_outputs, N_ROWS)])[:N_ROWS]
    targets = rng.integers(0, 2, (N_ROWS, n_outputs)).astype(float)
    targets[:2] = [[0], [1]]
    return targets


def make_values(n_outputs: int) -> np.ndarray:
    """Return positive targets, which every regression loss takes."""
    return np.random.default_rng(n_outputs).uniform(0.2, 3, (N_ROWS, n_outputs))


def one_hot(targets: np.ndarray, n_classes: int) -> np.ndarray:
    return np.eye(n_classes)[targets]


def row_losses(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return loss(torch.from_numpy(outputs), torch.from_numpy(targets)).numpy()


def central_differences(
    loss: Loss, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    gradient, step = np.empty_like(outputs), 1e-6
    for i in range(outputs.shape[1]):  # rows are independent: one shift moves all of them
        shift = step * np.eye(outputs.shape[1])[i]
        above = row_losses(loss, outputs + shift, targets)
        below = row_losses(loss, outputs - shift, targets)
        gradient[:, i] = weights * (above - below) / (2 * step)
    return gradient


def check_gradients(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> None:
    """Compare closed form and autograd with central differences, with and without weights."""
    variables = torch.from_numpy(outputs.copy()).requires_grad_()
    tensor_targets = torch.from_numpy(targets)
    losses, closed_form = loss.with_gradient(torch.from_numpy(outputs.copy()), tensor_targets)
    assert losses.shape == (len(outputs),)
    assert closed_form.shape == outputs.shape
    assert_allclose(losses.numpy(), row_losses(loss, outputs, targets), rtol=1e-12, atol=1e-14)
    assert_allclose(
        closed_form.numpy(),
        central_differences(loss, outputs, targets, np.ones(len(outputs))),
        atol=1e-6,
    )
    weights = np.linspace(0, 3, len(outputs))
    (loss(variables, tensor_targets) * torch.from_numpy(weights)).sum().backward()
    assert variables.grad is not None
    expected = central_differences(loss, outputs, targets, weights)
    assert_allclose(variables.grad.numpy(), expected, atol=1e-6)
    assert_allclose(closed_form.numpy() * weights[:, None], expected, atol=3e-6)


# --------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize(("task", "n_outputs"), TASKS)
@pytest.mark.parametrize("name", CLASSIFICATION_LOSSES)
def test_classification_gradients_agree_with_central_differences(
    name: str, task: str, n_outputs: int
) -> None:
    loss = make_classification_loss(name, task)
    check_gradients(loss, make_outputs(n_outputs), make_class_targets(task, n_outputs))


@pytest.mark.parametrize(("task", "n_outputs"), TASKS)
@pytest.mark.parametrize("smoothing", [0.1, 0.7])
def test_smoothed_gradients_agree_with_central_differences(
    smoothing: float, task: str, n_outputs: int
) -> None:
    loss = make_classification_loss("log_loss", task, label_smoothing=smoothing)
    check_gradients(loss, make_outputs(n_outputs), make_class_targets(task, n_outputs))


@pytest.mark.parametrize(("name", "n_outputs"), REGRESSION)
def test_regression_gradients_agree_with_central_differences(name: str, n_outputs: int) -> None:
    loss = make_regression_loss(name)
    outputs = make_outputs(n_outputs * loss.outputs_per_target)
    check_gradients(loss, outputs, make_values(n_outputs))


@pytest.mark.parametrize("quantiles", [(0.5,), (0.1, 0.5, 0.9)])
@pytest.mark.parametrize("n_targets", N_TARGETS)
def test_gradients_of_several_quantiles_agree_with_central_differences(
    n_targets: int, quantiles: tuple[float, ...]
) -> None:
    loss = make_regression_loss("quantile", quantiles=quantiles)
    check_gradients(loss, make_outputs(n_targets * len(quantiles)), make_values(n_targets))


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_quantile_gradient_agrees_with_central_differences(quantile: float) -> None:
    loss = make_regression_loss("quantile", quantile=quantile)
    check_gradients(loss, make_outputs(3), make_values(3))


@pytest.mark.parametrize("n_outputs", N_TARGETS)
def test_callable_losses_agree_with_central_differences(n_outputs: int) -> None:
    loss = make_regression_loss(lambda outputs, targets: (outputs - targets) ** 4)
    check_gradients(loss, make_outputs(n_outputs), make_values(n_outputs))


# ------------------------------------------------------------------------------------ values


@pytest.mark.parametrize(("task", "n_outputs"), TASKS)
def test_log_loss_is_scikit_learns(task: str, n_outputs: int) -> None:
    z, y = make_outputs(n_outputs), make_class_targets(task, n_outputs)
    losses = row_losses(make_classification_loss("log_loss", task), z, y)
    weights = np.linspace(1, 2, N_ROWS)
    if task == "multiclass":
        expected = log_loss(y, softmax(z, 1), sample_weight=weights, labels=range(n_outputs))
    else:
        expected = sum(
            log_loss(y[:, i], expit(z[:, i]), sample_weight=weights, labels=[0, 1])
            for i in range(n_outputs)
        )
    assert_allclose(np.average(losses, weights=weights), expected, rtol=1e-10)


@pytest.mark.parametrize(("task", "n_outputs"), TASKS)
def test_label_smoothing_mixes_the_target_with_the_uniform_distribution(
    task: str, n_outputs: int
) -> None:
    z, y = make_outputs(n_outputs), make_class_targets(task, n_outputs)
    losses = row_losses(make_classification_loss("log_loss", task, label_smoothing=0.2), z, y)
    if task == "multiclass":
        target = 0.8 * one_hot(y, n_outputs) + 0.2 / n_outputs
        expected = -(target * log_softmax(z, 1)).sum(1)
    else:
        target = 0.8 * y + 0.1
        expected = -(target * log_expit(z) + (1 - target) * log_expit(-z)).sum(1)
    assert_allclose(losses, expected, rtol=1e-12)


@pytest.mark.parametrize(("task", "n_outputs"), TASKS)
def test_brier_loss_is_scikit_learns(task: str, n_outputs: int) -> None:
    z, y = make_outputs(n_outputs), make_class_targets(task, n_outputs)
    losses = row_losses(make_classification_loss("squared_error", task), z, y)
    if task == "multiclass":
        expected = brier_score_loss(
            y, softmax(z, 1), labels=list(range(n_outputs)), scale_by_half=False
        )
    else:
        expected = sum(brier_score_loss(y[:, i], expit(z[:, i])) for i in range(n_outputs))
    assert_allclose(losses.mean(), expected, rtol=1e-12)


@pytest.mark.parametrize("task_outputs", TASKS, ids=str)
def test_focal_loss_is_its_paper_formula(task_outputs: tuple[str, int]) -> None:
    task, n_outputs = task_outputs
    z, y = make_outputs(n_outputs), make_class_targets(task, n_outputs)
    losses = row_losses(make_classification_loss("focal", task), z, y)
    if task == "multiclass":
        p = (softmax(z, 1) * one_hot(y, n_outputs)).sum(1, keepdims=True)
    else:
        p = np.where(y == 1, expit(z), expit(-z))
    assert_allclose(losses, (-((1 - p) ** 2) * np.log(p)).sum(1), rtol=1e-10)


def test_binary_hinge_loss_is_scikit_learns() -> None:
    z, y = make_outputs(1), make_class_targets("binary", 1)
    losses = row_losses(make_classification_loss("hinge", "binary"), z, y)
    assert_allclose(losses.mean(), hinge_loss(y[:, 0], z[:, 0]), rtol=1e-12)


@pytest.mark.parametrize(("task", "n_outputs"), TASKS)
@pytest.mark.parametrize(("name", "power"), [("hinge", 1), ("squared_hinge", 2)])
def test_hinge_losses_sum_one_class_against_the_rest(
    name: str, power: int, task: str, n_outputs: int
) -> None:
    z, y = make_outputs(n_outputs), make_class_targets(task, n_outputs)
    signs = 2 * (one_hot(y, n_outputs) if task == "multiclass" else y) - 1
    expected = (np.maximum(0, 1 - signs * z) ** power).sum(1)
    assert_allclose(row_losses(make_classification_loss(name, task), z, y), expected, rtol=1e-12)


METRICS: dict[str, tuple[float, Callable[..., float], Callable[[np.ndarray], np.ndarray]]] = {
    # loss: (factor, metric of y and prediction, prediction from the raw output)
    "squared_error": (0.5, mean_squared_error, lambda z: z),
    "absolute_error": (1, mean_absolute_error, lambda z: z),
    "huber": (1, lambda y, p: huber(1.0, y - p).mean(), lambda z: z),
    "log_cosh": (1, lambda y, p: np.log(np.cosh(y - p)).mean(), lambda z: z),
    "poisson": (0.5, mean_poisson_deviance, np.exp),
    "gamma": (0.5, mean_gamma_deviance, np.exp),
    "mape": (1, mean_absolute_percentage_error, lambda z: z),
    "quantile": (1, mean_pinball_loss, lambda z: z),
    "msle": (0.5, mean_squared_log_error, np.expm1),
}


def test_every_regression_loss_has_a_formula_here() -> None:
    assert {*METRICS, "cosine", "gaussian"} == set(REGRESSION_LOSSES)


@pytest.mark.parametrize("n_targets", N_TARGETS)
def test_gaussian_loss_is_the_normal_log_likelihood(n_targets: int) -> None:
    z, y = make_outputs(2 * n_targets), make_values(n_targets)
    means, variances = z[:, :n_targets], np.exp(z[:, n_targets:]) + 1e-6
    loss = make_regression_loss("gaussian")
    normal = Normal(torch.from_numpy(means), torch.from_numpy(variances).sqrt())
    likelihood = normal.log_prob(torch.from_numpy(y)).numpy()
    expected = -(likelihood + 0.5 * math.log(2 * math.pi)).sum(1)  # without the constant
    assert_allclose(row_losses(loss, z, y), expected, rtol=1e-12, atol=1e-13)
    assert isinstance(loss, GaussianLoss)
    assert_allclose(loss.activate(torch.from_numpy(z)), means)
    assert_allclose(loss.variances(torch.from_numpy(z)), variances, rtol=1e-14)


@pytest.mark.parametrize("s", [-1e4, -50.0, 100.0, 1e4])
def test_gaussian_loss_is_finite_whatever_the_variance(s: float) -> None:
    outputs = torch.tensor([[1.0, s], [3.0, s]])
    losses, gradient = make_regression_loss("gaussian").with_gradient(outputs, torch.ones(2, 1))
    assert losses.isfinite().all()
    assert gradient.isfinite().all()
    log_variance = max(s, math.log(1e-6))
    assert_allclose(losses[0], 0.5 * log_variance, rtol=1e-6)


@pytest.mark.parametrize("n_targets", N_TARGETS)
def test_several_quantiles_have_the_sum_of_their_pinball_losses(n_targets: int) -> None:
    levels = (0.05, 0.5, 0.8, 0.9)
    z, y = make_outputs(n_targets * 4), make_values(n_targets)
    loss = make_regression_loss("quantile", quantiles=levels)
    by_level = z.reshape(N_ROWS, n_targets, 4)
    expected = sum(
        mean_pinball_loss(y[:, i], by_level[:, i, k], alpha=level)
        for i in range(n_targets)
        for k, level in enumerate(levels)
    )
    assert_allclose(row_losses(loss, z, y).mean(), expected, rtol=1e-12)
    assert_allclose(loss.activate(torch.from_numpy(z)), np.sort(by_level, axis=2))
    assert_allclose(loss.point(torch.from_numpy(z)), np.sort(by_level, axis=2)[:, :, 1])


@pytest.mark.parametrize(
    ("levels", "expected"),
    [((0.2, 0.6), 2.5), ((0.1, 0.2), 3.0), ((0.7, 0.9), 1.0), ((0.5,), 1.0), ((0.4, 0.6), 2.0)],
)
def test_the_median_lies_on_the_line_between_quantiles(levels: Any, expected: float) -> None:
    outputs = torch.tensor([[1.0, 3.0][: len(levels)]])
    point = make_regression_loss("quantile", quantiles=levels).point(outputs)
    assert_allclose(point, [[expected]], rtol=1e-6)


@pytest.mark.parametrize(
    "quantiles", [(0.9, 0.1), (0.5, 0.5), (0, 0.5), (0.5, 1.0), (), [[0.5]], (np.nan,), ("a",)]
)
def test_quantiles_that_are_no_increasing_levels_are_refused(quantiles: Any) -> None:
    with pytest.raises(ValueError, match=r"quantiles=.* must be levels between 0 and 1"):
        make_regression_loss("quantile", quantiles=quantiles)


@pytest.mark.parametrize("loss", ["squared_error", torch.nn.MSELoss()])
def test_quantiles_need_their_loss(loss: Any) -> None:
    with pytest.raises(ValueError, match='quantiles needs loss="quantile"'):
        make_regression_loss(loss, quantiles=(0.5,))


@pytest.mark.parametrize("n_outputs", N_TARGETS)
@pytest.mark.parametrize("name", METRICS)
def test_regression_losses_are_the_metrics_summed_over_outputs(name: str, n_outputs: int) -> None:
    factor, metric, link = METRICS[name]
    z, y = make_outputs(n_outputs), make_values(n_outputs)
    if name == "msle":
        z = np.abs(z)  # scikit-learn's metric takes no predictions below zero
    loss = make_regression_loss(name)
    predictions = loss.activate(torch.from_numpy(z)).numpy()
    assert_allclose(predictions, link(z), rtol=1e-12)
    expected = sum(metric(y[:, i], predictions[:, i]) for i in range(n_outputs))
    assert_allclose(row_losses(loss, z, y).mean(), factor * expected, rtol=1e-10)


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.8])
def test_quantile_loss_is_the_pinball_loss(quantile: float) -> None:
    z, y = make_outputs(1), make_values(1)
    losses = row_losses(make_regression_loss("quantile", quantile=quantile), z, y)
    assert_allclose(losses.mean(), mean_pinball_loss(y, z, alpha=quantile), rtol=1e-12)


def test_cosine_loss_is_one_minus_the_cosine() -> None:
    z, y = make_outputs(3), make_values(3)
    cosine = (z * y).sum(1) / np.linalg.norm(z, axis=1) / np.linalg.norm(y, axis=1)
    assert_allclose(row_losses(make_regression_loss("cosine"), z, y), 1 - cosine, rtol=1e-12)


def test_poisson_loss_of_a_zero_count_is_its_rate() -> None:
    z = make_outputs(1)
    losses = row_losses(make_regression_loss("poisson"), z, np.zeros((N_ROWS, 1)))
    assert_allclose(losses, np.exp(z[:, 0]), rtol=1e-12)


def test_log_cosh_has_all_digits_far_away() -> None:
    r = np.array([-15.0, -11.0, -9.0, 0.0, 9.0, 11.0, 15.0])
    outputs = torch.from_numpy(r[:, np.newaxis]).requires_grad_()
    losses = make_regression_loss("log_cosh")(outputs, torch.zeros(7, 1).double())
    losses.sum().backward()
    expected = np.logaddexp(r, -r) - np.log(2)
    assert_allclose(losses.detach().numpy(), expected, rtol=1e-15)
    assert_allclose(outputs.grad.numpy()[:, 0], np.tanh(r), rtol=1e-15)


@pytest.mark.parametrize("name", ["log_cosh", "huber", "absolute_error"])
@pytest.mark.parametrize("residual", [-1e4, 1e4])
def test_robust_losses_are_linear_far_away(name: str, residual: float) -> None:
    offset = {"log_cosh": np.log(2), "huber": 0.5, "absolute_error": 0.0}[name]
    losses = row_losses(make_regression_loss(name), np.array([[residual]]), np.array([[0.0]]))
    assert_allclose(losses, abs(residual) - offset, rtol=1e-12)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("name", CLASSIFICATION_LOSSES)
@pytest.mark.parametrize("scale", [-1e3, 1e3])
def test_extreme_logits_have_finite_losses_and_gradients(
    name: str, task: str, scale: float
) -> None:
    n_outputs = 1 if task == "binary" else 3
    z = torch.full((N_ROWS, n_outputs), scale)
    z[:, 0] *= -1
    targets = torch.from_numpy(make_class_targets(task, n_outputs))
    if task != "multiclass":
        targets = targets.to(z.dtype)
    losses, gradient = make_classification_loss(name, task).with_gradient(z, targets)
    assert losses.isfinite().all()
    assert gradient.isfinite().all()


# ------------------------------------------------------------------------------- activations


@pytest.mark.parametrize(
    ("name", "task", "link"),
    [
        ("log_loss", "binary", expit),
        ("log_loss", "multilabel", expit),
        ("log_loss", "multiclass", lambda z: softmax(z, 1)),
        ("focal", "multiclass", lambda z: softmax(z, 1)),
        ("squared_error", "binary", expit),
        ("hinge", "binary", lambda z: z),
        ("squared_hinge", "multiclass", lambda z: z),
    ],
)
def test_activate_gives_probabilities_or_margins(name: str, task: str, link: Any) -> None:
    z = make_outputs(1 if task == "binary" else 3)
    loss = make_classification_loss(name, task)
    assert loss.defines_probabilities is ("hinge" not in name)
    assert_allclose(loss.activate(torch.from_numpy(z)).numpy(), link(z), rtol=1e-12)


# ------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("name", "targets", "message"),
    [
        ("poisson", [[1.0], [-0.1]], "loss='poisson' needs y >= 0"),
        ("gamma", [[1.0], [0.0]], "loss='gamma' needs y > 0"),
        ("mape", [[1.0], [0.0]], "loss='mape' needs y different from 0"),
        ("msle", [[1.0], [-1.0]], "loss='msle' needs y > -1"),
        ("cosine", [[1.0], [2.0]], "loss='cosine' needs two or more targets"),
    ],
)
def test_targets_outside_of_a_losss_domain_are_refused(
    name: str, targets: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_regression_loss(name).check_targets(np.array(targets))


@pytest.mark.parametrize(
    ("name", "targets"),
    [("poisson", 0.0), ("gamma", 1e-3), ("mape", -1.0), ("msle", -0.5), ("squared_error", -5.0)],
)
def test_targets_inside_of_a_losss_domain_are_accepted(name: str, targets: float) -> None:
    values = np.full((3, 1), targets)
    loss = make_regression_loss(name)
    loss.check_targets(values)
    assert np.isfinite(row_losses(loss, np.full((3, 1), 0.3), values)).all()


@pytest.mark.parametrize("name", ["hinge", "squared_hinge", "squared_error", "focal", abs])
def test_label_smoothing_is_refused_for_other_losses(name: Any) -> None:
    with pytest.raises(ValueError, match="label_smoothing.*needs loss='log_loss'"):
        make_classification_loss(name, "binary", label_smoothing=0.1)


# ---------------------------------------------------------------------------- callable losses


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda z, y: (z - y).abs().sum(1), lambda z, y: np.abs(z - y).sum(1)),
        (lambda z, y: (z - y).abs(), lambda z, y: np.abs(z - y).sum(1)),
        (lambda z, y: (z - y).abs().mean(), lambda z, y: np.full(len(z), np.abs(z - y).mean())),
    ],
    ids=["a row", "an output", "a number"],
)
def test_callable_loss_may_return_rows_outputs_or_a_number(function: Any, expected: Any) -> None:
    z, y = make_outputs(3), make_values(3)
    assert_allclose(row_losses(CallableLoss(function), z, y), expected(z, y), rtol=1e-12)


def test_callable_mean_loss_has_the_gradient_of_the_mean() -> None:
    z = torch.from_numpy(make_outputs(2)).requires_grad_()
    y = torch.from_numpy(make_values(2))
    loss = CallableLoss(torch.nn.functional.mse_loss)
    (loss(z, y).sum() / N_ROWS).backward()
    assert z.grad is not None
    assert_allclose(z.grad.numpy(), (2 * (z - y) / (2 * N_ROWS)).detach().numpy(), rtol=1e-12)


def test_callable_mean_loss_cannot_be_weighted() -> None:
    loss = CallableLoss(torch.nn.functional.mse_loss, weighted=True)
    with pytest.raises(ValueError, match="loss returned one number.*reduction='none'"):
        row_losses(loss, make_outputs(1), make_values(1))


@pytest.mark.parametrize(
    "function",
    [
        lambda z, y: (z - y)[:-1, 0],
        lambda z, y: (z - y.T).abs(),  # (batch, 1) against (1, batch) broadcasts to a square
        lambda z, y: (z[:, 0] - y).abs(),  # and so does (batch,) against (batch, 1)
    ],
    ids=["rows missing", "transposed", "squeezed"],
)
def test_callable_loss_of_another_shape_is_refused(function: Any) -> None:
    with pytest.raises(ValueError, match="loss returned a tensor of shape"):
        row_losses(CallableLoss(function), make_outputs(1), make_values(1))


def test_logit_and_expit_undo_each_other() -> None:
    """The binary output is the logarithm of the odds."""
    z = make_outputs(1)
    loss = make_classification_loss("log_loss", "binary")
    assert_allclose(logit(loss.activate(torch.from_numpy(z)).numpy()), z, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 7, 31, 32, 50, 142])
@pytest.mark.parametrize("n_outputs", [1, 3, 10])
@pytest.mark.parametrize("kind", ["multiclass", "binary", *REGRESSION_LOSSES])
def test_rows_have_losses_and_gradients_of_their_own(
    kind: str, n_outputs: int, batch: int, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = 3 * torch.randn(4 * batch, n_outputs, generator=generator, dtype=dtype)
    targets = torch.rand(4 * batch, n_outputs, generator=generator, dtype=dtype) + 0.1
    if kind == "gaussian":
        outputs = 3 * torch.randn(4 * batch, 2 * n_outputs, generator=generator, dtype=dtype)
    if kind == "multiclass":
        targets = torch.randint(0, n_outputs, (4 * batch,), generator=generator)
    if kind in ("multiclass", "binary"):
        loss = make_classification_loss("log_loss", kind, label_smoothing=0.1)
        targets = targets.round() if kind == "binary" else targets
    else:
        loss = make_regression_loss(kind)
    losses, gradient = loss.with_gradient(outputs, targets)
    for i in range(4):
        rows = slice(i * batch, (i + 1) * batch)
        expected = loss.with_gradient(outputs[rows].clone(), targets[rows].clone())
        assert_equal_up_to_rounding(losses[rows], expected[0], roundings=4)
        assert_equal_up_to_rounding(gradient[rows], expected[1], roundings=4)
