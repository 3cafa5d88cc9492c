import html
import sys
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from sknn import (
    AttentionClassifier,
    AttentionRegressor,
    ConvClassifier,
    NeuralClassifier,
    RecurrentClassifier,
    RecurrentRegressor,
    TabularClassifier,
)
from sknn.generative import AdversarialGenerator
from sknn.inspection import LayerSummary, summary

from .conftest import fit, make_images

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 4)), np.arange(40) % 2


def dense(**parameters: object) -> NeuralClassifier:
    return NeuralClassifier((8, 5), learning_rate="cosine").set_params(**parameters)


def test_the_network_of_the_cifar_tutorials() -> None:
    # tensorflow.org/tutorials/images/cnn: 122,570 parameters, and these rows
    classifier = ConvClassifier(
        filters=(32, 64, 64),
        padding="valid",
        pooling=("max", "max", None),
        hidden_layer_sizes=(64,),
        normalization=None,
    )
    table = summary(fit(classifier, make_images(20, 32, 32, 3), np.arange(20) % 10))
    assert table.n_parameters == table.n_trainable == 122_570
    rows = {row.name: (row.output_shape, row.n_parameters) for row in table.layers}
    assert rows["conv1"] == ((None, 32, 30, 30), 896)
    assert rows["pool1"] == ((None, 32, 15, 15), 0)
    assert rows["conv2"] == ((None, 64, 13, 13), 18_496)
    assert rows["conv3"] == ((None, 64, 4, 4), 36_928)
    assert rows["flatten"] == ((None, 1024), 0)
    assert rows["dense1"] == ((None, 64), 65_600)
    assert rows["output"] == ((None, 10), 650)
    text = str(table)
    assert "conv2 (Conv2d)" in text and "(None, 64, 13, 13)" in text and "18,496" in text
    assert text.endswith(
        "Total params: 122,570\nTrainable params: 122,570\nNon-trainable params: 0"
    )


def test_dense() -> None:
    classifier = fit(dense(), X, Y)
    table = summary(classifier)
    sizes = [row.n_parameters for row in table.layers if row.n_parameters]
    assert sizes == [4 * 8 + 8, 8 * 5 + 5, 5 + 1]
    assert table.layers[0] == LayerSummary("0", "Linear", (None, 8), 40, 40)
    assert table.layers[-1].output_shape == (None, 1)
    assert table.n_trainable == classifier.n_parameters_ == sum(sizes)
    assert str(table).startswith("NeuralClassifier: DenseNetwork\n")


def test_pipeline() -> None:
    pipeline = make_pipeline(StandardScaler(), dense(max_iter=1)).fit(X, Y)
    assert summary(pipeline) == summary(pipeline[-1])


def test_batch_normalization_counts_as_in_keras() -> None:
    # four numbers a feature, of which the mean and the variance are not trained
    classifier = fit(dense(normalization="batch"), X, Y)
    table = summary(classifier)
    norms = [row for row in table.layers if row.kind == "BatchNorm1d"]
    assert [(row.n_parameters, row.n_trainable) for row in norms] == [(32, 16), (20, 10)]
    assert table.n_non_trainable == 16 + 10
    assert table.n_trainable == classifier.n_parameters_


@pytest.mark.parametrize("architecture", ["plain", "resnet", "airbench"])
def test_agrees_with_the_estimator(architecture: str, labels: np.ndarray) -> None:
    classifier = ConvClassifier(architecture=architecture, filters=(4, 6), device="cpu")
    classifier = fit(classifier, make_images(30, 8, 8), labels)
    table = summary(classifier)
    assert table.n_trainable == classifier.n_parameters_
    assert table.n_trainable == sum(row.n_trainable for row in table.layers)
    assert not classifier.module_.training
    # 8 whitening filters of 2x2, which are computed; and two numbers a normalized channel
    frozen = {
        "plain": 2 * (4 + 6),
        "resnet": 2 * (4 * 5 + 6 * 5),
        "airbench": 8 * 4 + 2 * 2 * (4 + 6),
    }
    assert table.n_non_trainable == frozen[architecture]


class Odd(nn.Module):
    """Shares a layer, has one that returns a tuple, and has frozen weights and some of its own."""

    def __init__(self, n_features_in: int, n_outputs: int) -> None:
        super().__init__()
        self.inner = nn.Linear(n_features_in, n_features_in)
        self.inner.bias.requires_grad_(False)
        self.recurrent = nn.LSTM(n_features_in, 2)
        self.scale = nn.Parameter(torch.ones(3))
        self.last = nn.Linear(n_features_in, n_outputs)

    def forward(self, X: Tensor) -> Tensor:
        self.recurrent(X)
        return self.last(self.inner(self.inner(X))) * self.scale.mean()


def test_modules_of_users() -> None:
    classifier = fit(dense(module=Odd), X, Y)
    table = summary(classifier)
    names = [row.name for row in table.layers]
    assert names == ["recurrent", "inner", "inner", "last", "(other parameters)"]
    # the shared layer counts once; an LSTM has 4 gates of inputs, states and two biases
    n_recurrent = 4 * 2 * (4 + 2 + 2)
    assert [row.n_parameters for row in table.layers] == [n_recurrent, 20, 0, 5, 3]
    assert [row.n_trainable for row in table.layers] == [n_recurrent, 16, 0, 5, 3]
    assert table.n_trainable == classifier.n_parameters_
    assert table.n_non_trainable == 4
    assert table.layers[-1].output_shape is None
    assert "(other parameters)" in str(table)


LENGTHS = RNG.integers(3, 12, 40)
SERIES: dict[str, Any] = {
    "rows": RNG.normal(size=(40, 11)),
    "channels": RNG.normal(size=(40, 11, 2)),
    "ragged": [RNG.normal(size=(n, 2)) for n in [*LENGTHS[:-1], 11]],
    "tokens": RNG.integers(0, 7, size=(40, 11)),
    "ragged tokens": [np.arange(n) % 7 for n in [*LENGTHS[:-1], 11]],
}


@pytest.mark.parametrize("form", SERIES)
@pytest.mark.parametrize(
    "estimator", [RecurrentClassifier, RecurrentRegressor, AttentionClassifier, AttentionRegressor]
)
def test_series(estimator: Any, form: str) -> None:
    is_text = "tokens" in form
    model = estimator(hidden_size=8, embedding_size=5 if is_text else None, filters=(6,), stride=2)
    table = summary(fit(model, SERIES[form], Y))
    assert table.n_trainable == model.n_parameters_
    rows = {row.name: row for row in table.layers}
    assert "(other parameters)" not in rows
    channels = 5 if is_text else 1 if form == "rows" else 2
    # 11 steps are the longest; every second of them is left
    assert rows["input"].output_shape == (None, 11, channels)
    assert rows["input"].n_parameters == (7 * 5 if is_text else 2 * channels)
    assert rows["input"].n_trainable == (7 * 5 if is_text else 0)
    assert rows["stem.0.conv"].n_parameters == 6 * channels * 7
    assert rows["stem.0.conv"].output_shape == (None, 6, 1, 6)
    if estimator in (RecurrentClassifier, RecurrentRegressor):
        row = rows["encoder.backward_layers.0"]
        assert (row.kind, row.output_shape) == ("GRU", (None, 6, 8))
        assert row.n_parameters == 3 * 8 * (6 + 8 + 2)
    else:
        assert rows["encoder.blocks.1.dense1"].output_shape == (None, 6, 4 * 8)
        assert rows["encoder.norm"].output_shape == (None, 6, 8)
    assert rows["head.output"].output_shape == (None, 1)


def test_modules_without_children() -> None:
    classifier = fit(dense(module=nn.Linear(4, 1)), X, Y)
    (row,) = summary(classifier).layers
    assert row == LayerSummary("(network)", "Linear", (None, 1), 5, 5)


def test_html() -> None:
    text = summary(fit(dense(), X, Y))._repr_html_()
    assert "<td>0 (Linear)</td><td>(None, 8)</td><td>40</td>" in text
    assert "Total params: 91" in html.unescape(text)


def test_a_script_sees_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    classifier = fit(dense(), X, Y)
    assert not hasattr(sys, "ps1")  # no prompt: a script
    table = summary(classifier)
    assert capsys.readouterr().out == f"{table}\n"
    assert summary(classifier, show=False) == table
    assert capsys.readouterr().out == ""


def test_an_interactive_session_sees_it_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = fit(dense(), X, Y)
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    table = summary(classifier)  # whose repr is shown
    assert capsys.readouterr().out == ""
    summary(classifier, show=True)
    assert capsys.readouterr().out == f"{table}\n"


def test_show_is_checked() -> None:
    with pytest.raises(ValueError, match="'show' parameter of summary must be"):
        summary(fit(dense(), X, Y), show="never")


@pytest.mark.parametrize("labels", [None, Y])
def test_both_networks_of_a_generator(labels: Any) -> None:
    n_classes = 0 if labels is None else 2
    networks = {"generator": (6,), "discriminator": [nn.Linear(4 + n_classes, 1)]}
    gan = AdversarialGenerator(latent_size=3, max_iter=1, random_state=0, **networks).fit(X, labels)
    found = summary(gan, show=False)
    module = gan.module_
    names = {name for name, layer in module.named_modules() if not any(layer.children())}
    listed = [layer.name for layer in found.layers[:-1]]
    assert set(listed) == {name for name in names if not name.startswith("average")}
    assert [layer.n_parameters for layer in found.layers if layer.name == listed[-1]] == [
        4 + n_classes + 1
    ]
    rest = found.layers[-1]  # statistics of batch normalization count as parameters do
    weights = [*module.average.parameters(), *module.average.buffers()]
    averaged = sum(each.numel() for each in weights if each.is_floating_point())
    assert rest.name == "(other parameters)"
    assert rest.n_parameters >= averaged
    assert rest.n_trainable == 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_of_tables() -> None:
    table = np.c_[RNG.normal(size=(40, 2)), np.arange(40) % 20]
    model = TabularClassifier(
        hidden_layer_sizes=(5,),
        categorical_features=[2],
        numerical_embedding="periodic",
        embedding_size=7,
        n_estimators=1,
        max_iter=2,
    ).fit(table, Y)
    found = summary(model, show=False)
    encoder, first = found.layers[:2]
    # 2 scaled numbers, 3 periodic embeddings each, 7 numbers for a level
    assert (encoder.kind, encoder.output_shape) == ("FeatureEncoder", (None, 2 + 2 * 3 + 7))
    # 16 frequencies, phases and 3 projections of each, 3 shifts; 20 levels, missing and unknown
    assert encoder.n_trainable == 2 * (16 + 16 + 3 * 16 + 3) + 22 * 7
    assert first.n_parameters == 15 * 5 + 5
    assert found.n_trainable == model.n_parameters_
