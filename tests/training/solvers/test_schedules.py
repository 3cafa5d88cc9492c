import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sknn.training import HORIZON_SCHEDULES, inverse_scaling

N_STEPS = 200


def follow(name: str) -> np.ndarray:
    return np.array([HORIZON_SCHEDULES[name](i / N_STEPS) for i in range(N_STEPS + 1)])


def torch_rates(make_schedule: object) -> np.ndarray:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = make_schedule(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(N_STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return np.array(rates)


def test_cosine_is_torchs_cosine_annealing() -> None:
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, N_STEPS))
    assert_allclose(follow("cosine")[:-1], expected, atol=1e-12)
    assert_allclose(follow("cosine")[-1], 0, atol=1e-12)


def test_one_cycle_is_torchs_one_cycle() -> None:
    # torch places the last batch, not the end of the training, at the end of the cycle
    expected = torch_rates(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, 1.0, total_steps=N_STEPS, cycle_momentum=False
        )
    )
    progress = np.arange(N_STEPS) / (N_STEPS - 1)
    ours = np.array([HORIZON_SCHEDULES["one_cycle"](p) for p in progress])
    # torch's peak is at step 0.3 N - 1
    assert_allclose(ours, expected, atol=0.02)
    assert_allclose([ours[0], ours[-1]], [1 / 25, 1e-4 / 25], rtol=1e-9)


def test_one_cycle_peaks_after_thirty_percent() -> None:
    rates = follow("one_cycle")
    assert np.argmax(rates) == 0.3 * N_STEPS
    assert rates.max() == 1
    assert (np.diff(rates[: int(0.3 * N_STEPS) + 1]) > 0).all()
    assert (np.diff(rates[int(0.3 * N_STEPS) :]) < 0).all()


def test_warmup_cosine_rises_linearly_and_falls_as_a_cosine() -> None:
    rates = follow("warmup_cosine")
    assert_allclose(rates[:11], np.linspace(0, 1, 11), atol=1e-12)
    angle = np.linspace(0, np.pi, N_STEPS - 10 + 1)
    assert_allclose(rates[10:], (1 + np.cos(angle)) / 2, atol=1e-12)


@pytest.mark.parametrize(
    ("progress", "factor"), [(0, 1), (0.33, 1), (0.34, 0.1), (0.66, 0.1), (0.67, 0.01), (1, 0.01)]
)
def test_step_divides_by_ten_after_each_third(progress: float, factor: float) -> None:
    assert_allclose(HORIZON_SCHEDULES["step"](progress), factor)


@pytest.mark.parametrize("name", HORIZON_SCHEDULES)
def test_no_schedule_exceeds_the_peak_or_falls_below_zero(name: str) -> None:
    rates = follow(name)
    assert (rates >= 0).all()
    assert_allclose(rates.max(), 1)


@pytest.mark.parametrize(("t", "power_t"), [(0, 0.5), (99, 0.5), (1000, 0.25), (7, 0.0)])
def test_inverse_scaling_is_scikit_learns_formula(t: int, power_t: float) -> None:
    assert_allclose(inverse_scaling(0.3, t, power_t), 0.3 / (t + 1) ** power_t, rtol=1e-15)
