"""Fits in threads of a search end with the weights that they have one by one."""

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.model_selection as reference
import torch

import sknn.model_selection as ours
from sknn import AttentionClassifier, ConvClassifier, NeuralClassifier, RecurrentClassifier
from sknn.sequences import EncoderDecoderRegressor

RNG = np.random.default_rng(0)
Y = np.arange(48) % 2
ROWS = RNG.normal(size=(48, 6)) + Y[:, None]
IMAGES = RNG.random((48, 8, 8))
SERIES = RNG.normal(size=(48, 7, 2)).astype(np.float32)
TRAINING = {"max_iter": 3, "batch_size": 8, "learning_rate": "cosine", "random_state": 0}


class Own(torch.nn.Module):
    """A module of a user's that draws from torch's global generator."""

    def __init__(self):
        super().__init__()
        self.dense, self.output = torch.nn.Linear(6, 9), torch.nn.Linear(9, 1)

    def forward(self, X):
        hidden = self.dense(X)
        if self.training:
            hidden = torch.nn.functional.dropout(hidden, 0.3) + 0.1 * torch.randn_like(hidden)
        return self.output(hidden)


def dense(**parameters):
    return NeuralClassifier(**({"hidden_layer_sizes": (8,), "dropout": 0.3} | parameters))


SMALL = {"hidden_size": 4, "dropout": 0.3}
WIDTHS = {"hidden_layer_sizes": [(n,) for n in range(3, 11)]}
RATES = {"learning_rate_init": [0.001, 0.01, 0.02, 0.05]}
CASES = {
    "rates": (dense(), RATES, ROWS, Y),
    "widths": (dense(), WIDTHS, ROWS, Y),
    "sparse rows": (dense(), RATES, sp.csr_matrix(ROWS), Y),
    "layers in two": (dense(normalization="batch"), WIDTHS, ROWS, Y),
    "ensembles": (dense(n_estimators=2), RATES, ROWS, Y),
    "early stopping": (dense(early_stopping=True), WIDTHS, ROWS, Y),
    "a user's module": (NeuralClassifier(module=Own), RATES, ROWS, Y),
    "images": (ConvClassifier(filters=(3,), augment=["flip", "shift"]), RATES, IMAGES, Y),
    "recurrent": (RecurrentClassifier(n_layers=2, **SMALL), RATES, SERIES, Y),
    "attention": (AttentionClassifier(n_heads=2, n_layers=1, **SMALL), RATES, SERIES, Y),
    "answers": (EncoderDecoderRegressor(**SMALL), RATES, SERIES, SERIES[:, :3, 0]),
}
QUICK = {"rates", "widths", "sparse rows", "a user's module"}


class Keeping:
    """A scorer that keeps the weights of the networks that it sees."""

    def __init__(self):
        self.weights = {}

    def __call__(self, estimator, X, y):
        tensors = estimator.module_.state_dict().values()
        weights = np.concatenate([tensor.numpy().ravel() for tensor in tensors])
        key = str(estimator.get_params(deep=False)), float(np.sum(X[0]))
        assert key not in self.weights
        self.weights[key] = weights
        return estimator.score(X, y)


@pytest.mark.parametrize(
    "module",
    [ours, pytest.param(reference, marks=pytest.mark.slow)],
    ids=["ours", "scikit-learn's"],
)
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in QUICK else pytest.mark.slow) for case in CASES]
)
def test_searches_in_threads(case, module):
    estimator, grid, X, y = CASES[case]
    estimator.set_params(**TRAINING)
    alone, together = Keeping(), Keeping()
    reference.GridSearchCV(estimator, grid, cv=2, scoring=alone, refit=False).fit(X, y)
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    with joblib.parallel_config(backend="threading"):
        search = module.GridSearchCV(
            estimator, grid, cv=2, n_jobs=4, scoring=together, refit=False, error_score="raise"
        )
        search.fit(X, y)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert len(alone.weights) == 2 * len(reference.ParameterGrid(grid))
    assert alone.weights.keys() == together.weights.keys()
    for key, weights in alone.weights.items():
        np.testing.assert_array_equal(together.weights[key], weights)
