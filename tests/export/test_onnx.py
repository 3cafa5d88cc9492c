import builtins
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

import sknn.export
from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor
from sknn.estimators import Calibration
from sknn.export import ExportError, _onnx, export_onnx, export_torch
from tests.helpers import supervised

from .conftest import Exported, assert_same, fit, needs_onnx

onnx = pytest.importorskip("onnx")

pytestmark = [
    needs_onnx,
    # two epochs are enough to have weights
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning"),
]

SIZES = (1, 2, 100)


def samples_for(estimator: Any) -> np.ndarray:
    random = np.random.default_rng(0)
    name = type(estimator).__name__
    if name.startswith(("Neural", "Tabular")):
        return random.normal(size=(100, 4))
    if name.startswith("Conv"):
        return random.random(size=(100, 6, 5))
    return random.normal(size=(100, 9, 2))


def targets_for(estimator: Any) -> np.ndarray:
    if type(estimator).__name__.endswith("Classifier"):
        return np.array(["no", "perhaps", "yes"])[np.arange(100) % 3]
    return np.random.default_rng(1).normal(size=100)


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(each, marks=pytest.mark.slow if name.endswith("onRegressor") else ())
        for each in supervised()
        for name in [type(each).__name__]
    ],
    ids=lambda each: type(each).__name__,
)
def test_every_estimator_answers_as_its_model_does(estimator: Any, path: Path) -> None:
    X = samples_for(estimator)
    estimator = fit(estimator, X, targets_for(estimator))
    exported = Exported(estimator, path)
    # onnxruntime has convolutions and recurrent layers in float32 only
    tol = 1e-10 if type(estimator).__name__.startswith("Neural") else 1e-5
    for n in SIZES:
        assert_same(exported, estimator, X[:n], tol=tol)
    some, none = exported(X[:2]), exported(X[:0])
    for name, answer in none.items():
        assert answer.shape == (0, *some[name].shape[1:])
        assert answer.dtype == some[name].dtype


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.array([3, 1]), id="int", marks=pytest.mark.slow),
        pytest.param(np.array([-1, 7, 2], np.int32), id="int32"),
        pytest.param(np.array([False, True]), id="bool"),
        pytest.param(np.array([0.0, 2.0, -1.0], np.float32), id="float32", marks=pytest.mark.slow),
        pytest.param(np.array(["ähnlich", "other", "x"]), id="str"),
        pytest.param(np.array(["a", "b"], dtype=object), id="object", marks=pytest.mark.slow),
    ],
)
def test_labels_are_the_very_labels(labels: np.ndarray, rows: np.ndarray, path: Path) -> None:
    classifier = fit(NeuralClassifier((5,)), rows, labels[np.arange(100) % len(labels)])
    exported = Exported(classifier, path)
    assert exported.names == ["label", "probabilities"]
    assert_same(exported, classifier, rows, tol=1e-10)
    assert set(exported(rows)["label"].tolist()) <= set(labels.tolist())


def test_multilabel_answers_are_an_indicator_matrix(rows: np.ndarray, path: Path) -> None:
    y = np.random.default_rng(2).integers(0, 2, (100, 3))
    classifier = fit(NeuralClassifier((5,)), rows, y)
    assert_same(Exported(classifier, path), classifier, rows, tol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 3])
def test_losses_without_probabilities_have_decisions(
    n_classes: int, rows: np.ndarray, path: Path
) -> None:
    classifier = fit(NeuralClassifier((5,), loss="hinge"), rows, np.arange(100) % n_classes)
    exported = Exported(classifier, path)
    assert exported.names == ["label", "decision"]
    assert_same(exported, classifier, rows, tol=1e-10)


@pytest.mark.parametrize("parameters", [{"loss": "gaussian"}, {"quantiles": (0.1, 0.5, 0.9)}])
def test_losses_with_several_outputs_a_target(
    parameters: dict[str, Any], rows: np.ndarray, path: Path
) -> None:
    y = 100 + np.random.default_rng(2).normal(size=(100, 2)) * [1, 1000]
    regressor = NeuralRegressor("quantile", (5,), n_estimators=2).set_params(**parameters)
    regressor = fit(regressor, rows, y)
    if "quantiles" in parameters:
        shift = np.random.default_rng(3).normal(size=(2, 3))
        regressor._calibration = Calibration(quantile_shift=shift)
    exported = Exported(regressor, path)
    for n in SIZES:
        assert_same(exported, regressor, rows[:n], tol=1e-10)


def test_probabilities_are_calibrated(rows: np.ndarray, path: Path) -> None:
    classifier = fit(NeuralClassifier((5,)), rows, np.arange(100) % 3)
    classifier._calibration = Calibration(temperature=3.0)
    assert_same(Exported(classifier, path), classifier, rows, tol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["squared_error", "poisson", "msle"])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_regressors_predict_behind_their_link(
    loss: str, n_targets: int, rows: np.ndarray, path: Path
) -> None:
    y = np.exp(rows[:, :n_targets]).squeeze()
    regressor = fit(NeuralRegressor(loss, (5,)), rows, y)
    exported = Exported(regressor, path)
    assert exported.names == ["prediction"]
    assert_same(exported, regressor, rows, tol=1e-10)


def test_float32_networks_stay_in_float32(rows: np.ndarray, path: Path) -> None:
    X = rows.astype(np.float32)
    classifier = fit(NeuralClassifier((5,)), X, np.arange(100) % 3)
    exported = Exported(classifier, path)
    assert exported.input.type == "tensor(float)"
    assert exported(X)["probabilities"].dtype == np.float32
    assert_same(exported, classifier, X)
    kinds = {each.data_type for each in onnx.load(path).graph.initializer}
    assert onnx.TensorProto.DOUBLE not in kinds


def test_the_type_of_the_samples_becomes_that_of_the_input(rows: np.ndarray, path: Path) -> None:
    regressor = fit(NeuralRegressor(hidden_layer_sizes=(5,), precision="float32"), rows, rows[:, 0])
    exported = Exported(regressor, path, X=rows)
    assert exported.input.type == "tensor(double)"
    assert_same(exported, regressor, rows)


def test_bfloat16_is_exported_in_float32(rows: np.ndarray, path: Path) -> None:
    X = rows.astype(np.float32)
    regressor = fit(NeuralRegressor(hidden_layer_sizes=(5,), precision="bfloat16"), X, X[:, 0])
    answers = Exported(regressor, path)(X)["prediction"]
    with torch.no_grad():
        expected = regressor.module_(torch.from_numpy(X))[:, 0].numpy()
    np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:lbfgs ended:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.5, "normalization": "batch"},
        {"normalization": "layer", "activation": "gelu"},
        {"solver": "lbfgs", "activation": ("tanh",)},
        {"n_estimators": 2},
        {"numerical_embedding": ["piecewise_linear", "periodic"], "n_estimators": 2},
    ],
    ids=lambda options: "-".join(options),
)
def test_options_of_dense_networks(options: dict[str, Any], rows: np.ndarray, path: Path) -> None:
    classifier = fit(NeuralClassifier((5,), **options), rows, np.arange(100) % 3)
    # onnxruntime has no gelu in float64, and in ONNX the frequencies' 2 pi is a float32
    tol = 1e-5 if {"activation", "numerical_embedding"} & options.keys() else 1e-8
    assert_same(Exported(classifier, path), classifier, rows, tol=tol)


def test_ensembles_are_right_far_from_the_boundary(rows: np.ndarray, path: Path) -> None:
    X = rows.astype(np.float32)
    ensemble = fit(NeuralClassifier((5,), n_estimators=2), X, (X[:, 0] > 0).astype(int))
    exported = Exported(ensemble, path)
    for factor in (1, 1e2, 1e4, 1e8):  # the probabilities of float32 end at 1e-38
        assert_same(exported, ensemble, X * np.float32(factor))


def test_modules_of_the_users_own(rows: np.ndarray, path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Mish(), torch.nn.Linear(6, 1))
    classifier = fit(NeuralClassifier(module=module), rows, np.arange(100) % 2)
    assert_same(Exported(classifier, path), classifier, rows, tol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [18, 21, 23])
def test_the_opset_is_the_one_that_was_asked_for(opset: int, rows: np.ndarray, path: Path) -> None:
    classifier = fit(NeuralClassifier((5,)), rows, np.arange(100) % 2)
    assert_same(Exported(classifier, path, opset=opset), classifier, rows, tol=1e-10)
    assert [each.version for each in onnx.load(path).opset_import if not each.domain] == [opset]


def test_the_file_has_named_dimensions_and_no_source_files(rows: np.ndarray, path: Path) -> None:
    exported = Exported(fit(NeuralClassifier((5,)), rows, np.arange(100) % 2), path)
    assert exported.input.name == "X" and exported.input.shape == ["n", 4]
    assert b".py" not in path.read_bytes() and os.getcwd().encode() not in path.read_bytes()


def test_exports_print_nothing(
    rows: np.ndarray, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    regressor = fit(NeuralRegressor(hidden_layer_sizes=(5,)), rows, rows[:, 0])
    capfd.readouterr()
    export_onnx(regressor, path)  # a warning would be an error
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------------------------- errors


def test_estimators_that_are_not_fitted(path: Path) -> None:
    with pytest.raises(NotFittedError, match="ConvClassifier"):
        export_onnx(ConvClassifier(), path)
    assert not path.exists()


@pytest.mark.parametrize("opset", [17, 99, "18"])
def test_unknown_opsets(opset: Any, rows: np.ndarray, path: Path) -> None:
    with pytest.raises(ValueError, match="opset=.* must be an integer from 18 to 23"):
        export_onnx(NeuralClassifier(), path, opset=opset)


@pytest.mark.parametrize(
    "labels", [np.array([b"a", b"b"]), np.array([1, "a"], dtype=object)], ids=["bytes", "mixed"]
)
def test_labels_that_onnx_does_not_have(labels: np.ndarray, rows: np.ndarray, path: Path) -> None:
    classifier = fit(NeuralClassifier((5,)), rows, np.arange(100) % 2)
    classifier.classes_ = labels
    with pytest.raises(TypeError, match=r"labels \(classes_\) of type"):
        export_onnx(classifier, path)


def test_networks_that_no_file_holds(
    rows: np.ndarray, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    regressor = fit(NeuralRegressor(hidden_layer_sizes=(5,)), rows, rows[:, 0])
    monkeypatch.setattr(_onnx, "MAX_BYTES", 8 * 30)  # (4 * 5 + 5) + (5 + 1) = 31 numbers
    with pytest.raises(ValueError, match="a network of 0.0 GB"):
        export_onnx(regressor, path)


def test_modules_that_fix_the_number_of_samples(rows: np.ndarray, path: Path) -> None:
    class Counting(torch.nn.Linear):
        def forward(self, X: torch.Tensor) -> torch.Tensor:
            return super().forward(X) * len(X)

    regressor = fit(NeuralRegressor(module=Counting(4, 1)), rows, rows[:, 0])
    with pytest.raises(ValueError, match="torch.export cannot trace"):
        export_onnx(regressor, path)


def test_a_wrong_graph_is_not_written(
    rows: np.ndarray, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"before")
    classifier = fit(NeuralClassifier((5,)), rows, np.array(["a", "b"])[np.arange(100) % 2])
    write = _onnx._translate

    def with_an_error(*arguments: Any) -> Any:
        proto = write(*arguments)
        for each in proto.graph.initializer:
            if each.data_type == onnx.TensorProto.DOUBLE:
                numbers = onnx.numpy_helper.to_array(each) + 0.1
                each.CopyFrom(onnx.numpy_helper.from_array(numbers, each.name))
        return proto

    monkeypatch.setattr(_onnx, "_translate", with_an_error)
    with pytest.raises(ExportError, match="not those of the estimator"):
        export_onnx(classifier, path)
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize("export", [export_onnx, export_torch])
def test_a_full_disk_leaves_the_file_that_was_there(
    export: Any, rows: np.ndarray, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"before")
    regressor = fit(NeuralRegressor(hidden_layer_sizes=(5,)), rows, rows[:, 0])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        export(regressor, path)
    assert caught.value.filename == str(path)
    assert os.listdir(path.parent) == [path.name] and path.read_bytes() == b"before"


def test_a_folder_that_is_not_there(rows: np.ndarray, tmp_path: Path) -> None:
    regressor = fit(NeuralRegressor(hidden_layer_sizes=(5,)), rows, rows[:, 0])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        export_onnx(regressor, tmp_path / "nowhere" / "model.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_missing_packages_are_named(
    package: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"needs {package}[ ,].*pip install 'sknn\[export\]'"):
        export_onnx(NeuralClassifier(), path)


def test_the_import_of_the_package_needs_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    original = builtins.__import__

    def importing(name: str, *arguments: Any) -> Any:
        asked.append(name.partition(".")[0])
        return original(name, *arguments)

    for name in [each for each in sys.modules if each.startswith("sknn.export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sknn, "export", sknn.export)  # which the import sets anew, put back
    monkeypatch.setattr(builtins, "__import__", importing)
    __import__("sknn.export")
    assert "sklearn" in asked and not {"onnx", "onnxruntime", "onnxscript"} & set(asked)
