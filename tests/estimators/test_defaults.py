"""A fit has its own types and device, whatever the program has set for torch."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import Tensor, nn

import sknn
from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor
from sknn.generative import AdversarialGenerator
from sknn.nn import own_defaults
from tests.helpers import run_python
from tests.random_fits import (
    FITS,
    SHORT,
    DrawnSlope,
    Dropping,
    GradientNoise,
    Langevin,
    X,
    add_noise,
    answers,
    image_labels,
    images,
    labels,
    noisy_loss,
    series,
    weights,
    y,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@contextmanager
def default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


SETTINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "meta": partial(default_device, "meta"),
    "with meta": lambda: torch.device("meta"),
    "bfloat16": partial(default_dtype, torch.bfloat16),
    "float16": partial(default_dtype, torch.float16),
    "float64": partial(default_dtype, torch.float64),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "inference mode": torch.inference_mode,
    "no grad": torch.no_grad,
}

MORE: dict[str, Callable[[], Any]] = {
    "plain": lambda: NeuralClassifier((8,), **SHORT).fit(X, labels),
    "mixed precision": lambda: NeuralClassifier(
        (8,), activation="gelu", precision="bfloat16", **SHORT
    ).fit(X, labels),
    "pixels": lambda: ConvClassifier(filters=(4,), **SHORT).fit(
        (40 * images + 128).clip(0, 255).astype(np.uint8), image_labels
    ),
    "flips": lambda: ConvClassifier(
        filters=(4,), test_time_augment="flip", normalization="batch", **SHORT
    ).fit(images, image_labels),
    "resnet": lambda: ConvClassifier(filters=(4,), architecture="resnet", **SHORT).fit(
        images, image_labels
    ),
}
INPUTS: dict[str, Any] = dict.fromkeys(FITS, X) | {
    "augmented": images,
    "function": images,
    "recurrent": series,
    "attention": series,
    "encoder-decoder": series,
    "generator": answers,
    "variational": images,
}
INPUTS |= {"plain": X, "mixed precision": X, "pixels": images, "flips": images, "resnet": images}
INPUTS["pixels"] = (40 * images + 128).clip(0, 255).astype(np.uint8)
USERS = {"module", "module, lbfgs", "activation", "loss", "solver"}


def answers_of(model: Any, inputs: Any) -> Any:
    if isinstance(model, AdversarialGenerator):
        samples = model.sample(3, random_state=0)
        return [*model.discriminate(inputs, labels), *samples.ravel()]
    if hasattr(model, "transform"):
        codes = model.transform(inputs)
        return codes, model.inverse_transform(codes)
    if hasattr(model, "sample"):
        return [model.score(inputs), *model.sample(3, max_length=9, random_state=0)]
    answer = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    return list(answer(inputs))


@contextmanager
def all_at_once() -> Iterator[None]:
    with ExitStack() as stack:
        for setting in ("meta", "bfloat16", "autocast", "inference mode"):
            stack.enter_context(SETTINGS[setting]())
        yield


SETTINGS["all at once"] = all_at_once


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(name, marks=[] if name == "all at once" else pytest.mark.slow)
        for name in SETTINGS
    ],
)
@pytest.mark.parametrize("name", [*FITS, *MORE])
def test_fit_and_predict(name: str, setting: str, tmp_path: Path) -> None:
    fit = (FITS | MORE)[name]
    expected = fit()
    expected_answers = answers_of(expected, INPUTS[name])
    if setting == "float64" and name in USERS:
        pytest.skip("modules of the user's are made in float64, as the program wants it")
    with SETTINGS[setting]():
        model = fit()
        found_answers = answers_of(model, INPUTS[name])
        sknn.save(model, tmp_path / "model.sknn")
        trusted = [Dropping, DrawnSlope, Langevin, GradientNoise, add_noise, noisy_loss]
        copies = [
            pickle.loads(pickle.dumps(model)),
            sknn.load(tmp_path / "model.sknn", trusted=trusted),
        ]
        copied_answers = [answers_of(each, INPUTS[name]) for each in copies]
    assert_array_equal(weights(model), weights(expected))
    for tensor in (*model.module_.parameters(), *model.module_.buffers()):
        assert tensor.device.type == "cpu"
        assert tensor.dtype in (torch.float32, torch.float64, torch.int64)
        assert not tensor.is_inference()
    for found in (found_answers, *copied_answers):
        for one, other in zip(found, expected_answers, strict=True):
            assert_array_equal(one, other)


def test_the_settings_stay() -> None:
    with default_device("meta"), torch.autocast("cpu"):
        NeuralClassifier((4,), max_iter=2).fit(X, labels)
        assert torch.empty(0).device.type == "meta"
        assert torch.is_autocast_enabled("cpu")
    with default_dtype(torch.bfloat16):
        NeuralClassifier((4,), max_iter=2).fit(X, labels)
        assert torch.get_default_dtype() == torch.bfloat16


def test_partial_fit_goes_on_under_other_settings() -> None:
    models = [NeuralClassifier((4,), dropout=0.2, random_state=0) for _ in range(2)]
    for model in models:
        model.partial_fit(X, labels, classes=[0, 1])
    with default_device("meta"), torch.inference_mode():
        models[0].partial_fit(X, labels)
    models[1].partial_fit(X, labels)
    assert_array_equal(*map(weights, models))


def test_modules_of_the_user_are_made_in_float64_where_that_is_the_default() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(0.1))

        def forward(self, X: Tensor) -> Tensor:
            return self.scale * X[:, :1]

    def scale() -> float:
        model = NeuralRegressor(module=Constant, learning_rate_init=1e-300, max_iter=1)
        return model.fit(X, y).module_.scale.item()

    assert scale() == np.float32(0.1)
    with default_dtype(torch.float64):
        assert scale() == 0.1
    with default_dtype(torch.bfloat16):
        assert scale() == np.float32(0.1)


def test_own_defaults_cost_nothing_where_nothing_is_set() -> None:
    with own_defaults():
        assert not torch.overrides._get_current_function_mode_stack()


def test_tensors_that_others_make() -> None:
    with default_dtype(torch.bfloat16), own_defaults():
        floats = [
            torch.zeros(2),
            torch.tensor([1.0, 2]),
            torch.tensor(0.5),
            torch.full((2,), 0.5),
            torch.arange(0.0, 1, 0.5),
            torch.linspace(0, 1, 3),
            torch.rand(2, dtype=None),
        ]
        assert {each.dtype for each in floats} == {torch.float32}
        assert torch.tensor([1, 2]).dtype == torch.int64
        assert torch.arange(3).dtype == torch.int64
        assert torch.tensor(np.zeros(2)).dtype == torch.float64
        assert torch.zeros(2, dtype=torch.float16).dtype == torch.float16


PROGRAM = """
import numpy as np
from sknn import *
X = np.random.default_rng(0).normal(size=(30, 4))
model = NeuralClassifier((4,), learning_rate="cosine", max_iter=3, early_stopping=True)
model.fit(X, X[:, 0] > 0).predict(X)
repr(model), model.get_params()
assert False, "assertions are off"
"""


def test_python_without_docstrings() -> None:
    run_python(PROGRAM, flags=["-OO"])


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_all_modules_without_docstrings_and_assertions(flag: str) -> None:
    program = """
import pkgutil, warnings
import sknn
for module in pkgutil.walk_packages(sknn.__path__, "sknn."):
    __import__(module.name)
warnings.simplefilter("ignore")
images = np.random.default_rng(0).random((12, 8, 8))
ConvClassifier(max_iter=2).fit(images, np.arange(12) % 2)
RecurrentRegressor(max_iter=2).fit(np.ones((12, 5, 1)), np.arange(12.))
"""
    run_python(PROGRAM + program, flags=[flag])
