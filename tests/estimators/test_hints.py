"""Errors that a stranger can act on: what was meant, which class, which input, which output."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.base import clone, is_classifier
from sklearn.utils._param_validation import InvalidParameterError
from torch import nn

from sknn import (
    AttentionClassifier,
    ConvClassifier,
    NeuralClassifier,
    NeuralRegressor,
    RecurrentClassifier,
)
from sknn._hints import KEYWORDS, VALUES
from sknn.estimators import _fit, fit_together
from sknn.estimators._together import FitTask
from sknn.forecasting import RecursiveForecaster
from sknn.nn import ACTIVATIONS, CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from sknn.sequences import EncoderDecoderClassifier, SequenceGenerator, StepClassifier
from sknn.text import WordEmbedding
from tests.helpers import supervised

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 9))
y = np.arange(24) % 2
y_three = np.arange(24) % 3
EVERY = supervised()
each_estimator = pytest.mark.parametrize("estimator", EVERY, ids=lambda each: type(each).__name__)


# ---------------------------------------------------------------------------- what was meant


@pytest.mark.parametrize(
    ("cls", "name", "value", "meant"),
    [
        (NeuralClassifier, "loss", "cross_entropy", "log_loss"),
        (NeuralClassifier, "loss", "LogLoss", "log_loss"),
        (NeuralRegressor, "loss", "MSE", "squared_error"),
        (NeuralRegressor, "loss", "absolute_eror", "absolute_error"),
        (NeuralClassifier, "activation", "sigmoid", "logistic"),
        (NeuralClassifier, "activation", "ReLU", "relu"),
        (ConvClassifier, "activation", "linear", "identity"),
        (NeuralClassifier, "solver", "AdamW", "adamw"),
        (RecurrentClassifier, "solver", "L-BFGS", "lbfgs"),
        (AttentionClassifier, "learning_rate", "OneCycle", "one_cycle"),
        (ConvClassifier, "normalization", "batch_norm", "batch"),
        (ConvClassifier, "initialization", "kaiming", "he"),
        (ConvClassifier, "data_format", "NCHW", "channels_first"),
        (RecurrentClassifier, "cell", "LSTM", "lstm"),
        (NeuralClassifier, "precision", "bf16", "bfloat16"),
        (RecursiveForecaster, "scale", "windows", "window"),
    ],
)
def test_values_are_put_right(cls: Any, name: str, value: str, meant: str) -> None:
    with pytest.raises(
        InvalidParameterError, match=f"Got {value!r} instead. Did you mean '{meant}'"
    ):
        cls(**{name: value}).fit(X, y)


def test_activations_of_a_sequence_are_put_right() -> None:
    with pytest.raises(ValueError, match="Did you mean 'logistic'"):
        NeuralClassifier((3, 3), activation=("relu", "sigmoid")).fit(X, y)
    with pytest.raises(ValueError, match="Pass the class, Tanh"):
        NeuralClassifier(activation=nn.Tanh()).fit(X, y)


def test_values_that_are_like_none_have_no_hint() -> None:
    with pytest.raises(InvalidParameterError) as caught:
        NeuralClassifier(loss="zebra").fit(X, y)
    assert "Did you mean" not in str(caught.value)


def test_every_name_that_is_meant_exists() -> None:
    names = {*CLASSIFICATION_LOSSES, *REGRESSION_LOSSES, *ACTIVATIONS}
    models = [*EVERY, RecursiveForecaster(), WordEmbedding()]
    constraints = [each for model in models for each in model._parameter_constraints.values()]
    for options in constraints:
        names |= {name for each in options for name in getattr(each, "options", ())}
    assert set(VALUES) <= names | {"flip", "rotate", "erase"}
    known = {name for model in EVERY for name in inspect.signature(type(model)).parameters}
    known |= set(inspect.signature(NeuralClassifier.fit).parameters)
    known |= set(inspect.signature(RecursiveForecaster).parameters)
    known |= set(inspect.signature(RecursiveForecaster.predict).parameters)
    known |= set(inspect.signature(WordEmbedding).parameters)
    assert set(KEYWORDS) <= known


@each_estimator
@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("epochs", "max_iter"),
        ("lr", "learning_rate_init"),
        ("optimizer", "solver"),
        ("random_sate", "random_state"),
        ("weight_decay", "alpha"),
    ],
)
def test_parameters_are_put_right(estimator: Any, word: str, meant: str) -> None:
    cls = type(estimator)
    with pytest.raises(TypeError) as caught:
        cls(**{word: 1})
    assert str(caught.value) == (
        f"{cls.__name__}() got an unexpected keyword argument {word!r}. Did you mean {meant!r}?"
    )


@each_estimator
def test_arguments_of_fit_are_put_right(estimator: Any) -> None:
    name = type(estimator).__name__
    for word, hint in (
        ("validation_data", "Validation data are the arguments X_val and y_val."),
        ("eval_set", "Validation data are the arguments X_val and y_val."),
        ("sample_weights", "Did you mean 'sample_weight'?"),
        ("x_val", "Did you mean 'X_val'?"),
        ("epochs", f"max_iter is a parameter of the class: {name}(max_iter=...)."),
        ("batch_size", f"batch_size is a parameter of the class: {name}(batch_size=...)."),
        ("zebra", ""),
    ):
        with pytest.raises(TypeError) as caught:
            estimator.fit(X, y, **{word: None})
        expected = f"{name}.fit() got an unexpected keyword argument {word!r}. {hint}".strip()
        assert str(caught.value) == expected


@pytest.mark.parametrize(
    "cls",
    [
        *(type(each) for each in EVERY),
        StepClassifier,
        EncoderDecoderClassifier,
        RecursiveForecaster,
    ],
)
def test_errors_of_calls_name_the_class_that_was_called(cls: Any) -> None:
    class Mine(cls):  # type: ignore[misc]
        pass

    for called in (cls, Mine):
        model = called()
        for call in (model.fit, model.predict, model.score):
            with pytest.raises(TypeError, match=rf"^{called.__name__}\.\w+\(\) is missing"):
                call()
        with pytest.raises(TypeError, match=rf"^{called.__name__}\(\) got an unexpected"):
            called(zebra=1)
        with pytest.raises(
            TypeError, match=rf"^{called.__name__}\(\) got too many positional .* by name"
        ):
            called(1, 2, 3, 4)


def test_a_type_error_from_within_stays_as_it_is() -> None:
    class Broken(nn.Linear):
        def forward(self, X: Any) -> Any:
            raise TypeError("of the user's own")

    with pytest.raises(TypeError, match="^of the user's own$"):
        NeuralClassifier(module=Broken(9, 1)).fit(X, y)


def test_the_first_parameter_of_a_regressor_is_its_loss() -> None:
    with pytest.raises(
        InvalidParameterError, match=r"pass hidden_layer_sizes=\(100,\) by its name"
    ):
        NeuralRegressor((100,)).fit(X, y)


def test_classes_and_instances_are_told_apart() -> None:
    with pytest.raises(InvalidParameterError, match=r"class CrossEntropyLoss; an instance is need"):
        NeuralClassifier(loss=nn.CrossEntropyLoss).fit(X, y)
    solver = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(InvalidParameterError, match=r"Pass the class, solver=torch\.optim\.SGD"):
        NeuralClassifier(solver=solver).fit(X, y)


def test_keywords_of_a_user_never_reach_what_is_private() -> None:
    model = NeuralClassifier((4,), max_iter=2)
    for name in ("incremental", "validation"):
        tasks = [FitTask(clone(model), X, y, {name: True}) for _ in range(2)]
        fit_together(tasks)
        for task in tasks:
            assert isinstance(task.error, TypeError)
            assert f"NeuralClassifier.fit() got an unexpected keyword argument '{name}'" in str(
                task.error
            )


# -------------------------------------------------------------------------------- what is no array


@pytest.mark.parametrize("name", ["X", "y", "X_val"])
@each_estimator
def test_what_is_no_array_is_refused_by_kind(estimator: Any, name: str) -> None:
    arguments = {"X": X, "y": y, "X_val": X, "y_val": y}
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X)))
    for value, kind in (
        ((row for row in X), "generator, which can be read only once"),
        (iter([1, 2]), "list_iterator, which can be read only once"),
        ({"a": X[:, 0]}, "a dict"),
        (loader, "a DataLoader"),
        (loader.dataset, "a TensorDataset"),
        ("data.csv", "'data.csv'"),
        (Path("data.csv"), "'data.csv'"),
    ):
        with pytest.raises(TypeError, match=f"{name} is {kind}|{name} is a {kind}"):
            clone(estimator).fit(**arguments | {name: value})


@each_estimator
def test_names_of_files_are_no_images(estimator: Any) -> None:
    names = ["a.png", "b.JPG"] * 12
    for value in (names, np.array(names), np.array(names, object)):
        with pytest.raises(TypeError, match=r"X holds names of files, such as 'a\.png'"):
            clone(estimator).fit(value, y)


@each_estimator
def test_tensors_are_arrays_with_and_without_gradients(estimator: Any) -> None:
    target = y if is_classifier(estimator) else X[:, 0]
    model = clone(estimator).set_params(max_iter=1, random_state=0)
    expected = clone(model).fit(X, target).predict(X)
    for requires_grad in (False, True):
        tensor = torch.tensor(X, requires_grad=requires_grad)
        targets = torch.tensor(target)
        if targets.is_floating_point():
            targets.requires_grad_(requires_grad)
        assert_array_equal(clone(model).fit(tensor, targets).predict(tensor), expected)
        assert_array_equal(clone(model).fit(list(tensor), list(target)).predict(X), expected)
    assert clone(model).fit(tensor.bfloat16(), targets).predict(tensor.bfloat16()).shape == (24,)


def test_series_are_tensors_too() -> None:
    series = np.random.default_rng(0).normal(size=(12, 5, 2))
    tensor = torch.tensor(series, requires_grad=True)
    labels = np.arange(60).reshape(12, 5) % 2
    model = StepClassifier(max_iter=1, random_state=0)
    expected = clone(model).fit(series, labels)
    fitted = clone(model).fit(tensor, torch.tensor(labels))
    for X_given, y_given in ((series, labels), (tensor, torch.tensor(labels))):
        assert_array_equal(fitted.predict(X_given), expected.predict(series))
        assert fitted.score(X_given, y_given) == expected.score(series, labels)
    translator = EncoderDecoderClassifier(max_iter=1, random_state=0)
    translator.fit(series, [["a", "b"], ["b"]] * 6)
    answers = [list(each) for each in translator.predict(series)]
    assert [list(each) for each in translator.predict(tensor)] == answers
    with pytest.raises(TypeError, match="read the file first"):
        translator.predict("series.npy")


def test_sequences_of_tokens_are_tensors_too() -> None:
    tokens = np.random.default_rng(0).integers(5, size=(6, 20))
    model = SequenceGenerator(max_iter=1, random_state=0)
    expected = clone(model).fit(tokens).score(tokens)
    fitted = clone(model).fit(torch.tensor(tokens))
    assert fitted.score(torch.tensor(tokens)) == expected
    assert fitted.score(list(torch.tensor(tokens))) == expected


def test_tables_and_sparse_matrices_are_still_arrays() -> None:
    model = NeuralClassifier((3,), max_iter=1, random_state=0)
    expected = clone(model).fit(X, y).predict_proba(X)
    assert_allclose(clone(model).fit(X.tolist(), y.tolist()).predict_proba(X), expected)
    for make in (sparse.dok_array, sparse.csr_matrix, sparse.coo_array):
        assert_allclose(clone(model).fit(make(X), y).predict_proba(X), expected)
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X, columns=[f"x{i}" for i in range(9)])
    assert_allclose(clone(model).fit(table, pd.Series(y)).predict_proba(table), expected)


class Follows:
    """A callback of scikit-learn's."""

    def setup(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_begin(self, *args: Any, **kwargs: Any) -> None: ...

    def on_fit_task_end(self, *args: Any, **kwargs: Any) -> None: ...

    def teardown(self, estimator: Any, context: Any) -> None: ...


@each_estimator
def test_what_is_no_callback_is_refused(estimator: Any) -> None:
    for callback, message in (
        (lambda net: None, r"callbacks\[0\] is .*of class function; an instance of skorch"),
        (("name", len), r"callbacks\[0\] is .*builtin_function"),
        (Follows(), r"scikit-learn's Follows, which is set with set_callbacks"),
    ):
        with pytest.raises(TypeError, match=message):
            clone(estimator).set_params(callbacks=[callback]).fit(X, y)


# ------------------------------------------------------------------------------- modules and losses


class Own(nn.Module):
    def __init__(self, n_outputs: int, kind: str, factor: int = 1) -> None:
        super().__init__()
        self.linear = nn.Linear(9, factor * n_outputs)
        self.kind = kind
        if kind == "sigmoid":
            self.last = nn.Sigmoid()

    def forward(self, X: torch.Tensor) -> Any:
        z = self.linear(X.flatten(1) if X.ndim > 2 else X)
        kinds = {"tuple": lambda: (z, z), "dict": lambda: {"logits": z}, "logits": lambda: z}
        kinds |= {"softmax": lambda: torch.softmax(z, 1), "sigmoid": lambda: self.last(z)}
        return kinds[self.kind]()


def own(kind: str, factor: int = 1) -> Any:
    return lambda n_outputs: Own(n_outputs, kind, factor)


FAMILIES = [NeuralClassifier, ConvClassifier, RecurrentClassifier]


@pytest.mark.parametrize("cls", FAMILIES)
@pytest.mark.parametrize("kind", ["tuple", "dict"])
def test_a_module_returns_one_tensor(cls: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"module returned a {kind}; one tensor of shape"):
        cls(module=own(kind), max_iter=1).fit(X, y_three)


def test_a_module_that_returns_a_tuple_in_training_only_is_refused_too() -> None:
    class Auxiliary(nn.Linear):
        def forward(self, X: torch.Tensor) -> Any:
            z = super().forward(X)
            return (z, z) if self.training else z

    with pytest.raises(TypeError, match="module returned a tuple"):
        NeuralClassifier(module=Auxiliary(9, 1), max_iter=1).fit(X, y)


@pytest.mark.parametrize("cls", FAMILIES)
def test_two_logits_for_two_classes_are_one_too_many(cls: Any) -> None:
    with pytest.raises(
        ValueError, match=r"for two classes it returns one, the logit of classes_\[1"
    ):
        cls(module=own("logits", 2), max_iter=1).fit(X, y)


@pytest.mark.parametrize("cls", FAMILIES)
@pytest.mark.parametrize(("kind", "target"), [("softmax", y_three), ("sigmoid", y)])
@pytest.mark.parametrize("loss", ["log_loss", "focal"])
def test_probabilities_from_a_module_are_warned_of(
    cls: Any, kind: str, target: np.ndarray, loss: str
) -> None:
    model = cls(module=own(kind), loss=loss, max_iter=1)
    with pytest.warns(UserWarning, match="module returns probabilities.* takes logits"):
        model.fit(X, target)


def test_logits_are_not_warned_of() -> None:
    for target in (y, y_three):
        NeuralClassifier(module=own("logits"), max_iter=1, random_state=0).fit(X, target)


def test_trying_a_module_changes_nothing_that_training_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first rows are looked at in evaluation mode, with generators of their own."""

    class Draws(nn.Linear):
        def forward(self, X: torch.Tensor) -> torch.Tensor:
            return super().forward(X) + 0.1 * torch.randn(len(X), 1)

    before = torch.random.get_rng_state()
    module = Draws(9, 1)
    one = NeuralClassifier(module=module, max_iter=2, random_state=0).fit(X, y)
    monkeypatch.setattr(_fit, "_try_module", lambda *args: None)
    other = NeuralClassifier(module=module, max_iter=2, random_state=0).fit(X, y)
    assert_array_equal(*(m.module_.weight.detach().numpy() for m in (one, other)))
    assert not torch.equal(before, torch.zeros_like(before))


def cross_entropy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(outputs, targets, reduction="none")


def test_a_callable_loss_says_why_it_has_no_probabilities() -> None:
    model = NeuralClassifier(loss=lambda z, t: cross_entropy(z, t), max_iter=1).fit(X, y_three)
    with pytest.raises(AttributeError, match=r"declare it: loss\.out_activation = 'softmax'"):
        model.predict_proba(X)


def test_a_callable_loss_may_declare_what_its_outputs_are() -> None:
    losses = nn.CrossEntropyLoss(reduction="none"), nn.BCEWithLogitsLoss(reduction="none")
    for loss, name, target in zip(losses, ("softmax", "logistic"), (y_three, y), strict=True):
        loss.out_activation = name  # type: ignore[assignment]
        model = NeuralClassifier((4,), loss=loss, max_iter=3, random_state=0).fit(X, target)
        known = NeuralClassifier((4,), max_iter=3, random_state=0).fit(X, target)
        assert model.out_activation_ == name
        assert_allclose(model.predict_proba(X), known.predict_proba(X), rtol=1e-6)
        z = model.decision_function(X)
        expected = softmax(z, 1) if z.ndim > 1 else np.column_stack([expit(-z), expit(z)])
        assert_allclose(model.predict_proba(X), expected, rtol=1e-6)


def test_a_regressor_may_declare_its_outputs_too() -> None:
    def poisson(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return outputs.exp() - targets * outputs

    poisson.out_activation = "exp"  # type: ignore[attr-defined]
    counts = np.arange(24.0) % 4
    model = NeuralRegressor(loss=poisson, max_iter=3, random_state=0).fit(X, counts)
    known = NeuralRegressor(loss="poisson", max_iter=3, random_state=0).fit(X, counts)
    assert_allclose(model.predict(X), known.predict(X), rtol=1e-6)


@pytest.mark.parametrize(
    ("cls", "declared", "message"),
    [
        (NeuralClassifier, "logistic", "for several classes it is 'softmax'"),
        (NeuralClassifier, "tanh", "unknown; use one of"),
        (NeuralRegressor, "softmax", "for classifiers"),
    ],
)
def test_what_a_loss_declares_is_checked(cls: Any, declared: str, message: str) -> None:
    loss = nn.MSELoss(reduction="none") if cls is NeuralRegressor else nn.CrossEntropyLoss()
    loss.out_activation = declared  # type: ignore[assignment]
    with pytest.raises(ValueError, match=message):
        cls(loss=loss).fit(X, y_three)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.CrossEntropyLoss(reduction="none"), "a logit for each class"),
        (nn.NLLLoss(reduction="none"), "a logit for each class"),
        (nn.BCELoss(reduction="none"), "takes probabilities"),
    ],
)
@pytest.mark.parametrize("cls", FAMILIES)
def test_losses_of_torch_that_do_not_fit_are_refused(cls: Any, loss: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cls(loss=loss).fit(X, y)


def test_a_generator_names_its_class() -> None:
    with pytest.raises(TypeError, match=r"^SequenceGenerator\.fit\(\) is missing"):
        SequenceGenerator().fit()
