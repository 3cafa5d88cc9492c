import math
import pickle

import numpy as np
import pytest

from sknn.training import Plateau


def count_as_scikit_learn(values: list[float], tol: float, maximize: bool) -> tuple[int, float]:
    """Transcribe `BaseMultilayerPerceptron._update_no_improvement_count`."""
    count, best = 0, -math.inf if maximize else math.inf
    for value in values:
        fails = value < best + tol if maximize else value > best - tol
        count = count + 1 if fails else 0
        if (value > best) if maximize else (value < best):
            best = value
    return count, best


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("tol", [0.0, 0.05, 0.25, 10.0])
def test_counts_as_scikit_learn(tol: float, maximize: bool) -> None:
    rng = np.random.default_rng(0)
    values = (rng.integers(0, 20, 60) / 4).tolist()  # binary fractions: ties are exact
    plateau = Plateau(maximize=maximize)
    for i, value in enumerate(values):
        is_best = plateau.update(value, tol)
        count, best = count_as_scikit_learn(values[: i + 1], tol, maximize)
        before = count_as_scikit_learn(values[:i], tol, maximize)[1]
        assert (plateau.count, plateau.best) == (count, best)
        assert is_best == ((best > before) if maximize else (best < before))


@pytest.mark.parametrize("maximize", [False, True])
def test_nan_never_improves(maximize: bool) -> None:
    plateau = Plateau(maximize=maximize)
    assert not plateau.update(math.nan, 0.0)
    assert plateau.count == 1
    assert plateau.update(1.0, 0.0)
    assert not plateau.update(math.nan, 0.0)
    assert (plateau.count, plateau.best) == (1, 1.0)


@pytest.mark.parametrize("maximize", [False, True])
def test_small_improvements_count_as_best_but_do_not_reset(maximize: bool) -> None:
    plateau = Plateau(maximize=maximize)
    sign = 1 if maximize else -1
    plateau.update(0.0, 0.5)
    assert plateau.update(sign * 0.25, 0.5)
    assert (plateau.count, plateau.best) == (1, sign * 0.25)


def test_survives_pickle() -> None:
    plateau = Plateau(maximize=True)
    plateau.update(0.5, 0.0)
    plateau.update(0.25, 0.0)
    assert pickle.loads(pickle.dumps(plateau)) == plateau
