"""Networks of tables: compiled functions and torch train to the same weights."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("numba")

from sknn import TabularClassifier, TabularRegressor
from sknn.compiled._encoder import wave
from tests.compiled.ways import through_core, through_torch


def make_table(n_rows: int = 150) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.RandomState(0)
    table = pd.DataFrame(
        {
            "normal": random.randn(n_rows),
            "gaps": np.where(random.rand(n_rows) < 0.2, np.nan, random.exponential(size=n_rows)),
            "few": random.randint(0, 4, n_rows).astype(float),
            "constant": 1.0,
            "hot": pd.Categorical(random.choice(["x", "y", None], n_rows)),
            "many": [f"level {i}" for i in random.randint(0, 15, n_rows)],
            "also": [f"level {i}" for i in random.randint(0, 12, n_rows)],
        }
    )
    return table, table["normal"].to_numpy() ** 2 + table["few"].to_numpy()


CASES: dict[str, dict[str, Any]] = {
    "all": {},
    "bins": {"numerical_embedding": "piecewise_linear", "n_bins": 7},
    "waves": {"numerical_embedding": "periodic", "scaling": "standard"},
    "neither": {"numerical_embedding": None, "scaling": None},
    "all zeros and ones": {"max_onehot": 20, "dropout": 0.0},
    "all embedded": {"max_onehot": 0, "embedding_size": 3},
    "linear": {"hidden_layer_sizes": ()},
    "penalty": {"solver": "adam", "alpha": 0.1, "max_grad_norm": 0.5},
    "sgd": {"solver": "sgd", "activation": "tanh"},
    "stops": {"n_iter_no_change": 1, "tol": 0.05, "max_iter": 30},
}


@pytest.mark.parametrize("cls", [TabularClassifier, TabularRegressor])
@pytest.mark.parametrize("case", CASES)
def test_compiled_and_torch_agree(case: str, cls: type) -> None:
    table, values = make_table()
    y = values if cls is TabularRegressor else np.digitize(values, [1, 3])
    given = {"max_iter": 3, "batch_size": 32, "hidden_layer_sizes": (6, 5)} | CASES[case]
    later = table.iloc[:40].copy()
    later.loc[later.index[:5], ["normal", "many"]] = [np.nan, "another level"]

    def fit() -> tuple[Any, np.ndarray]:
        model = cls(n_estimators=1, precision="float64", random_state=0, **given)
        model.fit(table, y, np.arange(len(y)) % 3)
        answers = model.predict(later) if cls is TabularRegressor else model.predict_proba(later)
        return model, answers

    compiled, answers = through_core(fit)
    by_torch, expected = through_torch(fit)
    assert_allclose(answers, expected, rtol=1e-9, atol=1e-10)
    assert len(compiled.history_) == len(by_torch.history_)
    for one, other in zip(compiled.history_, by_torch.history_, strict=True):
        for name in ("train_loss", "valid_loss", "valid_score"):
            assert_allclose(one[name], other[name], rtol=1e-9, atol=1e-10)


def test_waves_are_cosines_and_sines() -> None:
    angles = np.concatenate([np.linspace(-7, 7, 5001), [0.0, 1e3, -1e3]])
    waves = np.array([wave.py_func(angle) for angle in angles])
    assert_allclose(waves, np.stack([np.cos(angles), np.sin(angles)], 1), rtol=0, atol=1e-12)
