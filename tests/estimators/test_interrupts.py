"""Ctrl-C at any line leaves an estimator that was not fitted, or one that is."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sknn import NeuralClassifier, NeuralRegressor
from tests.random_fits import Dropping

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 3))
y = (X[:, 0] > 0).astype(int)


class InterruptAtLine:
    """Raises KeyboardInterrupt at the n-th line of the package's code in estimators and training.

    Not in a `finally` or a generator's end, where a second Ctrl-C is needed to come.
    """

    def __init__(self, n: int) -> None:
        self.n_left = n

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        rooms = ("sknn/estimators", "sknn/training/_loop", "sknn/training/_training")
        return self._line if any(room in name for room in rooms) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and frame.f_code.co_name not in ("conclude", "_conclude", "finish"):
            self.n_left -= 1
            if self.n_left == 0:
                raise KeyboardInterrupt
        return self._line


def interrupt(fit: Callable[[], Any], n: int) -> bool:
    """Return whether the fit was interrupted."""
    tracer = InterruptAtLine(n)
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        fit()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return tracer.n_left <= 0


MODELS: dict[str, Callable[[], Any]] = {
    "dense": lambda: NeuralClassifier((3,), max_iter=2, dropout=0.2, random_state=0),
    "early stopping": lambda: NeuralClassifier((3,), max_iter=2, early_stopping=True),
    "module": lambda: NeuralRegressor(module=Dropping, max_iter=1),
    "lbfgs": lambda: NeuralRegressor(solver="lbfgs", max_iter=2),
    "ensemble": lambda: NeuralClassifier((3,), max_iter=1, n_estimators=2),
}


def check(model: Any) -> None:
    if not hasattr(model, "module_"):
        with pytest.raises(NotFittedError):
            check_is_fitted(model)
        return
    assert model.n_iter_ in range(model.max_iter + 1)
    assert model.predict(X).shape == (24,)
    assert not model.module_.training
    assert "history_" not in vars(model)


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 23])
@pytest.mark.parametrize("name", MODELS)
def test_fit(name: str, step: int) -> None:
    n = 1
    while True:
        model = MODELS[name]()
        was_interrupted = interrupt(lambda model=model: model.fit(X, y), n)
        check(model)
        if not was_interrupted:
            break
        n += step
    assert n > 100
