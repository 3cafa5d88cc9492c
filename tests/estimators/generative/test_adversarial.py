"""Adversarial generators."""

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from skorch.callbacks import Callback
from torch import nn

import sknn
from sknn.generative import AdversarialGenerator
from tests.helpers import assert_same_weights

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)) * [1, 10, 0.1] + [0, 100, 5]
LABELS = np.array(["a", "b", "c"])[np.arange(60) % 3]
IMAGES = rng.integers(0, 256, (24, 9, 8, 3), dtype=np.uint8)
SMALL: dict[str, Any] = {
    "latent_size": 4,
    "generator": (8,),
    "discriminator": (8,),
    "batch_size": 10,
    "max_iter": 2,
    "random_state": 0,
}


def make(**parameters: Any) -> AdversarialGenerator:
    return AdversarialGenerator(**(SMALL | parameters))


def make_for_images(**parameters: Any) -> AdversarialGenerator:
    networks = {"generator": None, "discriminator": None, "batch_size": 8}
    return make(**(networks | parameters))


# --------------------------------------------------------------------------- by hand, with torch


def glorot(shape: tuple[int, int], random_state: np.random.RandomState) -> torch.Tensor:
    bound = math.sqrt(6 / sum(shape))
    return torch.from_numpy(random_state.uniform(-bound, bound, shape)).float()


def first_noise() -> torch.Generator:
    """Return the generator of a fit whose solver is torch's: before weights are drawn."""
    seed = int(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    return torch.Generator().manual_seed(seed)


def by_hand(rows: np.ndarray, batch_size: int, n_epochs: int) -> tuple[nn.Module, nn.Module]:
    """Train the course's networks with a plain loop, on rows scaled by hand."""
    random_state = np.random.RandomState(0)
    generator = nn.Sequential()
    for before, after in ((100, 256), (256, 512), (512, 1024)):
        generator.extend([nn.Linear(before, after), nn.LeakyReLU(0.2)])
        generator.append(nn.BatchNorm1d(after, eps=1e-3, momentum=0.2))
    generator.extend([nn.Linear(1024, rows.shape[1]), nn.Tanh()])
    discriminator = nn.Sequential(
        nn.Linear(rows.shape[1], 512),
        nn.LeakyReLU(0.2),
        nn.Linear(512, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 1),
    )
    for layer in [*generator, *discriminator]:
        if isinstance(layer, nn.Linear):
            with torch.no_grad():
                layer.weight.copy_(glorot(tuple(layer.weight.shape), random_state))
                layer.bias.zero_()
    noise = first_noise()
    adam = [
        torch.optim.Adam(each.parameters(), lr=2e-4, betas=(0.5, 0.999))
        for each in (generator, discriminator)
    ]
    cross_entropy = nn.BCEWithLogitsLoss()
    real = torch.from_numpy((rows / 127.5 - 1).astype(np.float32))
    for _ in range(n_epochs):
        for batch in real.split(batch_size):
            samples = generator(torch.randn(len(batch), 100, generator=noise))
            ones, zeros = torch.ones(len(batch), 1), torch.zeros(len(batch), 1)
            of_generator = cross_entropy(discriminator(samples), ones)
            gradients = torch.autograd.grad(of_generator, [*generator.parameters()])
            of_discriminator = cross_entropy(discriminator(batch), ones) + cross_entropy(
                discriminator(samples.detach()), zeros
            )
            adam[1].zero_grad()
            of_discriminator.backward()
            for parameter, gradient in zip(generator.parameters(), gradients, strict=True):
                parameter.grad = gradient
            for each in adam:
                each.step()
    return generator, discriminator


def test_the_course_s_network_learns_as_a_plain_loop_does() -> None:
    rows = rng.integers(0, 256, (48, 20), dtype=np.uint8)
    gan = AdversarialGenerator(
        architecture="dense",
        batch_size=16,
        max_iter=2,
        shuffle=False,
        solver=torch.optim.Adam,
        random_state=0,
    ).fit(rows)
    generator, discriminator = by_hand(rows, 16, 2)
    module: Any = gan.module_
    assert module.average is None
    ours = [*module.generator.parameters(), *module.discriminator.parameters()]
    theirs = [*generator.parameters(), *discriminator.parameters()]
    for mine, other in zip(ours, theirs, strict=True):
        assert_allclose(mine.detach(), other.detach(), rtol=0, atol=1e-5)  # Adam enlarges roundings
    for mine, other in zip(module.generator.buffers(), generator.buffers(), strict=True):
        assert_allclose(mine, other, rtol=1e-5, atol=1e-6)
    noise = torch.Generator().manual_seed(
        int(np.random.RandomState(5).randint(np.iinfo(np.int32).max))
    )
    with torch.no_grad():
        pixels = 127.5 * (generator.eval()(torch.randn(7, 100, generator=noise)).numpy() + 1)
    sampled = gan.sample(7, random_state=5)
    assert sampled.dtype == np.uint8
    assert_allclose(sampled, pixels, atol=0.51)


@pytest.mark.parametrize("loss", ["standard", "wasserstein", "hinge"])
def test_gradients_of_all_losses_are_those_of_a_plain_step(loss: str) -> None:
    gan = make(
        loss=loss,
        gradient_penalty=3.0,
        penalty_interval=1,
        batch_size="all",
        max_iter=1,
        solver=torch.optim.SGD,
        learning_rate_init=0.01,
        discriminator_learning_rate=0.02,
        momentum=0.0,
        nesterovs_momentum=False,
    )
    still = {"learning_rate_init": 1e-30, "discriminator_learning_rate": 1e-30}
    begun_module: Any = copy.deepcopy(gan).set_params(**still).fit(X).module_
    gan.fit(X)
    generator, discriminator = begun_module.generator, begun_module.discriminator
    noise = first_noise()
    scaled = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
    real = torch.from_numpy(scaled).requires_grad_()
    samples = generator.train()(torch.randn(60, 4, generator=noise))
    on_real, on_samples = discriminator(real), discriminator(samples)
    if loss == "standard":
        objective = -torch.log(torch.sigmoid(on_real)) - torch.log(1 - torch.sigmoid(on_samples))
        of_generator = -torch.log(torch.sigmoid(on_samples)).mean()
    elif loss == "wasserstein":
        objective = on_samples - on_real
        of_generator = -on_samples.mean()
    else:
        objective = (1 - on_real).clamp(min=0) + (1 + on_samples).clamp(min=0)
        of_generator = -on_samples.mean()
    if loss == "wasserstein":
        shares = torch.rand(60, 1, generator=noise)
        points = (real + shares * (samples - real)).detach().requires_grad_()
        (slopes,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
        penalty = 3 * ((slopes.norm(dim=1) - 1) ** 2).mean()
    else:
        (slopes,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
        penalty = 1.5 * (slopes**2).sum(1).mean()
    networks = [(generator, of_generator, 0.01), (discriminator, objective.mean() + penalty, 0.02)]
    module: Any = gan.module_
    for network, lost, rate in networks:
        weights = [*network.parameters()]
        trained = [*(module.generator if rate == 0.01 else module.discriminator).parameters()]
        for gradient, before, after in zip(
            torch.autograd.grad(lost, weights, retain_graph=True), weights, trained, strict=True
        ):
            assert_allclose(
                after.detach(), (before - rate * gradient).detach(), rtol=1e-5, atol=1e-6
            )
    (epoch,) = gan.history_
    assert epoch["discriminator_loss"] == pytest.approx(objective.mean().item(), rel=1e-5)
    assert epoch["generator_loss"] == pytest.approx(of_generator.item(), rel=1e-5)


def test_the_generator_takes_part_in_each_so_many_steps_and_the_penalty_too() -> None:
    gan = make(discriminator_steps=3, penalty_interval=2, gradient_penalty=1.0, max_iter=2).fit(X)
    module: Any = gan.module_
    states: Any = gan._state.optimizer
    counts = {int(state["step"]) for state in states}
    assert int(module.n_steps) == 12
    assert counts == {12, 4}
    assert all("generator_loss" in epoch for epoch in gan.history_)


def test_samples_are_made_by_the_average_of_the_generator_s_weights() -> None:
    class Remember(Callback):
        def __init__(self) -> None:
            self.weights: list[np.ndarray] = []

        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            self.on_batch_end(net)

        def on_batch_end(self, net: Any, **kwargs: Any) -> None:
            self.weights.append(next(net.module_.generator.parameters()).detach().numpy().copy())

    told = Remember()
    gan = make(callbacks=[told], average_decay=0.3).fit(X)
    module: Any = gan.module_
    expected = next(make(average_decay=0.3).fit(X).module_.average.parameters())
    average, *later = told.weights
    for n, weight in enumerate(later, 1):
        decay = min(0.3, n / (n + 9))
        average = decay * average + (1 - decay) * weight
    measured = next(module.average.parameters())
    assert_allclose(measured, average, atol=1e-5)
    assert_allclose(measured, expected, atol=1e-6)
    assert module.sampler is module.average
    assert make(average_decay=0).fit(X).module_.sampler is not None


# ------------------------------------------------------------------------------------ forms of X


@pytest.mark.parametrize("kind", ["vectors", "dense", "images"])
def test_rows_of_weight_zero_have_no_part_in_the_scale(kind: str) -> None:
    rows = np.concatenate([np.full((20, 12), 5.0), np.full((1, 12), 1e6)])
    if kind == "images":
        rows = rows.reshape(-1, 3, 4)
    architecture = "dense" if kind == "dense" else "auto"
    model = make(architecture=architecture, max_iter=1).fit(rows, sample_weight=[1] * 20 + [0])
    assert_array_equal(model.sample(3, random_state=0), rows[:3])


def test_samples_have_the_columns_of_a_table_and_their_location_and_scale() -> None:
    table = pd.DataFrame(X, columns=["p", "q", "r"])
    gan = make().fit(table)
    samples = gan.sample(4, random_state=0)
    assert list(samples.columns) == ["p", "q", "r"]
    noise = torch.Generator().manual_seed(
        int(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    )
    module: Any = gan.module_
    with torch.no_grad():
        scaled = module.average(torch.randn(4, 4, generator=noise)).double().numpy()
    assert_allclose(samples, scaled * X.std(0) + X.mean(0), rtol=1e-9)
    assert_allclose(make().fit(X).sample(4, random_state=0), samples, rtol=1e-12)


def test_constant_columns_come_back_as_they_were() -> None:
    constant = X.copy()
    constant[:, 1] = 1e12 / 3
    assert_array_equal(make().fit(constant).sample(20)[:, 1], constant[:20, 1])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64, bool])
def test_images_come_back_in_their_form(dtype: Any) -> None:
    images = IMAGES > 100 if dtype is bool else IMAGES.astype(dtype)
    if images.dtype.kind == "f":
        images = images / dtype(300)
    for form in (images, images[..., 0], images[..., :1]):
        samples = make_for_images(max_iter=1).fit(form).sample(5, random_state=0)
        assert samples.shape == (5, *form.shape[1:])
        assert samples.dtype == dtype
        assert samples.min() >= form.min() - 1e-6
        assert samples.max() <= form.max() + 1e-6


def test_channels_first_and_flat_rows_are_other_forms_of_the_same_images() -> None:
    samples = make_for_images(max_iter=1).fit(IMAGES).sample(5, random_state=0)
    first = make_for_images(max_iter=1, data_format="channels_first")
    others = first.fit(IMAGES.transpose(0, 3, 1, 2).copy()).sample(5, random_state=0)
    assert_array_equal(others.transpose(0, 2, 3, 1), samples)
    flat = make_for_images(max_iter=1, image_shape=(9, 8, 3)).fit(IMAGES.reshape(24, -1))
    assert_array_equal(flat.sample(5, random_state=0), samples.reshape(5, -1))
    vectors = make(max_iter=1).fit(IMAGES.reshape(24, -1))
    assert vectors.sample(5).dtype == np.uint8
    assert vectors.module_.generator.layers[-1].__class__ is nn.Tanh


# ---------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize("data", [X[:24], IMAGES], ids=["rows", "images"])
def test_samples_of_a_label_are_asked_for(data: np.ndarray) -> None:
    gan = make_for_images(max_iter=1).fit(data, LABELS[:24])
    assert_array_equal(gan.classes_, ["a", "b", "c"])
    of_b = gan.sample(3, y="b", random_state=0)
    assert_array_equal(gan.sample(3, y=["b"] * 3, random_state=0), of_b)
    assert np.abs(gan.sample(3, y="c", random_state=0).astype(float) - of_b).max() > 0
    assert len(gan.discriminate(data, LABELS[:24])) == 24
    other = gan.discriminate(data, np.roll(LABELS[:24], 1))
    assert np.abs(other - gan.discriminate(data, LABELS[:24])).max() > 0


def test_labels_are_drawn_as_often_as_they_came() -> None:
    ends = np.where(np.arange(60) < 45, -1.0, 1.0)
    for weight, share in ((None, 0.75), (np.where(ends < 0, 1, 6), 45 / 135)):
        gan = make(max_iter=1).fit(X, ends, weight)
        assert_allclose(gan._targets.shares, [share, 1 - share])
        drawn = gan._targets.draw(4000, np.random.RandomState(0))
        assert np.mean(drawn == 0) == pytest.approx(share, abs=0.03)


def test_rows_of_two_labels_are_learned_apart() -> None:
    where = np.arange(400) % 2
    rows = np.where(where[:, None], 5.0, -5.0) + rng.normal(size=(400, 2))
    gan = make(
        generator=(32,),
        discriminator=(32,),
        latent_size=2,
        batch_size=100,
        max_iter=40,
        learning_rate_init=0.01,
    ).fit(rows, where)
    for label, centre in ((0, -5), (1, 5)):
        assert_allclose(gan.sample(300, y=label, random_state=0).mean(0), centre, atol=1.5)


# --------------------------------------------------------------------------------- discriminate


def test_a_discriminator_gives_probabilities_or_scores() -> None:
    gan = make().fit(X)
    module: Any = gan.module_
    scaled = torch.from_numpy(((X - X.mean(0)) / X.std(0)).astype(np.float32))
    with torch.no_grad():
        logits = module.discriminator(scaled)[:, 0].numpy()
    assert_allclose(gan.discriminate(X), 1 / (1 + np.exp(-logits)), rtol=1e-5)
    hinge = make(loss="hinge").fit(X)
    with torch.no_grad():
        logits = hinge.module_.discriminator(scaled)[:, 0].numpy()
    assert_allclose(hinge.discriminate(X), logits, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------- networks of the user's


class Square(nn.Module):
    """Images from noise and labels, by a factory."""

    def __init__(self, latent_size: int, n_classes: int, image_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = image_shape
        self.layer = nn.Linear(latent_size, math.prod(image_shape))
        self.classes = nn.Embedding(n_classes, latent_size)

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        height, width, channels = self.shape
        flat = torch.tanh(self.layer(noise + self.classes(labels)))
        return flat.reshape(-1, channels, height, width)


def test_networks_may_be_layers_modules_and_factories() -> None:
    layers = [nn.Linear(4 + 3, 5), nn.ReLU(), nn.Linear(5, 3)]
    judge = [nn.Linear(3 + 3, 6), nn.ReLU(), nn.Linear(6, 1)]
    before = [layer.weight.clone() for layer in (layers[0], judge[0])]
    gan = make(generator=layers, discriminator=judge).fit(X, LABELS)
    assert gan.sample(2).shape == (2, 3)
    for layer, weight in zip((layers[0], judge[0]), before, strict=True):
        assert torch.equal(layer.weight, weight)
    critic = [nn.Conv2d(3 + 3, 4, 3), nn.Flatten(), nn.Linear(4 * 7 * 6, 1)]
    images = make(generator=Square, discriminator=critic, batch_size=8)
    assert images.fit(IMAGES, LABELS[:24]).sample(2).shape == (2, 9, 8, 3)


REFUSED_NETWORKS: dict[str, tuple[dict[str, Any], str]] = {
    "shape of samples": (
        {"generator": [nn.Linear(4, 2)]},
        r"generator returned outputs of shape \(2, 2\) for 2 inputs; shape \(2, 3\) is needed",
    ),
    "shape of logits": (
        {"discriminator": [nn.Linear(3, 2)]},
        r"discriminator returned outputs of shape \(2, 2\).*\(2, 1\)",
    ),
    "shape of noise": ({"generator": [nn.Linear(5, 3)]}, r"generator does not take .*\('n', 4\)"),
    "mixed list": ({"generator": [8, nn.ReLU()]}, "generator is a list of ReLU, int"),
    "nothing to train": ({"discriminator": nn.Flatten()}, "discriminator has no trainable"),
    "a function": ({"generator": lambda: 3}, "generator returned int"),
}


@pytest.mark.parametrize("name", REFUSED_NETWORKS)
def test_networks_that_do_not_fit_are_refused(name: str) -> None:
    parameters, message = REFUSED_NETWORKS[name]
    gan = make(**parameters)
    with pytest.raises((TypeError, ValueError), match=message):
        gan.fit(X)
    assert not hasattr(gan, "module_")


# ------------------------------------------------------------------------------- what is refused


REFUSED: dict[str, tuple[dict[str, Any], tuple[Any, ...], str]] = {
    "latent size": ({"latent_size": 0}, (X,), "'latent_size' parameter"),
    "one row": ({}, (X[:1],), "n_samples=1, of which there is nothing to learn"),
    "sparse": ({}, (sparse.csr_array(X),), "X is sparse"),
    "one class": ({}, (X, ["a"] * 60), "one class .a."),
    "numbers": ({}, (X, X[:, 0]), "Unknown label type|fractions"),
    "columns": ({}, (X, X[:, :2] > 0), "one label a row"),
    "length of y": ({}, (X, LABELS[:5]), "inconsistent numbers of samples"),
    "NaN": ({}, (np.where(X > 100, np.nan, X),), "NaN"),
    "schedule": ({"learning_rate": "adaptive"}, (X,), "'learning_rate' parameter"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_and_changes_nothing(name: str) -> None:
    parameters, arguments, message = REFUSED[name]
    gan = make(**parameters)
    with pytest.raises((TypeError, ValueError), match=message):
        gan.fit(*arguments)
    assert not hasattr(gan, "module_")


def test_samples_and_judgements_that_cannot_be_are_refused() -> None:
    gan, labelled = make().fit(X), make().fit(X, LABELS)
    with pytest.raises(ValueError, match="fitted without labels"):
        gan.sample(2, y="a")
    with pytest.raises(ValueError, match="label 'd'"):
        labelled.sample(2, y="d")
    with pytest.raises(ValueError, match="y contains NaN, None or another missing label"):
        labelled.sample(2, y=["a", None])
    with pytest.raises(ValueError, match="y mixes labels of types int, str"):
        labelled.sample(2, y=["a", 1])
    with pytest.raises(ValueError, match="n_samples=2: give one label, or one for each"):
        labelled.sample(2, y=["a", "b", "c"])
    with pytest.raises(ValueError, match="n_samples"):
        gan.sample(0)
    with pytest.raises(ValueError, match="y is needed"):
        labelled.discriminate(X)
    with pytest.raises(ValueError, match="without labels"):
        gan.discriminate(X, LABELS)
    with pytest.raises(ValueError, match="features"):
        gan.discriminate(X[:, :2])
    with pytest.raises(ValueError, match="9x8"):
        make_for_images(max_iter=1).fit(IMAGES).discriminate(IMAGES[:, :5])
    with pytest.raises(ValueError, match="fitted without labels"):
        gan.partial_fit(X, LABELS)


def test_samples_that_are_not_finite_are_refused() -> None:
    """The loss of an only step does not tell of its weights."""
    gan = make(learning_rate_init=1e30, batch_size="all", max_iter=1).fit(X)
    with pytest.raises(ValueError, match="samples are not finite.*smaller learning_rate_init"):
        gan.sample()


# --------------------------------------------------------------------------------- the contract


def test_printed_lines_say_what_the_score_is(capsys: pytest.CaptureFixture[str]) -> None:
    gan = make(verbose=True, max_iter=1).fit(X)
    assert f", taken for real {gan.history_[-1]['train_score']:.3f} (" in capsys.readouterr().out


def test_a_seed_decides_and_global_generators_do_not_matter() -> None:
    first, second = make().fit(X, LABELS), make().fit(X, LABELS)
    assert_same_weights(first, second)
    assert_array_equal(first.sample(5, random_state=1), second.sample(5, random_state=1))
    assert np.abs(first.sample(5, random_state=2) - first.sample(5, random_state=1)).max() > 0


def test_partial_fits_go_on_as_epochs_of_a_fit_do() -> None:
    whole = make(max_iter=3, shuffle=False, learning_rate="constant").fit(X)
    parts = make(shuffle=False)
    for _ in range(3):
        parts.partial_fit(X)
    assert_same_weights(whole, parts)
    assert len(parts.history_) == 3


def test_a_generator_comes_back_from_files_and_pickles(tmp_path: Path) -> None:
    for data, labels in ((X, LABELS), (IMAGES, None)):
        gan = make_for_images(max_iter=1).fit(data, None if labels is None else labels)
        sknn.save(gan, tmp_path / "gan.sknn")
        for other in (sknn.load(tmp_path / "gan.sknn"), pickle.loads(pickle.dumps(gan))):
            assert_array_equal(other.sample(3, random_state=0), gan.sample(3, random_state=0))
            assert other.history_ == gan.history_
            other.partial_fit(data, labels)


def test_columns_of_other_names_are_refused() -> None:
    table = pd.DataFrame(X, columns=["p", "q", "r"])
    gan = make().fit(table)
    with pytest.raises(ValueError, match="feature names"):
        gan.discriminate(table[["q", "p", "r"]])


def test_the_ring_of_eight_is_found_in_part_by_few_steps() -> None:
    angles = rng.integers(8, size=2000) * np.pi / 4
    ring = 2 * np.c_[np.cos(angles), np.sin(angles)] + 0.02 * rng.normal(size=(2000, 2))
    gan = AdversarialGenerator(max_iter=5, random_state=0).fit(ring)
    samples = gan.sample(500, random_state=0)
    radius = np.hypot(*samples.T)
    assert 1 < np.median(radius) < 3
