import copy
import inspect
import re
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils._param_validation import InvalidParameterError
from torch import nn

from sknn import (
    AttentionClassifier,
    AttentionRegressor,
    ConvClassifier,
    ConvRegressor,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
    TabularClassifier,
    TabularRegressor,
)
from sknn.sequences import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
    StepClassifier,
    StepRegressor,
)
from sknn.testing import estimators_to_check
from tests.helpers import case_name, class_doc, supervised

PAIRS = [(NeuralClassifier, MLPClassifier), (NeuralRegressor, MLPRegressor)]
EVERY = [type(estimator) for estimator in estimators_to_check()]
ESTIMATORS = [type(estimator) for estimator in supervised()]
CONVOLUTIONAL = [ConvClassifier, ConvRegressor]
TABULAR = [TabularClassifier, TabularRegressor]
SERIES = [RecurrentClassifier, RecurrentRegressor, AttentionClassifier, AttentionRegressor]
SEQUENCES = [
    StepClassifier,
    StepRegressor,
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
]
# Those whose activation and dropout may be a sequence, with one value for each layer.
LAYERED = [estimator for estimator in ESTIMATORS if estimator not in SERIES]


def parameters(estimator: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(estimator).parameters)


def kinds(estimator: Any, kind: Any) -> list[str]:
    return [name for name, p in parameters(estimator).items() if p.kind is kind]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_positional_parameters_are_scikit_learns_in_its_order(ours: Any, theirs: Any) -> None:
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert kinds(theirs, positional)[:2] == kinds(ours, positional)[:2]
    expected = kinds(theirs, positional)
    # MLPRegressor's order begins with these three; the rest is keyword-only where theirs is too
    assert kinds(ours, positional) == expected[: len(kinds(ours, positional))]
    assert len(kinds(ours, positional)) == len(expected)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_parameter_of_scikit_learn_is_here_with_its_default(ours: Any, theirs: Any) -> None:
    for name, expected in parameters(theirs).items():
        assert parameters(ours)[name].default == expected.default
        assert type(parameters(ours)[name].default) is type(expected.default)


@pytest.mark.parametrize("estimator", EVERY)
def test_constructor_signature_is_honest(estimator: Any) -> None:
    assert list(parameters(estimator)) == list(
        dict.fromkeys([*parameters(estimator), *estimator().get_params()])
    )
    assert set(parameters(estimator)) == set(estimator().get_params())
    assert set(parameters(estimator)) == set(estimator._parameter_constraints)
    for name, value in estimator().get_params().items():
        assert value is parameters(estimator)[name].default


@pytest.mark.parametrize("estimator", EVERY)
def test_every_parameter_is_documented_with_its_default(estimator: Any) -> None:
    documented = {p.name: p for p in class_doc(estimator)["Parameters"]}
    assert list(documented) == list(parameters(estimator))
    for name, p in parameters(estimator).items():
        default = re.search(r"default=(.+)$", documented[name].type)
        assert default is not None, name
        assert eval(default[1]) == p.default, name
        assert len(" ".join(documented[name].desc)) > 20, name


@pytest.mark.parametrize("estimator", EVERY)
def test_no_placeholder_is_left_in_the_docstring(estimator: Any) -> None:
    assert "{parameters}" not in estimator.__doc__
    assert "{attributes}" not in estimator.__doc__


@pytest.mark.parametrize("estimator", EVERY)
def test_every_choice_of_a_string_parameter_is_documented(estimator: Any) -> None:
    documented = {p.name: p for p in class_doc(estimator)["Parameters"]}
    for name, constraints in estimator._parameter_constraints.items():
        text = documented[name].type + " ".join(documented[name].desc)
        for constraint in constraints:
            for option in getattr(constraint, "options", ()):
                if isinstance(option, str):
                    assert f'"{option}"' in text, (name, option)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", EVERY)
def test_every_documented_attribute_exists_after_fit(estimator: Any) -> None:
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = np.arange(20) % 3
    models = [estimator(max_iter=2).fit(X, y)]
    if estimator in TABULAR:  # an ensemble by default
        models.append(estimator(max_iter=2, n_estimators=1, validation_fraction=0.2).fit(X, y))
    documented = {p.name for p in class_doc(estimator)["Attributes"]}
    for name in documented - {"feature_names_in_", "estimators_"}:  # of some fits only
        assert any(hasattr(model, name) for model in models), name
    for model in models:
        public = {name for name in dir(model) if name.endswith("_") and not name.startswith("_")}
        assert public <= documented
    unfitted = estimator()
    for name in documented:
        assert not hasattr(unfitted, name), name


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clone_copies_parameters_that_are_not_defaults(estimator: Any) -> None:
    changed: dict[str, Any] = {
        "hidden_layer_sizes": [3, 4],
        "activation": ("relu", "tanh"),
        "solver": "sgd",
        "dropout": (0.1, 0.2),
        "random_state": np.random.RandomState(1),
    }
    model = estimator(**changed)
    cloned = clone(model)
    assert cloned is not model
    for name in ("hidden_layer_sizes", "activation", "solver", "dropout"):
        assert getattr(cloned, name) == changed[name]
    assert cloned.hidden_layer_sizes is not model.hidden_layer_sizes


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_set_params_sets_what_get_params_gives(estimator: Any) -> None:
    model = estimator()
    assert model.set_params(alpha=0.5, max_iter=7) is model
    assert (model.get_params()["alpha"], model.get_params()["max_iter"]) == (0.5, 7)
    with pytest.raises(ValueError, match="Invalid parameter 'layers'"):
        model.set_params(layers=3)


@pytest.mark.parametrize("estimator", EVERY)
def test_two_estimators_with_equal_parameters_are_not_equal(estimator: Any) -> None:
    """A dataclass would compare them by value and could not be hashed."""
    assert estimator() != estimator()
    assert len({estimator(), estimator()}) == 2


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_repr_shows_what_was_changed(estimator: Any) -> None:
    assert repr(estimator(alpha=0.5)) == f"{estimator.__name__}(alpha=0.5)"


BAD: dict[str, Any] = {
    "n_estimators": 0,
    "n_features": 0,
    "noise": -0.1,
    "hidden_layer_sizes": 0,
    "activation": "rellu",
    "solver": "adamm",
    "alpha": -1.0,
    "batch_size": 0,
    "learning_rate": "cosin",
    "learning_rate_init": 0.0,
    "power_t": -0.5,
    "max_iter": 0,
    "shuffle": "yes",
    "random_state": "seed",
    "tol": -1e-4,
    "verbose": -1,
    "warm_start": 3,
    "momentum": 1.5,
    "nesterovs_momentum": "no",
    "early_stopping": "no",
    "validation_fraction": 1.0,
    "beta_1": 1.0,
    "beta_2": -0.1,
    "epsilon": 0.0,
    "n_iter_no_change": 0,
    "max_fun": 0,
    "max_grad_norm": 0.0,
    "module": "resnet",
    "device": 3,
    "precision": "float8",
    "callbacks": "progress",
    "loss": "mean_squared",
    "label_smoothing": 1.0,
    "class_weight": "equal",
    "quantile": 1.0,
    "quantiles": 0.9,
    "dropout": 1.0,
    "normalization": "instance",
    "filters": 0,
    "kernel_size": 0,
    "stride": "two",
    "padding": "reflect",
    "pooling": "median",
    "pool_size": -2,
    "architecture": "vgg",
    "initialization": "xavier",
    "augment": "mirror",
    "test_time_augment": "rotate",
    "image_shape": 28,
    "data_format": "NHWC",
    "hidden_size": 0,
    "n_layers": 0,
    "embedding": "random",
    "freeze_embedding": "yes",
    "embedding_size": 0,
    "n_tokens": 0,
    "standardize": "yes",
    "cell": "qrnn",
    "bidirectional": "both",
    "n_heads": 0,
    "positional_encoding": "learned",
    "max_length": 0,
    "window": 0,
    "checkpoint": 1.5,
    "checkpoint_minutes": 0,
    "categorical_features": "from_names",
    "numerical_embedding": "cosine",
    "n_bins": 0,
    "scaling": "minmax",
    "frequency_scale": 0.0,
    "max_onehot": -1,
    "validation": "fold",
    "time_limit": 0.0,
    "calibration": "temperature",
    "hyperparameters": [("alpha", [0.1])],
    "latent_size": 0,
    "generator": 8,
    "discriminator": 8,
    "gradient_penalty": -1.0,
    "penalty_interval": 0,
    "discriminator_steps": 0,
    "average_decay": 1.0,
    "n_clusters": 0,
    "discriminator_learning_rate": 0.0,
    "n_components": 0,
    "decoder_layer_sizes": 0,
    "encoder": 8,
    "decoder": 8,
    "noise_amount": -0.1,
    "sparsity": -0.1,
    "variational": "yes",
    "beta": -0.1,
    "contamination": 0.6,
}
VALIDATED = [*EVERY, *SEQUENCES]


def test_every_parameter_has_a_bad_value_here() -> None:
    assert set(BAD) == set().union(*(parameters(estimator) for estimator in VALIDATED))


@pytest.mark.parametrize(
    ("estimator", "name"), [(each, name) for each in VALIDATED for name in parameters(each)]
)
def test_a_bad_value_is_refused_by_name_before_training(estimator: Any, name: str) -> None:
    """And before X and y are looked at, which some estimators of sequences could not take."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = estimator(**{name: BAD[name]})
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of"):
        model.fit(X, np.arange(20) % 3)
    assert not hasattr(model, "module_")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS[:5])
def test_a_batch_of_all_rows_is_that_of_their_number(estimator: Any) -> None:
    X = np.random.default_rng(0).normal(size=(500, 4))
    number, name = (
        estimator(batch_size=batch_size, max_iter=2, random_state=0).fit(X, np.arange(500) % 3)
        for batch_size in (500, "all")
    )
    assert number.loss_curve_ == name.loss_curve_
    with pytest.raises(InvalidParameterError, match="The 'batch_size' parameter"):
        estimator(batch_size="half").fit(X, np.arange(500) % 3)


# Two hidden layers, and for the convolutional pair two convolutions before them.
LAYERS: dict[str, Any] = {"hidden_layer_sizes": (5, 4)}
N_LAYERS = {
    estimator: "4 convolutions and hidden layers"
    if estimator in CONVOLUTIONAL
    else "2 hidden layers"
    for estimator in LAYERED
}


def refuses(estimator: Any, bad: dict[str, Any], message: str) -> None:
    X = np.random.default_rng(0).normal(size=(20, 4))
    own = {"filters": (3, 3)} if estimator in [*CONVOLUTIONAL, *SERIES] else {}
    with pytest.raises((ValueError, TypeError), match=message):
        estimator(**(LAYERS | own | bad)).fit(X, np.arange(20) % 3)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"hidden_layer_sizes": (5, -1)}, "hidden_layer_sizes must be > 0"),
        ({"hidden_layer_sizes": (5, 2.5)}, "hidden_layer_sizes must be a whole number"),
        ({"hidden_layer_sizes": "ab"}, "hidden_layer_sizes"),
        ({"activation": nn.ReLU()}, "activation"),
        ({"device": "nonsense"}, "device='nonsense'"),
        ({"module": lambda: 3}, "module returned int"),
    ],
    ids=case_name,
)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_bad_value_inside_is_refused_by_name(
    estimator: Any, bad: dict[str, Any], message: str
) -> None:
    refuses(estimator, bad, message)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"activation": ("relu", "tanh", "relu")}, "activation has 3 values for {layers}"),
        ({"dropout": (0.1,)}, "dropout has 1 values for {layers}"),
    ],
    ids=case_name,
)
@pytest.mark.parametrize("estimator", LAYERED)
def test_a_sequence_of_another_length_is_refused_by_name(
    estimator: Any, bad: dict[str, Any], message: str
) -> None:
    refuses(estimator, bad, message.format(layers=N_LAYERS[estimator]))


@pytest.mark.parametrize(
    "bad", [{"activation": ("relu", "tanh")}, {"dropout": (0.1, 0.2)}], ids=case_name
)
@pytest.mark.parametrize("estimator", SERIES)
def test_series_families_take_one_value_for_all_layers(estimator: Any, bad: dict[str, Any]) -> None:
    (name,) = bad
    refuses(estimator, bad, f"The '{name}' parameter")
    own = {"activation": nn.Tanh, "dropout": 0.5}[name]
    settings = {"hidden_size": 4, "hidden_layer_sizes": (5, 4), "max_iter": 1, name: own}
    model = estimator(**settings).fit(np.eye(6), np.arange(6) % 3)
    modules = list(model.module_.modules())
    if name == "activation":
        assert sum(isinstance(module, nn.Tanh) for module in modules) >= 3 + 2
        assert not any(isinstance(module, nn.ReLU | nn.GELU) for module in modules)
    else:
        assert {module.p for module in modules if isinstance(module, nn.Dropout)} == {0.5}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("activation", "rellu", "activation='rellu' is unknown"),
        ("activation", 3, "activation"),
        ("dropout", 1.0, r"dropout must be in \[0, 1\), got 1.0"),
        ("dropout", -0.2, "dropout"),
        ("dropout", "a", "dropout"),
    ],
)
@pytest.mark.parametrize("estimator", LAYERED)
def test_a_bad_value_of_the_last_layer_is_refused_by_name(
    estimator: Any, name: str, value: Any, message: str
) -> None:
    n_layers = int(N_LAYERS[estimator][0])
    good = {"activation": "relu", "dropout": 0.1}[name]
    refuses(estimator, {name: (*[good] * (n_layers - 1), value)}, message)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"filters": (3, 0)}, r"filters must be > 0, got \[3, 0\]"),
        ({"filters": (3, 2.5)}, r"filters must be a whole number .*got \(3, 2\.5\)"),
        ({"filters": ((3, 3), 3)}, "filters must be a whole number"),
        ({"kernel_size": (3, 0)}, "kernel_size must be > 0"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size has 3 values for 2 convolutions"),
        ({"kernel_size": (3, (3, 3, 3))}, r"kernel_size has \(3, 3, 3\) for a convolution"),
        ({"kernel_size": (3, (3,))}, r"kernel_size has \(3,\) for a convolution"),
        ({"kernel_size": (3, (3, 1.5))}, "kernel_size must be a whole number"),
        ({"kernel_size": (3, "3")}, "kernel_size"),
        ({"stride": (1,)}, "stride has 1 values for 2 convolutions"),
        ({"stride": (1, -1)}, "stride must be > 0"),
        ({"stride": (1, None)}, "stride"),
        ({"padding": ("same", "full")}, "padding has 'full'; use one of .* int of at least 0"),
        ({"padding": (1, -1)}, "padding has -1"),
        ({"padding": (1, 1.5)}, "padding has 1.5"),
        ({"padding": (1, None)}, "padding has None"),
        ({"padding": (1, (1, 1))}, "padding has"),
        ({"padding": ("same",)}, "padding has 1 values for 2 convolutions"),
        ({"pooling": ("max", "min")}, "pooling has 'min'; use one of"),
        ({"pooling": ("max", 2)}, "pooling has 2; use one of"),
        ({"pooling": (None, None, None)}, "pooling has 3 values for 2 convolutions"),
        ({"pool_size": (2, 0)}, "pool_size must be > 0"),
        ({"pool_size": (2, (2, 2), 2)}, "pool_size has 3 values for 2 convolutions"),
        ({"augment": ["flip", "mirror"]}, "augment='mirror' is unknown"),
        ({"augment": {"flip": 2}}, r"augment=\{'flip': 2\}: the strength"),
        ({"augment": ("flip", 3)}, "augment=3 is neither a name nor callable"),
        ({"image_shape": (3, 1)}, r"image_shape=\(3, 1\) needs 3\*1 = 3"),
        ({"image_shape": (4,)}, "image_shape"),
        ({"image_shape": (4, 1.0)}, "image_shape"),
        ({"image_shape": "44"}, "image_shape"),
    ],
    ids=case_name,
)
@pytest.mark.parametrize("estimator", CONVOLUTIONAL)
def test_a_bad_value_of_a_convolution_is_refused_by_name(
    estimator: Any, bad: dict[str, Any], message: str
) -> None:
    if "augment" in bad:
        pytest.importorskip("kornia")
    refuses(estimator, bad, message)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"filters": (3, 0)}, r"filters must be > 0, got \[3, 0\]"),
        ({"filters": (3, 2.5)}, r"filters must be a whole number .*got \(3, 2\.5\)"),
        ({"filters": ((3, 3), 3)}, "filters must be a whole number"),
        ({"filters": "none"}, "The 'filters' parameter"),
        ({"kernel_size": (3, 0)}, "kernel_size must be > 0"),
        ({"kernel_size": (3, (3, 1))}, "kernel_size must be a whole number"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size has 3 values for 2 convolutions"),
        ({"kernel_size": (3, "3")}, "kernel_size must be a whole number"),
        ({"kernel_size": None}, "The 'kernel_size' parameter"),
        ({"stride": (1,)}, "stride has 1 values for 2 convolutions"),
        ({"stride": (1, -1)}, "stride must be > 0"),
        ({"stride": (1, None)}, "stride must be a whole number"),
    ],
    ids=case_name,
)
@pytest.mark.parametrize("estimator", SERIES)
def test_a_bad_value_of_a_stem_is_refused_by_name(
    estimator: Any, bad: dict[str, Any], message: str
) -> None:
    refuses(estimator, bad, message)


def test_copies_of_an_estimator_share_nothing() -> None:
    model = NeuralClassifier(hidden_layer_sizes=[4])
    copied = copy.deepcopy(model)
    copied.hidden_layer_sizes.append(5)  # type: ignore[union-attr]
    assert model.hidden_layer_sizes == [4]


def test_a_subclass_has_parameters_of_its_own() -> None:
    class Wider(NeuralClassifier):
        def __init__(self, width: int = 3, *, alpha: float = 0.1) -> None:
            super().__init__((width,), alpha=alpha)
            self.width = width

    for _ in range(2):
        assert list(NeuralClassifier().get_params()) == sorted(parameters(NeuralClassifier))
        assert Wider(5).get_params() == {"alpha": 0.1, "width": 5}
        assert clone(Wider(5)).width == 5
