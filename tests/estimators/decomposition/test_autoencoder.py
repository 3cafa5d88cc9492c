"""Autoencoders as transformers: codes, reconstructions, and what is asked of codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

import sknn
from sknn.decomposition import Autoencoder, AutoencoderOutlierDetector
from sknn.generative import AdversarialGenerator
from sknn.nn.autoencoder import ConvDecoder, ConvEncoder, Corruption
from sknn.training._loop import Loop

rng = np.random.default_rng(0)
# three numbers stand behind eight columns of very different sizes
VECTORS = rng.normal(size=(90, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(90, 8))
VECTORS = VECTORS * 10.0 ** np.arange(-3, 5) + 100
BYTES = (load_digits().images[:80] * 15).astype(np.uint8)
SMALL: dict[str, Any] = {
    "n_components": 3,
    "hidden_layer_sizes": (8,),
    "filters": (4, 6),
    "max_iter": 4,
    "random_state": 0,
}


def make(**parameters: Any) -> Autoencoder:
    return Autoencoder(**SMALL | parameters)


# ------------------------------------------------------------------------------ reconstructions


def test_a_linear_autoencoder_finds_the_space_of_the_principal_components() -> None:
    autoencoder = Autoencoder(
        3, hidden_layer_sizes=(), solver="lbfgs", alpha=0, max_iter=3000, tol=1e-9, random_state=0
    ).fit(VECTORS)
    scaler = StandardScaler().fit(VECTORS)
    scaled = scaler.transform(VECTORS)
    pca = PCA(3).fit(scaled)
    expected = scaler.inverse_transform(pca.inverse_transform(pca.transform(scaled)))
    reconstructed = autoencoder.inverse_transform(autoencoder.transform(VECTORS))
    assert_allclose(scaler.transform(reconstructed), scaler.transform(expected), atol=5e-3)
    share = pca.explained_variance_ratio_.sum()
    assert_allclose(autoencoder.score(VECTORS), share, rtol=1e-6)
    errors = np.square(VECTORS - expected).sum(1)
    assert_allclose(autoencoder.reconstruction_error(VECTORS).mean(), errors.mean(), rtol=0.02)


@pytest.mark.parametrize("standardize", ["columns", "whole", None])
def test_errors_and_scores_are_of_reconstructions(standardize: str | None) -> None:
    X = VECTORS / 10.0 ** np.arange(-3, 5)
    weights = rng.uniform(size=90)
    autoencoder = make(standardize=standardize, max_iter=20).fit(X, sample_weight=weights)
    reconstructed = autoencoder.inverse_transform(autoencoder.transform(X))
    errors = np.square(reconstructed - X).sum(1)
    assert_allclose(autoencoder.reconstruction_error(X), errors)
    mean = np.average(X, axis=0, weights=weights)
    variance = np.average((X - mean) ** 2, axis=0, weights=weights)
    scale = {"columns": np.sqrt(variance), "whole": np.sqrt(variance.mean()), None: 1.0}[
        standardize
    ]
    for given in (None, weights):
        expected = r2_score(
            X / scale, reconstructed / scale, sample_weight=given, multioutput="variance_weighted"
        )
        assert_allclose(autoencoder.score(X, sample_weight=given), expected, rtol=1e-5)


def test_columns_of_any_size_are_learned_alike() -> None:
    small = VECTORS / 10.0 ** np.arange(-3, 5)
    scores = [make(max_iter=20).fit(X).score(X) for X in (small, VECTORS, small - 1e6)]
    assert_allclose(scores, scores[0], rtol=1e-5)


def test_sparse_rows_are_learned_as_dense_ones() -> None:
    X = VECTORS * (rng.uniform(size=VECTORS.shape) < 0.3)
    dense, rows = make().fit(X), make().fit(sparse.csr_matrix(X))
    assert_allclose(rows.transform(sparse.csr_matrix(X)), dense.transform(X))
    assert_allclose(rows.reconstruction_error(sparse.csr_array(X)), dense.reconstruction_error(X))


def test_constant_columns_come_back() -> None:
    X = np.column_stack([VECTORS, np.full(90, 7.5)])
    autoencoder = make(max_iter=200).fit(X)
    reconstructed = autoencoder.inverse_transform(autoencoder.transform(X))
    assert np.abs(reconstructed[:, -1] - 7.5).mean() < 0.3


def test_the_variance_of_samples_is_that_around_their_mean_however_large() -> None:
    autoencoder = make().fit(VECTORS)
    assert autoencoder.score(np.tile(VECTORS[:1], (7, 1))) == 0
    plain = make(standardize=None, solver="sgd", learning_rate_init=1e-30).fit(VECTORS[:, :3] + 1e6)
    X = VECTORS[:, :3].astype(np.float32) + np.float32(1e6)
    residuals = plain.reconstruction_error(X).astype(np.float64).sum()
    expected = 1 - residuals / (np.var(X.astype(np.float64), 0).sum() * len(X))
    assert_allclose(plain.score(X), expected, rtol=1e-5)


# -------------------------------------------------------------------------------------- the form


@pytest.mark.parametrize("architecture", ["auto", "dense"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3), (1, 5, 1)])
@pytest.mark.filterwarnings("ignore:X of shape")
def test_images_come_back_as_they_were(
    architecture: str, data_format: str, shape: tuple[int, ...]
) -> None:
    X = rng.integers(0, 256, (20, *shape), np.uint8)
    if data_format == "channels_first" and len(shape) == 3:
        X = np.moveaxis(X, -1, 1)
    autoencoder = make(architecture=architecture, data_format=data_format, max_iter=1).fit(X)
    images = autoencoder.inverse_transform(autoencoder.transform(X))
    assert images.shape == X.shape
    assert images.dtype == np.uint8
    flat = make(architecture=architecture, data_format=data_format, max_iter=1)
    sizes = shape if data_format == "channels_last" else (*X.shape[-2:], *shape[2:])
    rows = X.reshape(20, -1)
    flat.set_params(image_shape=sizes).fit(rows)
    restored = flat.inverse_transform(flat.transform(rows))
    assert restored.shape == rows.shape
    assert_array_equal(restored.reshape(X.shape), images)


def test_the_same_pixels_are_the_same_whatever_their_type() -> None:
    of_bytes = make().fit(BYTES)
    of_floats = make().fit((BYTES / 255).astype(np.float32))
    assert_allclose(of_bytes.transform(BYTES), of_floats.transform(BYTES / 255), atol=1e-5)
    assert_allclose(
        of_bytes.reconstruction_error(BYTES),
        of_floats.reconstruction_error(BYTES / 255) * 255**2,
        rtol=1e-3,
    )
    near = of_floats.inverse_transform(of_floats.transform(BYTES / 255)) * 255
    whole = of_bytes.inverse_transform(of_bytes.transform(BYTES))
    assert_allclose(whole, near.clip(0, 255), atol=0.51)


def test_data_frames_keep_columns_and_index() -> None:
    frame = pd.DataFrame(
        VECTORS, columns=[f"x{i}" for i in range(8)], index=[f"row {i}" for i in range(90)]
    )
    autoencoder = make().fit(frame).set_output(transform="pandas")
    codes = autoencoder.transform(frame)
    assert list(codes.columns) == ["autoencoder0", "autoencoder1", "autoencoder2"]
    assert list(autoencoder.get_feature_names_out()) == list(codes.columns)
    reconstructed = autoencoder.inverse_transform(codes)
    assert list(reconstructed.columns) == list(frame.columns)
    assert list(reconstructed.index) == list(codes.index) == list(frame.index)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_answers_have_the_float_type_of_x(dtype: type) -> None:
    X = VECTORS.astype(dtype)
    autoencoder = make().fit(X)
    codes = autoencoder.transform(X)
    answers = codes, autoencoder.inverse_transform(codes), autoencoder.reconstruction_error(X)
    assert [each.dtype for each in answers] == [dtype] * 3


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 5, 9), (1, 1, 6), (2, 33, 2)])
def test_decoders_mirror_encoders(shape: tuple[int, int, int]) -> None:
    encoder = ConvEncoder(shape, [3, 4, 5], [7], 2, "relu")
    decoder = ConvDecoder(2, [7], [5, 4, 3], shape, "relu")
    images = torch.zeros(2, *shape)
    assert encoder(images).shape == (2, 2)
    assert decoder(torch.zeros(2, 2)).shape == images.shape


# ---------------------------------------------------------------------------- kinds of codes


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_the_evidence_lower_bound_is_that_of_the_formula(loss: str) -> None:
    X = (BYTES > 127).astype(np.float32)
    autoencoder = make(variational=True, beta=0.5, loss=loss, architecture="dense").fit(X)
    # draws of so many codes hardly vary if the variances are small
    network = autoencoder.module_
    with torch.no_grad():
        encoder = network.encoder[1].linear_layers[-1]
        encoder.weight[3:] = 0
        encoder.bias[3:] = -25.0
    code = autoencoder.transform(X).astype(np.float64)
    decoded = autoencoder.inverse_transform(code).reshape(80, -1).astype(np.float64)
    flat = X.reshape(80, -1).astype(np.float64)
    if loss == "log_loss":
        likelihood = (flat * np.log(decoded) + (1 - flat) * np.log(1 - decoded)).sum(1)
    else:
        deviation = np.sqrt(((flat - flat.mean(0)) ** 2).mean())
        likelihood = -0.5 * ((flat - decoded) / deviation) ** 2 - 0.5 * np.log(2 * np.pi)
        likelihood = likelihood.sum(1)
    divergence = 0.5 * (code**2 + np.exp(-25.0) - 1 + 25).sum(1)
    bound = autoencoder.elbo(X, n_draws=2, random_state=0)
    assert_allclose(bound, likelihood - divergence, rtol=1e-3)
    # training minimises the same with its own weight of the divergence
    outputs = autoencoder._predict_outputs(X)[1]
    rows = autoencoder._format.rows(X, outputs.device, torch.float32, network).slice(0, 80)
    constant = 0.0 if loss == "log_loss" else 0.5 * np.log(2 * np.pi) * 64
    losses = autoencoder._loss(outputs, rows.flatten(1)).numpy()
    assert_allclose(losses, 0.5 * divergence - likelihood - constant, rtol=1e-3)


def test_codes_are_drawn_as_the_encoder_says() -> None:
    autoencoder = make(variational=True, architecture="dense").fit(BYTES)
    network, n = autoencoder.module_, 20_000
    batch = torch.zeros(1, 1, 8, 8)
    mean, log_variance = network.distribution(batch)
    drawn: list[torch.Tensor] = []
    network.decode = lambda codes: drawn.append(codes) or torch.zeros(len(codes), 64)
    network.train()
    outputs = network(batch.expand(n, 1, 8, 8))
    codes = drawn[0].detach()
    deviation = (0.5 * log_variance[0]).exp().detach()
    assert_allclose((codes.mean(0) - mean[0].detach()) / deviation, 0, atol=5 / np.sqrt(n))
    assert_allclose(codes.std(0) / deviation, 1, atol=5 / np.sqrt(2 * n))
    assert_allclose(
        outputs[0, 64:].detach(), torch.cat([mean, log_variance], 1)[0].detach(), rtol=1e-5
    )


def test_samples_are_reproducible_and_in_the_form_of_x() -> None:
    autoencoder = make(variational=True).fit(BYTES)
    images = autoencoder.sample(5, random_state=1)
    assert (images.shape, images.dtype) == ((5, 8, 8), np.uint8)
    assert_array_equal(images, autoencoder.sample(5, random_state=1))
    codes = np.random.RandomState(1).standard_normal((5, 3))
    assert_array_equal(images, autoencoder.inverse_transform(codes))
    bounds = [autoencoder.elbo(BYTES, random_state=2) for _ in range(2)]
    assert_array_equal(*bounds)
    for method in ("sample", "elbo"):
        assert not hasattr(make(), method)


def test_noise_is_in_the_inputs_and_not_in_the_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    corrupt = Corruption.__call__

    def spy(self: Corruption, X: torch.Tensor) -> torch.Tensor:
        corrupted = corrupt(self, X)
        seen.append((X.clone(), corrupted))
        return corrupted

    monkeypatch.setattr(Corruption, "__call__", spy)
    targets: list[torch.Tensor] = []

    class Told(nn.Module):
        def __init__(self, n_features_in: int, n_outputs: int) -> None:
            super().__init__()
            self.linear = nn.Linear(n_features_in, n_outputs)

        def forward(self, X: torch.Tensor) -> torch.Tensor:
            if self.training:
                targets.append(X)
            return self.linear(X)

    autoencoder = make(encoder=Told, noise_amount=0.5, batch_size="all", max_iter=3)
    autoencoder.fit(VECTORS)
    scaled = StandardScaler().fit_transform(VECTORS)
    for clean, corrupted in seen:
        assert_allclose(np.sort(clean, 0), np.sort(scaled, 0), atol=1e-6)
        assert_allclose((corrupted - clean).std(), 0.5, rtol=0.1)
    assert len(targets) == 3  # the encoder has read what is corrupted
    assert_allclose(targets[0], seen[0][1])
    # and the score is of clean samples
    residuals = scaled - StandardScaler().fit(VECTORS).transform(
        autoencoder.inverse_transform(autoencoder.transform(VECTORS))
    )
    assert_allclose(autoencoder.score(VECTORS), 1 - np.square(residuals).mean(), rtol=1e-6)


def test_masking_sets_a_share_to_the_mean() -> None:
    X = torch.from_numpy(rng.normal(size=(200, 50)))
    masked = Corruption("masking", 0.3)(X)
    assert_allclose((masked == 0).double().mean(), 0.3, atol=0.03)
    assert_array_equal(masked[masked != 0], X[masked != 0])


@pytest.mark.parametrize("architecture", ["dense", "conv"])
def test_codes_are_standardized(architecture: str) -> None:
    weights = rng.uniform(size=80)
    autoencoder = make(architecture=architecture).fit(BYTES, sample_weight=weights)
    codes = autoencoder.transform(BYTES)
    mean = np.average(codes, axis=0, weights=weights)
    assert_allclose(mean, 0, atol=1e-5)
    assert_allclose(np.average((codes - mean) ** 2, axis=0, weights=weights), 1, rtol=1e-4)
    # and reconstructions are those of the network
    outputs = autoencoder._predict_outputs(BYTES)[1].numpy()
    expected = autoencoder._format.restore(outputs, autoencoder)
    assert np.mean(autoencoder.inverse_transform(codes) == expected) > 0.99


def test_sparsity_empties_codes() -> None:
    shares = []
    for sparsity in (1e-3, 0.1, 1.0):
        autoencoder = make(n_components=12, sparsity=sparsity, max_iter=80).fit(VECTORS)
        codes = autoencoder.transform(VECTORS)
        assert codes.min() >= 0
        shares.append((codes == 0).mean())
    assert shares == sorted(shares)
    assert shares[-1] > 0.8
    network, loss = autoencoder.module_, autoencoder._loss
    batch = torch.zeros(1, 8, dtype=torch.float64)
    outputs = network(batch).detach()
    reconstruction = 0.5 * float(outputs[:, :8].square().sum())
    assert_allclose(float(loss(outputs, batch)), reconstruction + float(outputs[:, 8:].sum()))


# -------------------------------------------------------------------------------- modules of users


class Coder(nn.Module):
    def __init__(self, shape: tuple[int, ...], n_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(int(np.prod(shape)), n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.linear(X.flatten(1))


def test_encoders_and_decoders_of_users_take_the_place_of_ours() -> None:
    autoencoder = make(encoder=Coder((1, 8, 8), 3)).fit(BYTES)
    assert isinstance(autoencoder.module_.encoder, Coder)
    assert isinstance(autoencoder.module_.decoder, ConvDecoder)
    codes = autoencoder.transform(BYTES)
    expected = autoencoder._format.rows(BYTES, torch.device("cpu"), torch.float32, None)
    linear = autoencoder.module_.encoder.linear
    with torch.no_grad():
        raw = linear(expected.slice(0, 80).flatten(1)).numpy()
    assert_allclose(codes, (raw - raw.mean(0)) / raw.std(0), atol=1e-5)
    made = make(decoder=lambda n_components, n_outputs: Coder((n_components,), n_outputs))
    assert make().fit(BYTES).n_parameters_ != made.fit(BYTES).n_parameters_


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"encoder": Coder((1, 8, 8), 4)}, r"encoder returned outputs of shape \(1, 4\)"),
        ({"decoder": Coder((3,), 60)}, r"decoder returned outputs of shape \(1, 60\)"),
        ({"architecture": "dense", "filters": (), "n_components": 65}, "more than the 64 numbers"),
        ({"filters": ()}, "filters is empty"),
        ({"noise": "masking", "noise_amount": 1.0}, "must be below 1"),
        ({"variational": True, "sparsity": 0.1}, "exclude each other"),
        ({"variational": True, "solver": "lbfgs"}, "variational=True changes the loss"),
        ({"noise_amount": 0.1, "solver": "lbfgs"}, "noise_amount changes the loss"),
        ({"loss": "log_loss", "standardize": "whole"}, "which standardize='whole' would change"),
        ({"n_components": 0}, "'n_components' parameter .* must be an int in the range"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters: dict[str, Any], message: str) -> None:
    autoencoder = make(**parameters)
    with pytest.raises(ValueError, match=message):
        autoencoder.fit(BYTES)
    assert not hasattr(autoencoder, "module_")
    with pytest.raises(NotFittedError):
        autoencoder.transform(BYTES)


def test_input_that_does_not_fit_is_refused() -> None:
    autoencoder = make().fit(BYTES)
    with pytest.raises(ValueError, match="8x7 pixels .* but the estimator was fitted with"):
        autoencoder.transform(BYTES[:, :, :7])
    with pytest.raises(ValueError, match=r"X has 4 columns, but codes .* have 3"):
        autoencoder.inverse_transform(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="X contains NaN"):
        autoencoder.inverse_transform(np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="n_samples=1"):
        make().fit(BYTES[:1])
    with pytest.raises(ValueError, match="n_samples=1"):
        make().fit(VECTORS[:1])
    with pytest.raises(ValueError, match="NaN"):
        make().fit(np.where(VECTORS > 150, np.nan, VECTORS))
    with pytest.raises(ValueError, match="needs images"):
        make(architecture="conv").fit(VECTORS)
    with pytest.raises(ValueError, match='loss="log_loss" needs X from 0 to 1'):
        make(loss="log_loss").fit(VECTORS)
    unit = make(loss="log_loss").fit(rng.uniform(size=(20, 8)))
    with pytest.raises(ValueError, match='loss="log_loss" needs X from 0 to 1'):
        unit.transform(np.full((1, 8), 2.0))
    with pytest.raises(ValueError, match="dim <= 2"):
        unit.transform(np.zeros((2, 4, 2)))
    with pytest.raises(ValueError, match="sample_weight_val was given without X_val"):
        make().fit(VECTORS, sample_weight_val=np.ones(3))


# ------------------------------------------------------------------------ as all estimators promise

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "denoising": {"noise_amount": 0.5},
    "sparse": {"sparsity": 0.1},
    "variational": {"variational": True},
    "bernoulli": {"variational": True, "loss": "log_loss"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_files_hold_all_that_is_needed(kind: str, tmp_path: Path) -> None:
    autoencoder = make(**KINDS[kind]).fit(BYTES)
    path = tmp_path / "autoencoder.sknn"
    sknn.save(autoencoder, path)
    loaded = sknn.load(path)
    codes = autoencoder.transform(BYTES)
    assert_array_equal(loaded.transform(BYTES), codes)
    assert_array_equal(loaded.inverse_transform(codes), autoencoder.inverse_transform(codes))
    assert_allclose(loaded.score(BYTES), autoencoder.score(BYTES))


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_fit_ends_as_one_that_was_not(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = KINDS[kind] | {"max_iter": 6, "early_stopping": True}
    whole = make(**parameters).fit(BYTES)
    folder = tmp_path / "checkpoint"
    autoencoder = make(**parameters, checkpoint=str(folder))
    epochs = iter(range(3))
    end_epoch = Loop.end_epoch

    def interrupt(self: Loop) -> None:
        end_epoch(self)
        if next(epochs, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "end_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            autoencoder.fit(BYTES)
    assert sknn.load(folder / "checkpoint.sknn").n_iter_ < 6
    resumed = make(**parameters, checkpoint=str(folder)).fit(BYTES)
    assert resumed.n_iter_ == 6
    assert_array_equal(resumed.transform(BYTES), whole.transform(BYTES))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fits_go_on_with_warm_start() -> None:
    autoencoder = make(warm_start=True, learning_rate="constant", max_iter=3, tol=0).fit(VECTORS)
    first = autoencoder.loss_
    autoencoder.fit(VECTORS)
    assert autoencoder.loss_ < first
    assert len(autoencoder.history_) == 6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_partial_fits_go_on_as_epochs_of_a_fit_do() -> None:
    whole = make(max_iter=3, shuffle=False, learning_rate="constant").fit(VECTORS)
    parts = make(shuffle=False)
    for _ in range(3):
        parts.partial_fit(VECTORS)
    assert_allclose(parts.transform(VECTORS), whole.transform(VECTORS), rtol=1e-10)
    assert len(parts.history_) == 3


def test_a_stream_is_seen_in_the_units_of_its_first_part() -> None:
    stream = make(learning_rate_init=0.02)
    for _ in range(30):
        for part in np.split(VECTORS, 3):
            stream.partial_fit(part)
    first = StandardScaler().fit(VECTORS[:30])
    location, scale = stream._format.location, stream._format.scale
    assert_allclose(location, first.mean_)
    assert_allclose(scale, first.scale_)
    assert stream.score(VECTORS) > 0.9
    codes = stream.transform(VECTORS[60:])  # the last part
    assert_allclose(codes.mean(0), 0, atol=1e-6)
    assert_allclose(codes.std(0), 1, rtol=1e-6)
    reconstructed = stream.inverse_transform(stream.transform(VECTORS))
    stream.partial_fit(VECTORS[:1])  # has no deviation
    assert np.abs(stream.transform(VECTORS)).max() < 10
    changed = stream.inverse_transform(stream.transform(VECTORS))
    assert 0 < np.abs((changed - reconstructed) / VECTORS.std(0)).max() < 1
    with pytest.raises(AttributeError, match="only available for stochastic solvers"):
        make(solver="lbfgs").partial_fit(VECTORS)
    with pytest.raises(ValueError, match="early_stopping=True"):
        make(early_stopping=True).partial_fit(VECTORS)


def test_a_pipeline_learns_from_codes() -> None:
    X, y = load_digits(return_X_y=True)
    pipeline = make_pipeline(
        Autoencoder(8, hidden_layer_sizes=64, max_iter=20, random_state=0), LogisticRegression()
    )
    assert pipeline.fit(X[:600], y[:600]).score(X[600:900], y[600:900]) > 0.8


def test_printed_lines_name_the_score(capsys: pytest.CaptureFixture[str]) -> None:
    make(verbose=True, max_iter=1).fit(VECTORS, X_val=VECTORS[:20])
    assert "R2" in capsys.readouterr().out


class Spy(Callback):
    """Keeps what callbacks get of the samples."""

    def on_epoch_begin(self, net: Any, **data: Any) -> None:
        self.data = data


@pytest.mark.parametrize(
    ("kind", "early_stopping"),
    [
        (Autoencoder, False),
        (Autoencoder, True),
        (AutoencoderOutlierDetector, True),
        (AdversarialGenerator, False),
    ],
)
def test_callbacks_get_samples_without_answers(kind: Any, early_stopping: bool) -> None:
    spy = Spy()
    held_out = {"early_stopping": True} if early_stopping else {}
    kind(max_iter=1, batch_size=8, callbacks=[spy], **held_out).fit(VECTORS)
    found = [each for each in spy.data.values() if each]
    assert sum(map(len, found)) == len(VECTORS)
    assert len(found) == 1 + early_stopping
    for each in found:
        row, answer = each[0]
        assert row in VECTORS and not np.asarray(answer).any()


@pytest.mark.parametrize("kind", [Autoencoder, AdversarialGenerator])
def test_numbers_whose_squares_overflow_are_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="so large that their squares overflow"):
        kind(max_iter=1, batch_size=8).fit(VECTORS * 1e200)


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_modules_that_take_other_inputs_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} does not take inputs of shape \\('n', "):
        make(**{name: nn.Linear(5, 3)}).fit(VECTORS)


@pytest.mark.parametrize(("precision", "size"), [("float32", 1e30), ("float64", 1e200)])
def test_scores_whose_squares_overflow_are_refused(precision: str, size: float) -> None:
    model = make(precision=precision).fit(VECTORS)
    with pytest.raises(ValueError, match="squared errors of X overflow"):
        model.score(VECTORS * size)


@pytest.mark.parametrize("size", [1e12, 1e200])
def test_samples_of_weight_zero_have_no_part_in_a_score(size: float) -> None:
    model = make().fit(VECTORS)
    counted = np.arange(len(VECTORS)) % 5 > 0  # not the first
    strange = np.where(counted[:, None], VECTORS, size)
    assert_allclose(model.score(strange, sample_weight=counted), model.score(VECTORS[counted]))
