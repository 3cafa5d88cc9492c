"""Names in files: those of classes that need no trust, which stay when classes move."""

from __future__ import annotations

from pathlib import Path

import pytest

from sknn.data import ImageRows
from sknn.storage._known import _TABLES, DATA, MOVED, _table, find_known, known_names, name_of
from sknn.storage._schema import part_kinds
from tests.storage.attacks import unseal

GOLDEN = Path(__file__).parent / "golden"

# Classes in files of releases, which have these names for good.
NAMES = [
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection.StratifiedKFold",
    "sklearn.pipeline.Pipeline",
    "sknn.estimators.AttentionClassifier",
    "sknn.estimators.ClassTargets",
    "sknn.estimators.ConvClassifier",
    "sknn.estimators.EncoderDecoderRegressor",
    "sknn.estimators.ImageFormat",
    "sknn.estimators.NeuralClassifier",
    "sknn.estimators.NeuralRegressor",
    "sknn.estimators.RecurrentRegressor",
    "sknn.estimators.RowMemory",
    "sknn.estimators.SeriesFormat",
    "sknn.forecasting.DirectForecaster",
    "sknn.forecasting.Scaling",
    "sknn.forecasting.Series",
    "sknn.forecasting.WindowModel",
    "sknn.model_selection.GridSearchCV",
    "sknn.nn.AttentionBlock",
    "sknn.nn.AttentionEncoder",
    "sknn.nn.Conv2d",
    "sknn.nn.ConvNetwork",
    "sknn.nn.CrossAttention",
    "sknn.nn.DenseNetwork",
    "sknn.nn.Dropout",
    "sknn.nn.Embedding",
    "sknn.nn.GRU",
    "sknn.nn.GlobalPool",
    "sknn.nn.Linear",
    "sknn.nn.LogLoss",
    "sknn.nn.PoissonLoss",
    "sknn.nn.Pooling",
    "sknn.nn.RecurrentEncoder",
    "sknn.nn.ResidualBlock",
    "sknn.nn.ResidualNetwork",
    "sknn.nn.SeriesConvolution",
    "sknn.nn.SeriesNetwork",
    "sknn.nn.SquaredError",
    "sknn.nn.Standardize",
    "sknn.nn.StepNorm",
    "sknn.nn.Unstandardize",
    "sknn.nn.ValueDecoder",
    "sknn.training.Plateau",
    "sknn.training.TrainingState",
    "sknn.training.Work",
    "torch.nn.BatchNorm1d",
    "torch.nn.BatchNorm2d",
    "torch.nn.Flatten",
    "torch.nn.GELU",
    "torch.nn.Identity",
    "torch.nn.LayerNorm",
    "torch.nn.MaxPool2d",
    "torch.nn.ModuleList",
    "torch.nn.ReLU",
    "torch.nn.Sequential",
]


def test_the_names_in_files_of_releases_are_known() -> None:
    paths = GOLDEN.glob("*/*.sknn")
    assert {name for path in paths for name in unseal(path).classes()} == set(NAMES)
    assert [name for name in NAMES if find_known(name) is None] == []


def test_a_file_has_the_name_by_which_a_class_is_found() -> None:
    names = [name for name in known_names() if name.startswith("sknn.")]
    assert {*DATA, *filter(lambda name: name.startswith("sknn."), NAMES)} <= {*names, *MOVED}
    in_files = {now: there for there, now in MOVED.items()}
    assert [n for n in names if name_of(find_known(n)) != in_files.get(n, n)] == []


def test_a_class_that_moves_keeps_its_name_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATA, "sknn.training.Pictures", {"array": "array none"})
    monkeypatch.setitem(MOVED, "sknn.training.Pictures", "sknn.data.ImageRows")
    monkeypatch.setitem(_TABLES, "sknn.data", _TABLES["sknn.training"])
    _table.cache_clear()
    part_kinds.cache_clear()
    try:
        assert find_known("sknn.training.Pictures") is ImageRows
        assert name_of(ImageRows) == "sknn.training.Pictures"
        assert list(part_kinds(ImageRows)) == ["array"]
    finally:
        _table.cache_clear()
        part_kinds.cache_clear()
