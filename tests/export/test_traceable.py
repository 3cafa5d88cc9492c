"""Series of any number of steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sknn import AttentionRegressor, RecurrentClassifier, RecurrentRegressor
from sknn.export import export_torch
from sknn.export._traceable import fewest_steps

from .conftest import Exported, assert_same, fit, needs_onnx

pytestmark = [
    needs_onnx,
    # two epochs are enough to have weights
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.slow,  # recurrent layers take seconds to be translated
]

LABELS = np.arange(100) % 3


def other_series(n: int, steps: int) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, steps, 2)).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "rnn", "normalization": "layer"},
        {"cell": "gru", "bidirectional": True, "n_layers": 2, "pooling": "last"},
        {"cell": "lstm", "stride": (2, 3), "kernel_size": (1, 5), "normalization": "batch"},
    ],
    ids=["rnn", "gru", "lstm"],
)
def test_series_of_other_lengths(options: dict[str, Any], series: np.ndarray, path: Path) -> None:
    classifier = fit(RecurrentClassifier(hidden_size=4, filters=(3, 4), **options), series, LABELS)
    exported = Exported(classifier, path)
    assert exported.input.shape == ["n", "n_steps", 2]
    for n, steps in ((1, 1), (7, 2), (100, 37)):
        assert_same(exported, classifier, other_series(n, steps))
    none = exported(other_series(0, 7))
    assert none["probabilities"].shape == (0, 3) and none["label"].shape == (0,)
    program = export_torch(classifier).module()
    for n, steps in ((1, 7), (100, 37)):
        X = other_series(n, steps)
        indices, probabilities = program(torch.from_numpy(X))
        np.testing.assert_allclose(probabilities, classifier.predict_proba(X), atol=1e-6)
        np.testing.assert_array_equal(classifier.classes_[indices], classifier.predict(X))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_series_without_steps_are_an_error_and_not_the_end(
    cell: str, series: np.ndarray, path: Path
) -> None:
    options = {"hidden_size": 4, "filters": None, "pooling": "last"}
    classifier = fit(RecurrentClassifier(cell=cell, **options), series, LABELS)
    exported = Exported(classifier, path)
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        exported(other_series(3, 0))


def test_attention_over_other_lengths(series: np.ndarray, path: Path) -> None:
    options = {"hidden_size": 4, "n_heads": 2, "n_layers": 1, "filters": (3,), "stride": 2}
    regressor = fit(AttentionRegressor(**options), series, series[:, :, 0].max(1))
    exported = Exported(regressor, path)
    for n, steps in ((1, 1), (7, 2), (100, 37)):
        assert_same(exported, regressor, other_series(n, steps))


def test_strides_say_how_many_steps_a_program_needs(series: np.ndarray) -> None:
    regressor = RecurrentRegressor(hidden_size=4, filters=(2, 2), stride=(2, 3))
    assert fewest_steps(fit(regressor, series, series[:, 0, 0]).module_) == 7
    program = export_torch(regressor).module()
    with pytest.raises(AssertionError, match="Guard failed"):
        program(torch.from_numpy(other_series(3, 6)))


def test_samples_that_are_too_short_fix_the_number_of_steps(series: np.ndarray, path: Path) -> None:
    regressor = fit(
        RecurrentRegressor(hidden_size=4, filters=(2,), stride=4), series, series[:, 0, 0]
    )
    assert Exported(regressor, path, series[:, :4]).input.shape == ["n", 4, 2]


class Recurrent(torch.nn.Module):
    """Layers of torch's own, with all that they can be told."""

    def __init__(self, kind: type[torch.nn.RNNBase], **options: Any) -> None:
        super().__init__()
        self.layers = kind(2, 3, num_layers=2, bidirectional=True, **options)
        self.again = kind(6, 3, bias=False, batch_first=options["batch_first"])
        self.output = torch.nn.Linear(6, 1)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        batch_first = self.layers.batch_first
        states, ends = self.layers(series if batch_first else series.transpose(0, 1))
        is_lstm = isinstance(ends, tuple)
        start = tuple(end[1:2] for end in ends) if is_lstm else ends[1:2]
        states, ends = self.again(states, start)
        last = states[:, -1] if batch_first else states[-1]
        return self.output(torch.cat([last, ends[1][0] if is_lstm else ends[0]], 1))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.nn.GRU, {"batch_first": True}),
        (torch.nn.LSTM, {"batch_first": False}),
        (torch.nn.RNN, {"batch_first": True, "nonlinearity": "relu"}),
    ],
    ids=["gru", "lstm", "rnn"],
)
def test_recurrent_layers_of_torch(
    kind: type[torch.nn.RNNBase], options: dict[str, Any], series: np.ndarray, path: Path
) -> None:
    module = Recurrent(kind, **options)
    regressor = fit(RecurrentRegressor(module=module), series, series[:, 0, 0])
    exported = Exported(regressor, path)
    assert exported.input.shape == ["n", "n_steps", 2]
    program = export_torch(regressor).module()
    for n, steps in ((1, 3), (100, 37)):
        X = other_series(n, steps)
        assert_same(exported, regressor, X)
        values = program(torch.from_numpy(X)).numpy()
        np.testing.assert_allclose(values, regressor.predict(X), rtol=1e-5, atol=1e-6)
