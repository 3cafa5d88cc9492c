"""What the tests of exported models share."""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from sknn.export import export_onnx

HAS_ONNX = all(find_spec(name) for name in ("onnx", "onnxruntime", "onnxscript"))
needs_onnx = pytest.mark.skipif(not HAS_ONNX, reason="needs onnx, onnxruntime and onnxscript")


@pytest.fixture(scope="session", autouse=True)
def operators_are_read_once() -> Iterator[None]:
    """Have torch parse its table of operators, which takes seconds, once for all exports."""
    if not HAS_ONNX:
        yield
        return
    from torch.onnx._internal.exporter import _registration

    registry = _registration.ONNXRegistry
    with pytest.MonkeyPatch.context() as patch:
        read = staticmethod(cache(registry.from_torchlib))
        patch.setattr(registry, "from_torchlib", read)
        yield


def fit(estimator: Any, X: Any, y: Any) -> Any:
    return estimator.set_params(max_iter=2, random_state=0).fit(X, y)


class Exported:
    """An estimator's ONNX model, as a user of onnxruntime has it."""

    def __init__(self, estimator: Any, path: Path, X: Any = None, **options: Any) -> None:
        import onnxruntime

        export_onnx(estimator, path, X, **options)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, settings)
        self.inputs = {each.name: each for each in self.session.get_inputs()}
        self.names = [each.name for each in self.session.get_outputs()]

    @property
    def input(self) -> Any:
        (only,) = self.inputs.values()
        return only

    def __call__(self, X: Any) -> dict[str, np.ndarray]:
        return self.run({"X": X})

    def run(self, given: dict[str, Any]) -> dict[str, np.ndarray]:
        return dict(zip(self.names, self.session.run(None, given), strict=True))


class ExportedTable(Exported):
    """An ONNX model whose inputs are the columns of a table of pandas, dates as seconds."""

    types: ClassVar[dict[str, Any]] = {
        "tensor(string)": object,
        "tensor(double)": np.float64,
        "tensor(float)": np.float32,
        "tensor(int64)": np.int64,
        "tensor(bool)": np.bool_,
    }

    def __call__(self, X: Any) -> dict[str, np.ndarray]:
        given = {}
        for name, each in self.inputs.items():
            column = X[[name]].to_numpy()
            if column.dtype.kind in "Mm":
                gaps = np.isnat(column)
                epoch = np.array(0, column.dtype)
                column = np.where(gaps, np.nan, (column - epoch) / np.timedelta64(1, "s"))
            given[name] = column.astype(self.types[each.type])
        return self.run(given)


def assert_same(exported: Exported, estimator: Any, X: Any, given: Any = None, tol: float = 1e-5):
    """Compare all answers with the estimator's, for `given` where it takes X in another form."""
    answers = exported(X)
    given = X if given is None else given
    expected = {"label": "predict", "probabilities": "predict_proba", "prediction": "predict"}
    for name, answer in answers.items():
        wanted = getattr(estimator, expected.get(name, "decision_function"))(given)
        assert answer.shape == wanted.shape
        if name == "label":
            assert answer.tolist() == wanted.tolist()
        else:
            np.testing.assert_allclose(answer, wanted, rtol=tol, atol=tol)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


@pytest.fixture(scope="session")
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(100, 4))


@pytest.fixture(scope="session")
def series() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(100, 12, 2)).astype(np.float32)
