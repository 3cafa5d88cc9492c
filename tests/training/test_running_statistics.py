"""Statistics for predictions are those of the training rows under the final weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from skorch.callbacks import Callback
from torch import Tensor, nn

from sknn import AttentionClassifier, ConvClassifier, NeuralClassifier, RecurrentClassifier
from sknn.data import Batch
from sknn.training import _running_statistics
from sknn.training._running_statistics import RunningStatistics

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

digits = load_digits()
images, labels = digits.images / 16, digits.target
rows = images.reshape(len(images), -1)
X_val, y_val = slice(1000, 1200), labels[1000:1200]

N = 60
COMMON: dict[str, Any] = {
    "learning_rate_init": 0.01,
    "n_iter_no_change": 1000,
    "random_state": 0,
    "max_iter": 12,
    "batch_size": 25,
}


class Normalized(nn.Module):
    """A module of the user's, whose dropout statistics have to be those of evaluation."""

    def __init__(self, n_features_in: int, n_outputs: int, momentum: float | None = 0.1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features_in, 32),
            nn.BatchNorm1d(32, momentum=momentum),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(32, 16),
            nn.BatchNorm1d(16),
            nn.Linear(16, n_outputs),
        )

    def forward(self, X: Tensor) -> Tensor:
        return self.layers(X)


class Frozen(Normalized):
    """Keeps its first normalization out of training mode."""

    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        self.layers[1].eval()
        return self


FAMILIES: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
    "dense": (lambda **p: NeuralClassifier((32, 16), normalization="batch", **p), rows),
    "dropout": (
        lambda **p: NeuralClassifier((32,), normalization="batch", dropout=0.3, **p),
        rows,
    ),
    "module": (lambda **p: NeuralClassifier(module=Normalized, **p), rows),
    "conv": (lambda **p: ConvClassifier(filters=(8,), normalization="batch", **p), images),
    "flat rows": (
        lambda **p: ConvClassifier(filters=(8,), normalization="batch", image_shape=(8, 8), **p),
        rows,
    ),
    "residual": (
        lambda **p: ConvClassifier(filters=(8,), architecture="resnet", normalization="batch", **p),
        images,
    ),
    "airbench": (lambda **p: ConvClassifier(filters=(8, 8), architecture="airbench", **p), images),
    "recurrent": (
        lambda **p: RecurrentClassifier(filters=(8,), normalization="batch", hidden_size=16, **p),
        images,
    ),
    "attention": (
        lambda **p: AttentionClassifier(
            filters=(8,), normalization="batch", hidden_size=16, n_heads=2, **p
        ),
        images,
    ),
}


def norms_of(model: Any) -> list[Any]:
    return [
        each
        for each in model.module_.modules()
        if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d)
    ]


def inputs_of(model: Any, X: np.ndarray) -> list[Tensor]:
    """What reaches each normalization when the network gets all rows in evaluation mode."""
    seen: list[Tensor] = []
    hooks = [
        norm.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].detach()))
        for norm in norms_of(model)
    ]
    model.predict(X)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("name", FAMILIES)
def test_statistics_are_those_of_the_training_rows(name: str) -> None:
    """With one batch an epoch they follow from what the final network computes."""
    make, X = FAMILIES[name]
    model = make(**{**COMMON, "batch_size": "all"}).fit(X[:N], labels[:N])
    for norm, seen in zip(norms_of(model), inputs_of(model, X[:N]), strict=True):
        channels = seen.double().transpose(0, 1).flatten(1)
        assert_allclose(norm.running_mean, channels.mean(1), rtol=0.05, atol=0.02)
        assert_allclose(norm.running_var, channels.var(1), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("name", FAMILIES)
def test_predictions_are_as_good_as_training(name: str) -> None:
    make, X = FAMILIES[name]
    model = make(**COMMON).fit(X[:N], labels[:N])
    assert model.score(X[:N], labels[:N]) > model.history_[-1]["train_score"] - 0.07


@pytest.mark.parametrize(("n", "least"), [(20, 0.95), (50, 0.94)])
def test_few_digits(n: int, least: float) -> None:
    model = ConvClassifier(
        normalization="batch",
        learning_rate_init=0.01,
        batch_size="all",
        max_iter=20,
        random_state=0,
    )
    assert model.fit(images[:n], labels[:n]).score(images[:n], labels[:n]) >= least


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("name", ["dense", "module", "conv"])
def test_validation_scores_are_those_of_predictions(name: str, early_stopping: bool) -> None:
    make, X = FAMILIES[name]
    model = make(**COMMON, early_stopping=early_stopping)
    model.fit(X[:N], labels[:N], X_val=X[X_val], y_val=y_val)
    score = model.score(X[X_val], y_val)
    scores = model.validation_scores_
    assert score == pytest.approx(max(scores) if early_stopping else scores[-1], abs=1e-12)
    assert max(scores) > 0.5


def test_lbfgs() -> None:
    model = NeuralClassifier(module=Normalized, solver="lbfgs", max_iter=20, random_state=0)
    model.fit(rows[:N], labels[:N], X_val=rows[X_val], y_val=y_val)
    assert model.score(rows[:N], labels[:N]) > 0.95
    assert model.score(rows[X_val], y_val) == pytest.approx(model.validation_scores_[-1])


class Interrupt(Callback):
    def __init__(self, hook: str) -> None:
        self.hook = hook

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self._count(net, "on_epoch_end")

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        self._count(net, "on_batch_end")

    def _count(self, net: Any, hook: str) -> None:
        if hook == self.hook and net.state.n_steps >= 25:
            raise KeyboardInterrupt


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_batch_end"])
def test_an_interrupted_fit_predicts_as_well(hook: str) -> None:
    make, X = FAMILIES["conv"]
    model = make(**COMMON, callbacks=[Interrupt(hook)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:N], labels[:N])
    assert model.score(X[:N], labels[:N]) > model.history_[-1]["train_score"] - 0.07


def test_long_epochs_keep_the_running_average(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that changes nothing would be for nothing."""
    monkeypatch.setattr(_running_statistics.RunningStatistics, "renew", None)
    NeuralClassifier((4,), normalization="batch", batch_size=2, max_iter=1).fit(
        rows[:220], labels[:220]
    )


def test_weights_do_not_depend_on_renewed_statistics() -> None:
    make, X = FAMILIES["conv"]
    plain, watched = make(**COMMON), make(**COMMON)
    plain.fit(X[:N], labels[:N])
    watched.fit(X[:N], labels[:N], X_val=X[X_val], y_val=y_val)  # renewed after each epoch
    for one, other in zip(
        plain.module_.state_dict().values(), watched.module_.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_a_stream_begins_with_plain_averages_and_goes_on_with_running_ones() -> None:
    X = np.random.default_rng(0).normal(3, 2, size=(20, 30, 1))
    network = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
    model = NeuralClassifier(module=network, learning_rate_init=1e-3, random_state=0)
    mean, variance = 0.0, 1.0
    for k, part in enumerate(X):
        model.partial_fit(part, part[:, 0] > 3, classes=[False, True])
        share = max(0.1, 1 / (k + 1))
        mean += share * (part.mean() - mean)
        variance += share * (part.var(ddof=1) - variance)
        norm = model.module_[0]
        assert_allclose(norm.running_mean, mean)
        assert_allclose(norm.running_var, variance)
        assert norm.momentum == 0.1
        assert norm.num_batches_tracked == k + 1


def test_a_normalization_that_the_module_keeps_from_training_stays() -> None:
    model = NeuralClassifier(module=Frozen(64, 10).eval(), **COMMON).fit(rows[:N], labels[:N])
    first, second = norms_of(model)
    assert not first.running_mean.any()
    assert second.running_mean.any()


@pytest.mark.parametrize("momentum", [0.3, None])
def test_settings_and_counts_of_a_layer_stay(momentum: float | None) -> None:
    class Module(Normalized):
        def __init__(self, n_features_in: int, n_outputs: int) -> None:
            super().__init__(n_features_in, n_outputs, momentum)

    model = NeuralClassifier(module=Module, **COMMON).fit(rows[:N], labels[:N])
    norm = norms_of(model)[0]
    assert norm.momentum == momentum
    assert norm.num_batches_tracked == 12 * 3
    assert not any(module.training for module in model.module_.modules())


def make_batches(*sizes: int, weights: tuple[float, ...] | None = None) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    weights = weights or tuple(float(size) for size in sizes)
    return [
        Batch(torch.randn(size, 2, generator=generator) * 3 + 1, torch.zeros(size), None, weight)
        for size, weight in zip(sizes, weights, strict=True)
    ]


def test_batches_count_by_their_rows_and_those_of_weight_zero_do_not() -> None:
    norm = nn.BatchNorm1d(2)
    batches = make_batches(40, 5, 7, weights=(40.0, 5.0, 0.0))
    RunningStatistics(norm).renew(batches, norm)
    expected = (40 * batches[0].X.var(0) + 5 * batches[1].X.var(0)) / 45
    assert_allclose(norm.running_mean, torch.cat([b.X for b in batches[:2]]).mean(0), rtol=1e-5)
    assert_allclose(norm.running_var, expected, rtol=1e-5)


def test_a_pass_that_fails_leaves_the_statistics() -> None:
    norm = nn.BatchNorm1d(2)
    norm(make_batches(30)[0].X)
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}

    def fail(X: Tensor) -> None:
        norm(X)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        RunningStatistics(norm).renew(make_batches(40), fail)
    for name, tensor in norm.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert norm.momentum == 0.1
