from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn import functional as F

from sknn import ConvClassifier, ConvRegressor, NeuralClassifier
from sknn.estimators import _fit
from sknn.nn import AirbenchNetwork, ConvNetwork, Convolution, ResidualNetwork
from sknn.training import _inference
from tests.helpers import (
    assert_same_weights,
    case_name,
    global_generators,
    representatives,
    weights_of,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

digits = load_digits()
X, y = digits.images[:120] / 16, digits.target[:120] % 3
X_test, y_test = digits.images[120:160] / 16, digits.target[120:160] % 3
darkness = X.mean((1, 2))
COLOUR = np.random.default_rng(0).random((23, 8, 8, 3))
y_colour = np.arange(23) % 2


def make(estimator: Any = ConvClassifier, **parameters: Any) -> Any:
    small = {
        "filters": (4, 6),
        "hidden_layer_sizes": (8,),
        "normalization": None if parameters.get("architecture", "plain") == "plain" else "batch",
        "solver": "adam",
        "alpha": 1e-4,
        "learning_rate_init": 0.01,
        "batch_size": 30,
        "max_iter": 2,
        "random_state": 0,
    }
    return estimator(**(small | parameters))


# --------------------------------------------------------------------------------- what is learned


# The last ones are slow: what they do is tested by itself.
LEARNED: list[dict[str, Any]] = [
    {},
    {"normalization": "batch"},
    {"dropout": (0, 0.1, 0.3), "activation": ("relu", "gelu", nn.Hardswish)},
    {"augment": {"shift": 1, "rotate": 5}},
    {"architecture": "resnet"},
    {"architecture": "airbench", "activation": "gelu"},
    {"normalization": "layer"},
    {"dropout": 0.2},
    {"pooling": "average"},
    {"pooling": None, "stride": 2, "padding": "valid"},
    {"kernel_size": ((3, 1), 5), "pool_size": (1, (2, 4))},
    {"initialization": "he"},
    {"architecture": "resnet", "normalization": "layer", "hidden_layer_sizes": (10,)},
    {"solver": "sgd", "learning_rate_init": 0.1},
    {"learning_rate": "cosine"},
    {"precision": "bfloat16"},
]


@pytest.mark.parametrize("parameters", representatives(LEARNED, *LEARNED[:6]), ids=case_name)
def test_digits_are_learned(parameters: dict[str, Any]) -> None:
    if "augment" in parameters:
        pytest.importorskip("kornia")
    is_small = digits.target < 4
    images, target = digits.images[is_small] / 16, digits.target[is_small]
    settings = {"filters": (8, 8), "hidden_layer_sizes": 64, "batch_size": 10, "max_iter": 6}
    model = make(**(settings | {"learning_rate_init": 0.02} | parameters))
    model.fit(images[:250], target[:250])
    assert model.score(images[250:], target[250:]) > 0.8
    assert model.n_iter_ == 6
    assert model.image_shape_ == (8, 8, 1)
    probabilities = model.predict_proba(images)
    assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert_array_equal(model.classes_[probabilities.argmax(1)], model.predict(images))


@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson"])
def test_values_are_learned(loss: str) -> None:
    images = digits.images[:500] / 16
    target = images[:, :, :4].mean((1, 2)) * 10
    model = make(ConvRegressor, loss=loss, max_iter=10, batch_size=20, learning_rate_init=0.02)
    assert model.fit(images[:400], target[:400]).score(images[400:], target[400:]) > 0.8


def test_several_labels_and_several_values() -> None:
    Y = np.column_stack([y == 0, y == 1, darkness > 0.3]).astype(int)
    model = make(max_iter=40, learning_rate_init=0.03, batch_size=10).fit(X, Y)
    assert (model.predict(X) == Y).mean() > 0.9
    assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    targets = np.column_stack([X[:, :, :4].mean((1, 2)), X[:, :4].mean((1, 2))])
    targets = (targets - targets.mean(0)) / targets.std(0)
    model = make(ConvRegressor, max_iter=40, learning_rate_init=0.03).fit(X, targets)
    assert model.predict(X).shape == (120, 2)
    assert model.score(X, targets) > 0.7


# ---------------------------------------------------------------------- which network is trained


@pytest.mark.parametrize(
    ("architecture", "kind", "normalization", "n_dense"),
    [
        ("plain", ConvNetwork, {nn.BatchNorm2d}, 1),
        ("resnet", ResidualNetwork, {nn.BatchNorm2d}, 1),
        ("airbench", AirbenchNetwork, {nn.BatchNorm2d}, 1),
    ],
)
def test_defaults_follow_the_architecture(
    architecture: str, kind: Any, normalization: set[Any], n_dense: int
) -> None:
    model = ConvClassifier(filters=(4, 4), architecture=architecture, max_iter=1).fit(X, y)
    assert type(model.module_) is kind
    modules = list(model.module_.modules())
    norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
    assert {type(m) for m in modules if isinstance(m, norms)} == normalization
    assert sum(isinstance(m, nn.Linear) for m in modules) == n_dense
    none = make(architecture=architecture, normalization=None, max_iter=1).fit(X, y)
    assert not any(isinstance(m, norms) for m in none.module_.modules())


@pytest.mark.parametrize("architecture", ["plain", "resnet", "airbench"])
def test_initialization_is_that_of_the_architecture_or_of_the_name(architecture: str) -> None:
    still = {"solver": "sgd", "momentum": 0, "learning_rate_init": 1e-300, "alpha": 0}
    own = {"plain": "glorot", "resnet": "he", "airbench": "dirac"}[architecture]
    default, named, other = (
        make(architecture=architecture, initialization=name, max_iter=1, **still).fit(X, y)
        for name in (None, own, "he" if own != "he" else "dirac")
    )
    for model, is_same in [(named, True), (other, False)]:
        pairs = zip(default.module_.parameters(), model.module_.parameters(), strict=True)
        same = [torch.equal(a, b) for a, b in pairs if a.ndim == 4]
        assert all(same) if is_same else not any(same)


def test_the_tutorial_networks_parameters_make_it() -> None:
    images = np.random.default_rng(0).random((10, 32, 32, 3), dtype=np.float32)
    model = ConvClassifier(
        filters=(32, 64, 64),
        padding="valid",
        pooling=("max", "max", None),
        hidden_layer_sizes=(64,),
        normalization=None,
        max_iter=1,
    ).fit(images, np.arange(10))
    assert model.n_parameters_ == 122_570


def test_the_whitening_layer_is_fitted_to_the_training_images() -> None:
    images = (COLOUR * 255).astype(np.uint8)
    model = make(architecture="airbench", max_iter=1, batch_size=23)
    model.set_params(solver="sgd", momentum=0, learning_rate_init=1e-300).fit(images, y_colour)
    layer = model.module_.layers.whitening
    outputs = layer(torch.from_numpy(images / 255).permute(0, 3, 1, 2).float()).detach().numpy()
    patches = outputs.transpose(0, 2, 3, 1).reshape(-1, 24)[:, :12]
    assert_allclose(np.cov(patches, rowvar=False), np.eye(12), atol=0.03)
    assert_allclose(patches.mean(0), 0, atol=1e-3)


def test_fixed_layers_see_training_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What early stopping holds out leaves no trace in them."""
    held_out = np.array([3, 8, 15, 22])
    train = np.setdiff1d(np.arange(len(COLOUR)), held_out)
    monkeypatch.setattr(_fit, "split_rows", lambda *args, **kwargs: (train, held_out))
    other = COLOUR.copy()
    other[held_out] **= 3
    fit = {"architecture": "airbench", "max_iter": 1, "early_stopping": True, "batch_size": 9}
    target = COLOUR.mean((1, 2, 3))
    model = make(ConvRegressor, **fit)
    layers = [clone(model).fit(each, target).module_.layers for each in (COLOUR, other)]
    assert_array_equal(layers[0].whitening.weight, layers[1].whitening.weight)


REGRESSIONS = {
    "plain": {},
    "residual": {"architecture": "resnet"},
    "airbench": {"architecture": "airbench"},
    "a float64 network": {"precision": "float64"},
    "absolute errors": {"loss": "absolute_error"},
}


@pytest.mark.parametrize("unit", [(1e12, 0), (1e-6, 0), (1, 1e5)], ids=case_name)
@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_regressor_does_not_depend_on_the_unit_of_the_targets(
    name: str, unit: tuple[float, float]
) -> None:
    factor, offset = unit
    model = make(ConvRegressor, **REGRESSIONS[name])
    expected = clone(model).fit(X, darkness).predict(X_test)
    found = model.fit(X, darkness * factor + offset).predict(X_test)
    # the last digits of y + 1e5, which grow with each step
    assert_allclose((found - offset) / factor, expected, atol=1e-3 if offset else 1e-5)


def test_a_loss_sees_targets_in_its_own_units() -> None:
    units = {"squared_error": "deviation", "poisson": "mean", "msle": None}
    for loss, unit in units.items():
        assert make(ConvRegressor, loss=loss, max_iter=1).fit(X, darkness)._targets.unit == unit


def test_the_unit_of_the_targets_stays_in_later_calls() -> None:
    model = make(ConvRegressor, warm_start=True, max_iter=1).fit(X, darkness)
    assert_allclose(model._targets.scale, [darkness.std()])
    before = model._targets.scale
    model.fit(X, darkness * 3).partial_fit(X, darkness * 7)
    assert_array_equal(model._targets.scale, before)
    assert model.set_params(warm_start=False).fit(X, darkness * 3)
    assert_allclose(model._targets.scale, before * 3, rtol=1e-6)


SMALL_SHAPES = [(7, 7), (4, 4), (3, 5), (1, 64), (20, 1), (2, 100), (1, 1)]


@pytest.mark.parametrize("shape", SMALL_SHAPES, ids=case_name)
@pytest.mark.parametrize("architecture", ["plain", "resnet", "airbench"])
def test_small_and_narrow_images_are_taken_alike_in_every_form(
    architecture: str, shape: tuple[int, int]
) -> None:
    small = np.random.default_rng(0).random((24, *shape))
    target = np.arange(24) % 3
    model = make(architecture=architecture, filters=(3, 4, 5), max_iter=1, batch_size=8)
    expected = clone(model).fit(small, target).predict_proba(small)
    rows = small.reshape(24, -1)
    forms = [(small[..., None], {}), (rows, {"image_shape": shape})]
    if shape[0] == shape[1]:
        forms.append((rows, {}))
    for form, parameters in forms:
        fitted = clone(model).set_params(**parameters).fit(form, target)
        assert_allclose(fitted.predict_proba(form), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["activation", "dropout"])
@pytest.mark.parametrize("architecture", ["resnet", "airbench"])
def test_architectures_with_stages_take_one_value_for_all_layers(
    architecture: str, name: str
) -> None:
    value = ("relu", "relu") if name == "activation" else (0.1, 0.1)
    with pytest.raises(ValueError, match=f"{name}=.*architecture='{architecture}' takes one value"):
        make(architecture=architecture, **{name: value}).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"filters": (2,) * 5, "padding": "valid", "pooling": None}, "convolution 4 .* 2x2 pixels"),
        ({"kernel_size": (3, 11), "padding": 1, "pooling": None}, "convolution 2 .* 8x8 pixels"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size has 3 values for 2 convolutions"),
        ({"activation": ("relu",) * 2}, "activation has 2 values for 3 convolutions and hidden"),
        ({"dropout": (0.1,) * 2}, "dropout has 2 values for 3 convolutions and hidden layers"),
    ],
    ids=case_name,
)
def test_an_impossible_plan_names_the_layer_or_the_parameter(
    parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(**parameters).fit(X, y)


class Own(nn.Module):
    """A network of the user's, which asks for what it needs."""

    def __init__(self, n_channels: int, image_shape: tuple[int, int, int], n_outputs: int) -> None:
        super().__init__()
        height, width, channels = image_shape
        assert channels == n_channels
        self.conv = nn.Conv2d(n_channels, 4, 3, padding=1)
        self.linear = nn.Linear(4 * height * width, n_outputs)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(torch.relu(self.conv(images)).flatten(1))


@pytest.mark.parametrize(
    "module",
    [
        Own,
        Own(3, (8, 8, 3), 1),
        lambda n_features_in, n_outputs: nn.Sequential(
            nn.Flatten(), nn.Linear(n_features_in, n_outputs)
        ),
        lambda: nn.Sequential(nn.Conv2d(3, 1, 8), nn.Flatten()),
    ],
    ids=["class", "instance", "function", "no arguments"],
)
def test_a_module_of_the_users_own_is_trained(module: Any) -> None:
    rows = COLOUR.reshape(23, -1)
    parameters = {"image_shape": (8, 8, 3), "batch_size": 23}
    model = make(module=module, max_iter=60, **parameters).fit(rows, y_colour)
    assert model.score(rows, y_colour) > 0.8
    with torch.no_grad():
        logits = model.module_(torch.from_numpy(COLOUR).float().permute(0, 3, 1, 2)).numpy()
    assert_allclose(model.decision_function(COLOUR), logits[:, 0], rtol=1e-4, atol=1e-5)
    assert clone(model).fit(rows, y_colour).loss_ == model.loss_


def test_a_module_of_the_users_own_may_ask_for_features_of_flat_rows_only() -> None:
    with pytest.raises(TypeError, match="n_features_in"):
        make(module=lambda n_features_in: nn.Linear(n_features_in, 1)).fit(COLOUR, y_colour)


# ------------------------------------------------------------------------------------ predictions


@pytest.mark.parametrize("chunk", [1, 300, 10**9])
@pytest.mark.parametrize("parameters", [{}, {"test_time_augment": "flip"}], ids=case_name)
def test_predictions_in_chunks_are_those_at_once(
    parameters: dict[str, Any], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make(normalization="batch", **parameters).fit(X, y)
    expected = model.decision_function(X)
    monkeypatch.setitem(_inference.CHUNK_NUMBERS, "cpu", chunk)
    sizes = []
    model.module_.register_forward_hook(lambda module, images, outputs: sizes.append(len(outputs)))
    assert_allclose(model.decision_function(X), expected, atol=1e-5)
    # the first convolution returns 4 x 8 x 8 numbers
    assert max(sizes) == {1: 1, 300: 1, 10**9: 120}[chunk]


def test_the_work_of_a_sample_is_that_of_its_layers() -> None:
    model = make(pooling=None).fit(X, y)
    multiplications = 64 * (4 * 9 + 6 * 4 * 9) + 6 * 64 * 8 + 8 * 3
    assert model._work.flops == 3 * 2 * multiplications
    assert model._work.layer_size == 6 * 64


def test_predictions_average_over_flips() -> None:
    model = make(ConvRegressor).fit(X, darkness)
    plain, mirrored = model.predict(X), model.predict(X[:, :, ::-1])
    model.set_params(test_time_augment="flip")
    assert_allclose(model.predict(X), (plain + mirrored) / 2, atol=1e-6)
    assert_allclose(model.predict(X[:, :, ::-1]), model.predict(X), atol=1e-6)
    assert np.abs(plain - mirrored).max() > 1e-3


def test_predictions_average_over_flips_and_shifts() -> None:
    model = make().fit(X, y)
    padded = np.pad(X, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    expected = sum(
        weight * (model.decision_function(Z) + model.decision_function(Z[:, :, ::-1]))
        for weight, Z in [(0.25, X), (0.125, padded[:, 2:, 2:]), (0.125, padded[:, :-2, :-2])]
    )
    model.set_params(test_time_augment="flip_shift")
    assert_allclose(model.decision_function(X), expected, atol=1e-5)
    odds = np.exp(expected)
    assert_allclose(model.predict_proba(X), odds / odds.sum(1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_sum_to_one_with_the_digits_of_their_type(n_classes: int, dtype: str) -> None:
    """Computed in float32 and cast, they do not, of which scikit-learn's log loss warns."""
    images, target = (X * 255).astype(dtype), y % n_classes
    images = images if dtype == "uint8" else images / np.asarray(255, dtype)
    dense = NeuralClassifier((8,), precision="float32", max_iter=2, random_state=0)
    for model, rows in [(make(), images), (dense, images.reshape(len(images), -1))]:
        probabilities = model.fit(rows, target).predict_proba(rows)
        assert probabilities.dtype == (np.float32 if dtype == "float32" else np.float64)
        tolerance = 4 * np.finfo(probabilities.dtype).eps
        assert_allclose(probabilities.sum(1), 1, rtol=0, atol=tolerance)
        assert_allclose(model.predict_log_proba(rows), np.log(probabilities), rtol=1e-5)
        log_loss(target, probabilities)


# ----------------------------------------------------------------------------------------- weights

EXACT: dict[str, Any] = {"batch_size": "all", "precision": "float64", "max_iter": 5}


@pytest.mark.parametrize("architecture", ["plain", "resnet"])
@pytest.mark.parametrize("estimator", [ConvClassifier, ConvRegressor])
def test_a_weight_of_two_is_a_row_that_comes_twice(estimator: Any, architecture: str) -> None:
    parameters = EXACT | {"architecture": architecture, "normalization": None}
    counts = np.random.default_rng(0).integers(0, 3, len(X))
    weighted = make(estimator, **parameters).fit(X, y, sample_weight=counts)
    repeated = make(estimator, **parameters).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    assert_same_weights(weighted, repeated, atol=1e-10)
    assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)


def test_class_weights_are_sample_weights() -> None:
    weighted = make(class_weight={0: 1, 1: 3, 2: 0.5}).fit(X, y)
    plain = make().fit(X, y, sample_weight=np.array([1, 3, 0.5])[y])
    assert_same_weights(weighted, plain)
    balanced = make(class_weight="balanced", **EXACT).fit(X, y)
    weights = len(y) / (3 * np.bincount(y))
    assert_same_weights(balanced, make(**EXACT).fit(X, y, sample_weight=weights[y]), atol=1e-12)


# ---------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("batch_size", [1, 7, 40, "auto", "all"])
def test_one_step_is_that_of_a_loop_in_plain_torch(batch_size: Any) -> None:
    """The same weights, batches and optimizer, written out."""
    parameters = {
        "precision": "float64",
        "solver": "sgd",
        "momentum": 0.0,
        "alpha": 0.02,
        "shuffle": False,
        "batch_size": batch_size,
        "learning_rate": "constant",
    }
    rows, target = X[:40], y[:40]
    model = make(max_iter=1, learning_rate_init=0.1, **parameters).fit(rows, target)
    network = ConvNetwork((8, 8, 1), [Convolution(4), Convolution(6)], 3, hidden_layer_sizes=(8,))
    network.initialize(np.random.RandomState(0), "glorot")
    network.double()
    size = {"auto": 16, "all": 40}.get(batch_size, batch_size)  # "auto": at least 16
    images = torch.from_numpy(rows)[:, None]
    weights = list(network.parameters())
    for i in range(0, 40, size):
        batch, labels = images[i : i + size], torch.from_numpy(target[i : i + size])
        loss = F.cross_entropy(network(batch), labels)
        penalty = sum((p**2).sum() for p in weights if p.ndim > 1)
        loss = loss + 0.02 / 2 * penalty / len(labels)
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for p, gradient in zip(weights, gradients, strict=True):
                p -= 0.1 * gradient
    for ours, theirs in zip(model.module_.parameters(), network.parameters(), strict=True):
        assert_allclose(ours.detach(), theirs.detach(), atol=1e-12)


@pytest.mark.parametrize(
    ("n_samples", "batch_size"), [(20, 16), (1359, 16), (2000, 25), (10_000, 125), (50_000, 200)]
)
def test_auto_batches_are_an_eightieth_of_the_images_within_bounds(
    n_samples: int, batch_size: int
) -> None:
    assert ConvClassifier()._resolve_batch_size(n_samples) == batch_size
    assert ConvClassifier()._resolve_batch_size(9) == 9
    assert ConvClassifier(batch_size="all")._resolve_batch_size(n_samples) == n_samples


@pytest.mark.parametrize(
    ("n_samples", "parameters", "n_epochs"),
    [
        (20, {}, 150),  # two batches of 16 or fewer
        (100, {}, 43),  # seven
        (600, {}, 9),  # 38, which 9 epochs bring to 342
        (50_000, {}, 9),
        (100, {"batch_size": "all"}, 300),
        (100, {"batch_size": 1000}, 300),
        (100, {"batch_size": 2}, 9),
        (100, {"max_iter": 3}, 3),
        (100, {"solver": "lbfgs"}, 200),
    ],
    ids=case_name,
)
def test_auto_epochs_are_nine_or_three_hundred_updates(
    n_samples: int, parameters: dict[str, Any], n_epochs: int
) -> None:
    assert ConvClassifier(**parameters)._resolve_max_iter(n_samples) == n_epochs


def test_the_schedule_ends_with_the_epochs_that_were_chosen() -> None:
    model = ConvClassifier(filters=(2,), random_state=0).fit(X, y)
    assert model.n_iter_ == len(model.history_) == 38  # 300 updates in eight batches
    assert (
        model.history_[-1]["learning_rate"]
        < 1e-4
        < max(epoch["learning_rate"] for epoch in model.history_)
    )
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("n_images", [999, 1000])
def test_many_images_get_a_hidden_layer(n_images: int) -> None:
    images = np.zeros((n_images, 2, 2), np.uint8)
    target = np.arange(n_images) % 2
    for architecture in ("plain", "resnet"):
        model = ConvClassifier(architecture=architecture, filters=(2,), max_iter=1)
        model.fit(images, target)
        has_layer = hasattr(model.module_.layers, "dense1")
        assert has_layer == (architecture == "plain" and n_images == 1000)


@pytest.mark.parametrize(
    ("parameters", "normalized"),
    [
        ({}, True),
        ({"batch_size": 1}, False),
        ({"solver": "lbfgs"}, False),
        ({"solver": "lbfgs", "architecture": "resnet"}, True),
        ({"normalization": None}, False),
        ({"normalization": None, "architecture": "airbench"}, False),
    ],
    ids=case_name,
)
def test_automatic_normalization_is_that_of_batches(
    parameters: dict[str, Any], normalized: bool
) -> None:
    model = ConvClassifier(filters=(2,), max_iter=1, tol=1, **parameters).fit(X[:20], y[:20])
    found = any(isinstance(layer, nn.BatchNorm2d) for layer in model.module_.modules())
    assert found == normalized


@pytest.mark.slow
@pytest.mark.parametrize("n_images", [20, 50, 100, 200, 500, 1000])
def test_few_digits_are_learned_as_by_a_support_vector_machine(n_images: int) -> None:
    images, target = digits.images / 16, digits.target
    ours, theirs = [], []
    for seed in range(3):
        X, X_test, y, y_test = train_test_split(
            images, target, train_size=n_images, random_state=seed, stratify=target
        )
        ours.append(ConvClassifier(random_state=seed).fit(X, y).score(X_test, y_test))
        machine = SVC().fit(X.reshape(n_images, -1), y)
        theirs.append(machine.score(X_test.reshape(len(X_test), -1), y_test))
    assert np.mean(ours) > np.mean(theirs) - 0.02


class SeesBatches(Callback):
    """Keeps the images and the sizes of the training batches."""

    def __init__(self) -> None:
        self.images: list[Tensor] = []

    def on_batch_begin(
        self, net: Any, batch: Any = None, training: bool = False, **kw: Any
    ) -> None:
        assert training
        self.images.append(batch[0].clone())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model",
    [
        make(normalization="batch", batch_size=10),
        make(normalization="batch", batch_size=10, filters=()),
        make(architecture="resnet", batch_size=10),
        make(architecture="airbench", batch_size=10, hidden_layer_sizes=(4,)),
        NeuralClassifier((5,), normalization="batch", batch_size=10, max_iter=2),
    ],
    ids=["plain", "dense layers only", "resnet", "airbench", "dense"],
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_last_batch_of_one_image_does_not_break_batch_normalization(
    model: Any, early_stopping: bool
) -> None:
    seen = SeesBatches()
    n = 41 + 5 * early_stopping  # of which five are held out
    images, target = X[:n], y[:n] % 2
    if isinstance(model, NeuralClassifier):
        images = images.reshape(n, -1)
    model = clone(model).set_params(early_stopping=early_stopping, callbacks=[seen])
    model.fit(
        images,
        target,
        X_val=images[:1] if not early_stopping else None,
        y_val=target[:1] if not early_stopping else None,
    )
    assert [len(batch) for batch in seen.images] == [10, 10, 10, 11] * 2
    assert np.isfinite(model.predict_proba(images)).all()


def test_predictions_of_one_image_are_those_in_a_batch() -> None:
    model = make(normalization="batch", dropout=0.5).fit(X, y)
    single = np.vstack([model.predict_proba(image[None]) for image in X[:5]])
    assert_allclose(single, model.predict_proba(X)[:5], atol=1e-6)


@pytest.mark.parametrize("estimator", [ConvClassifier, ConvRegressor])
def test_early_stopping_keeps_the_best_weights(estimator: Any) -> None:
    model = make(
        estimator,
        early_stopping=True,
        validation_fraction=0.25,
        n_iter_no_change=2,
        learning_rate="constant",
        learning_rate_init=0.05,
        max_iter=60,
        normalization="batch",
    ).fit(X, y)
    scores = model.validation_scores_
    assert len(scores) == model.n_iter_ < 60
    assert model.best_validation_score_ == max(scores) > scores[-1] - 1e-9


def test_validation_data_are_scored_as_by_predict() -> None:
    model = make(max_iter=3, normalization="batch").fit(X, y, X_val=X_test, y_val=y_test)
    assert model.history_[-1]["valid_score"] == pytest.approx(model.score(X_test, y_test))
    expected = log_loss(y_test, model.predict_proba(X_test))
    assert model.history_[-1]["valid_loss"] == pytest.approx(expected, rel=1e-5)
    as_bytes = (X_test * 255).round().astype(np.uint8).reshape(40, -1)
    other = make(max_iter=3, normalization="batch").fit(X, y, X_val=as_bytes, y_val=y_test)
    assert other.history_[-1]["valid_loss"] == pytest.approx(expected, rel=0.01)


def test_a_warm_start_goes_on_from_the_weights() -> None:
    model = make(warm_start=True, max_iter=3).fit(X, y)
    before = weights_of(model)
    model.set_params(learning_rate_init=1e-12).fit(X, y)
    for old, new in zip(before, weights_of(model), strict=True):
        assert_allclose(new, old, atol=1e-9)
    assert len(model.history_) == 6
    with pytest.raises(ValueError, match="fitted with images of"):
        model.fit(X[:, 1:], y)


def test_partial_fit_learns() -> None:
    model = make(learning_rate="constant")
    for _ in range(30):
        model.partial_fit(X[:60], y[:60], classes=[0, 1, 2])
        model.partial_fit((X[60:] * 255).astype(np.uint8).reshape(60, -1), y[60:])
    assert model.score(X, y) > 0.9
    assert len(model.loss_curve_) == 60
    regressor = make(ConvRegressor, learning_rate="constant")
    for _ in range(40):
        regressor.partial_fit(X, darkness)
    assert regressor.score(X, darkness) > 0.7


def test_bfloat16_is_close_to_float32() -> None:
    exact, rough = (make(precision=name).fit(X, y) for name in ("float32", "bfloat16"))
    assert {p.dtype for p in rough.module_.parameters()} == {torch.float32}
    difference = np.abs(exact.predict_proba(X) - rough.predict_proba(X))
    assert 0 < difference.max() < 0.05


def test_images_are_computed_in_float32_unless_told_otherwise() -> None:
    for precision, dtype in [("auto", torch.float32), ("float64", torch.float64)]:
        model = make(precision=precision, max_iter=1).fit(X, y)
        assert {p.dtype for p in model.module_.parameters()} == {dtype}


def test_lbfgs_finds_a_minimum() -> None:
    parameters = {"solver": "lbfgs", "pooling": "average", "activation": "tanh", "alpha": 2.0}
    model = make(max_iter=500, tol=1e-6, **parameters).fit(X[:40], y[:40])
    assert {p.dtype for p in model.module_.parameters()} == {torch.float64}
    network = model.module_
    loss = F.cross_entropy(network(torch.from_numpy(X[:40])[:, None]), torch.from_numpy(y[:40]))
    penalty = sum((p**2).sum() for p in network.parameters() if p.ndim > 1)
    total = loss + penalty / 2 / 40
    assert model.loss_ == pytest.approx(total.item(), rel=1e-9)
    gradients = torch.autograd.grad(total, list(network.parameters()))
    assert max(g.abs().max().item() for g in gradients) < 1e-5


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"augment": torch.relu}, "augment"),
        ({"augment": "flip"}, "augment"),
        ({"dropout": 0.1}, "dropout"),
        ({"dropout": (0, 0, 0.1)}, "dropout"),
        ({"architecture": "resnet", "dropout": 0.1}, "dropout"),
    ],
    ids=case_name,
)
def test_lbfgs_refuses_what_changes_the_loss(parameters: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} changes the loss .* solver='lbfgs' cannot"):
        make(solver="lbfgs", **parameters).fit(X, y)


# ------------------------------------------------------------------------------------ augmentation


def test_training_images_are_augmented_anew_in_each_epoch_and_others_are_not() -> None:
    pytest.importorskip("kornia")
    seen = SeesBatches()
    model = make(augment={"flip": 0.5}, shuffle=False, batch_size="all", max_iter=2)
    model.set_params(callbacks=[seen]).fit(X, y, X_val=X_test, y_val=y_test)
    first, second = (batch[:, 0].numpy().astype(float) for batch in seen.images)
    for batch in (first, second):
        is_flipped = (batch == X[:, :, ::-1]).all((1, 2))
        assert (is_flipped | (batch == X).all((1, 2))).all()
        assert 0.3 < is_flipped.mean() < 0.7
    assert not np.array_equal(first, second)
    expected = log_loss(y_test, model.predict_proba(X_test))
    assert model.history_[-1]["valid_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [50, "all"])
def test_a_function_that_works_in_place_does_not_change_the_users_images(
    batch_size: Any, shuffle: bool
) -> None:
    images = np.ascontiguousarray(X, dtype=np.float32)
    parameters = {"batch_size": batch_size, "shuffle": shuffle, "max_iter": 3}
    model = make(augment=lambda batch: batch.mul_(0.5), **parameters).fit(images, y)
    assert_array_equal(images, X)
    expected = make(augment=lambda batch: 0.5 * batch, **parameters).fit(images, y)
    assert_same_weights(model, expected)


def test_augmentation_that_does_nothing_changes_nothing() -> None:
    expected = make(shuffle=False).fit(X, y)
    assert_same_weights(make(shuffle=False, augment=lambda images: images).fit(X, y), expected)
    pytest.importorskip("kornia")
    nothing = {"flip": 0, "shift": 0, "erase": 0}
    assert_same_weights(make(shuffle=False, augment=nothing).fit(X, y), expected)


def test_augmentation_that_returns_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="augment returned"):
        make(augment=lambda images: images[:, :, 1:]).fit(X, y)


def test_weights_agree_with_images_that_were_augmented_before() -> None:
    model = make(augment=lambda images: images.flip(3)).fit(X, y)
    other = make(augment=lambda images: images).fit(X[:, :, ::-1], y)
    assert_same_weights(model, other)


# -------------------------------------------------------------------------------------- randomness


@pytest.mark.parametrize(
    "parameters",
    [
        {"dropout": 0.3},
        {"augment": ["flip", "shift", "rotate", "erase"], "dropout": 0.2},
        {"augment": lambda images: images + 0.1 * torch.randn_like(images)},
        {"architecture": "airbench", "normalization": "batch", "augment": "shift"},
        {"early_stopping": True, "augment": "flip"},
    ],
    ids=["dropout", "kornia", "callable", "airbench", "early stopping"],
)
def test_a_random_state_decides_everything(parameters: dict[str, Any]) -> None:
    if parameters.get("augment") is not None:
        pytest.importorskip("kornia")
    before = global_generators()
    first = make(**parameters).fit(X, y)
    assert global_generators() == before
    torch.rand(3)  # the global generator has no say
    assert_same_weights(make(**parameters).fit(X, y), first)
    generator = make(**(parameters | {"random_state": np.random.RandomState(0)})).fit(X, y)
    assert_same_weights(generator, first)
    other = make(**(parameters | {"random_state": 1})).fit(X, y)
    assert not np.array_equal(weights_of(other)[0], weights_of(first)[0])


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
def test_partial_fit_goes_on_learning_whatever_the_schedule(schedule: str) -> None:
    X = np.random.default_rng(0).normal(size=(40, 6, 6))
    y = (X.mean((1, 2)) > 0).astype(int)
    model = ConvClassifier(
        filters=(4,), learning_rate=schedule, learning_rate_init=0.01, max_iter=2, random_state=0
    )
    for _ in range(5):
        model.partial_fit(X, y, classes=[0, 1])
    assert [epoch["learning_rate"] for epoch in model.history_] == [0.01] * 5
    model.fit(X, y).partial_fit(X, y)
    assert model.history_[-1]["learning_rate"] == 0.01


class ViewNetwork(nn.Module):
    """Flattens by `view`, as many tutorials do."""

    def __init__(self, n_channels: int, n_outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_channels, 4, 3, padding=1)
        self.linear = nn.Linear(4 * 36, n_outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        z = self.conv(images)
        return self.linear(z.view(len(z), -1))


@pytest.mark.parametrize("augment", [None, "flip"])
def test_a_module_that_views_its_images_is_trained(augment: str | None) -> None:
    if augment is not None:
        pytest.importorskip("kornia")
    X = np.random.default_rng(0).normal(size=(20, 6, 6, 3)).astype(np.float32)
    y = np.arange(20) % 3
    model = ConvClassifier(module=ViewNetwork, max_iter=2, augment=augment, random_state=0)
    module = model.fit(X, y).module_.eval()
    expected = module(torch.from_numpy(X).permute(0, 3, 1, 2).contiguous()).detach().numpy()
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("estimator", [ConvClassifier, NeuralClassifier])
def test_batches_of_one_row_and_batch_normalization_are_refused(estimator: Any) -> None:
    model = estimator(normalization="batch", batch_size=1, hidden_layer_sizes=(4,))
    with pytest.raises(ValueError, match="batch_size=2 at least"):
        model.fit(np.eye(9), np.arange(9) % 2)
