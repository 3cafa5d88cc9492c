"""Tables: columns of all kinds, whose inputs in ONNX models are what pandas has."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from sknn import TabularClassifier, TabularRegressor
from sknn.export import export_onnx, export_torch

from .conftest import Exported, ExportedTable, assert_same, needs_onnx

pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.filterwarnings(
    "ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning"
)

RNG = np.random.default_rng(0)
N = 80
# two networks with a fold each, so probabilities have a temperature; embeddings from 4 levels on
SMALL: dict[str, Any] = {
    "hidden_layer_sizes": (4,),
    "max_iter": 2,
    "n_estimators": 2,
    "max_onehot": 3,
    "random_state": 0,
}
PLAIN = SMALL | {"n_estimators": 1, "numerical_embedding": None}


def with_gaps(values: Any) -> Any:
    return pd.Series(values).mask(RNG.random(N) < 0.15)


TABLE = pd.DataFrame(
    {
        "age": with_gaps(RNG.normal(40, 10, N)),
        "size": RNG.lognormal(10, 1, N).astype(np.float32),
        "rooms": RNG.integers(1, 6, N),
        "is_new": RNG.random(N) < 0.5,
        "city": with_gaps(RNG.choice(["Bern", "Rom", "Zürich", ""], N)),
        "street": pd.Categorical(RNG.choice(list("hgfedcba"), N), list("hgfedcba"), ordered=True),
        "zone": pd.Series(RNG.integers(0, 3, N) * 10 - 10, dtype="category"),
        "rate": pd.Series(RNG.integers(0, 5, N) / 4, dtype="category"),
        "sold": with_gaps(
            pd.Timestamp("1968-02-26 06:30") + pd.to_timedelta(RNG.integers(0, 10**9, N), unit="s")
        ),
        "took": pd.to_timedelta(RNG.integers(0, 10**6, N), unit="s"),
        "nothing": np.full(N, np.nan),
    }
)
NEW = TABLE[::-1].assign(
    city=np.where(np.arange(N) % 3, TABLE["city"], "Genève"),
    rooms=RNG.integers(-9, 20, N),
    rate=np.where(np.arange(N) % 2, np.nan, 0.3),
)
LABELS = np.array(["no", "perhaps", "yes"])[RNG.integers(0, 3, N)]
Y = 1000.0 + 100 * RNG.normal(size=N)


@needs_onnx
def test_columns_of_all_kinds(path: Path) -> None:
    # the rows of X_val, which both networks hold out, teach a temperature
    model = TabularClassifier(**SMALL).fit(TABLE, LABELS, X_val=TABLE, y_val=LABELS)
    assert model._calibration.temperature != 1
    exported = ExportedTable(model, path)
    assert list(exported.inputs) == list(TABLE)
    types = {name: each.type for name, each in exported.inputs.items()}
    texts = ["city", "street"]
    assert [name for name in types if types[name] == "tensor(string)"] == texts
    assert {types[name] for name in types if name not in texts} == {"tensor(double)"}
    assert exported.inputs["sold"].shape == ["n", 1]
    for table in (TABLE, NEW, NEW[:1]):
        assert_same(exported, model, table)
    assert exported(NEW[:0])["label"].shape == (0,)


@needs_onnx
def test_columns_of_the_types_of_given_rows(path: Path) -> None:
    columns = ["age", "size", "rooms", "is_new", "zone", "sold"]
    model = TabularRegressor(**PLAIN).fit(TABLE[columns], Y)
    exported = ExportedTable(model, path, TABLE[columns][:9])
    types = ("double", "float", "int64", "bool", "int64", "double")
    assert [each.type for each in exported.inputs.values()] == [f"tensor({each})" for each in types]
    assert_same(exported, model, NEW[columns], tol=1e-5)


@needs_onnx
@pytest.mark.parametrize(
    ("texts", "missing"),
    [
        (["a", "b", None], ["", "nan", "None", "<NA>"]),
        (["", "nan", np.nan], ["None", "<NA>"]),
        (["", "nan", "None", "<NA>", None], []),
    ],
    ids=["none is a level", "some are levels", "all are levels"],
)
def test_missing_texts(texts: list[Any], missing: list[str], path: Path) -> None:
    table = pd.DataFrame({"text": np.resize(np.array(texts, object), N), "number": Y})
    model = TabularRegressor(**PLAIN | {"max_onehot": 9}).fit(table, Y * (np.arange(N) % 3))
    exported = ExportedTable(model, path)
    known = table[table["text"].notna()]
    assert_same(exported, model, known, tol=1e-4)
    expected = model.predict(table.assign(text=None)[:1])
    for text in missing:
        found = exported(table.assign(text=text)[:1])["prediction"]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@needs_onnx
@pytest.mark.parametrize(
    "options",
    [
        {"loss": "quantile", "quantiles": (0.1, 0.5, 0.9)},
        pytest.param({"loss": "gaussian"}, marks=pytest.mark.slow),
        pytest.param({"precision": "float64"}, marks=pytest.mark.slow),
        pytest.param(
            {
                "hyperparameters": {"dropout": [0.0, 0.2]},
                "n_estimators": 4,
                "validation": "holdout",
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=str,
)
def test_arrays_of_numbers_are_one_input(options: dict[str, Any], path: Path) -> None:
    X = np.c_[RNG.normal(size=(N, 2)), RNG.integers(0, 9, N), RNG.integers(0, 2, N)] * 10.0
    X[RNG.random(X.shape) < 0.1] = np.nan
    model = TabularRegressor(**SMALL | {"categorical_features": [2]} | options).fit(X, Y)
    exported = Exported(model, path)
    assert exported.input.shape == ["n", 4]
    assert exported.input.type == "tensor(double)"
    X[::7, 2] = 5
    assert_same(exported, model, X)
    if "quantiles" in options:
        assert exported(X[:3])["prediction"].shape == (3, 3)
        assert model._calibration.quantile_shift is not None


@needs_onnx
@pytest.mark.slow
def test_arrays_in_float32(path: Path) -> None:
    X = RNG.normal(size=(N, 3)).astype(np.float32) * [1, 1e6, 1] + np.float32(1e6)
    X = X.astype(np.float32)
    model = TabularClassifier(**PLAIN).fit(X, LABELS == "no")
    exported = Exported(model, path, X[:5])
    assert exported.input.type == "tensor(float)"
    assert_same(exported, model, X)


@needs_onnx
@pytest.mark.slow
def test_arrays_of_objects(path: Path) -> None:
    columns = ["city", "rooms", "sold"]
    X = TABLE[columns].assign(sold=TABLE["sold"].astype(object)).to_numpy(object)
    model = TabularRegressor(**PLAIN).fit(X, Y)
    exported = ExportedTable(model, path)
    assert list(exported.inputs) == ["x0", "x1", "x2"]
    table = TABLE[columns].set_axis(["x0", "x1", "x2"], axis=1)
    np.testing.assert_allclose(exported(table)["prediction"], model.predict(X), rtol=1e-5)


@needs_onnx
def test_pipelines(path: Path) -> None:
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    columns = make_column_transformer((numbers, ["age", "rooms"]), (OrdinalEncoder(), ["street"]))
    table = TABLE.astype({"street": str})
    model = make_pipeline(columns, TabularClassifier(**PLAIN, categorical_features=[3]))
    model.fit(table, LABELS == "no")
    exported = ExportedTable(model, path)
    assert list(exported.inputs) == ["age", "rooms", "street"]
    assert_same(exported, model, table)


def test_torch_takes_numbers_and_codes() -> None:
    table = TABLE[["age", "city", "zone", "sold", "is_new"]]
    model = TabularClassifier(**SMALL).fit(table, LABELS)
    program = export_torch(model).module()
    cities = {city: 2.0 + i for i, city in enumerate(["", "Bern", "Rom", "Zürich"])}
    new = table.assign(city=np.where(np.arange(N) % 5, table["city"], "Genève"))
    codes = [1.0 if pd.isna(city) else cities.get(city, 0.0) for city in new["city"]]
    seconds = (new["sold"] - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
    numbers = new.assign(city=codes, sold=seconds, zone=new["zone"].astype(float)).astype(float)
    for n in (N, 1, 0):
        indices, probabilities = program(torch.from_numpy(numbers.to_numpy()[:n]))
        assert probabilities.shape == (n, 3)
        if n:
            np.testing.assert_allclose(probabilities, model.predict_proba(new[:n]), rtol=1e-5)
            assert model.classes_[indices.numpy()].tolist() == model.predict(new[:n]).tolist()


REFUSALS = {
    "zone": (
        {"when": TABLE["sold"].dt.tz_localize("UTC")},
        "Column 'when' holds dates with a time",
    ),
    "large": (
        {"id": pd.Series(2**53 + np.arange(N) % 4 * 2, dtype="category")},
        "Column 'id' has levels beyond",
    ),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_columns_that_are_refused(kind: str) -> None:
    columns, message = REFUSALS[kind]
    model = TabularRegressor(**PLAIN).fit(pd.DataFrame(columns | {"age": TABLE["age"]}), Y)
    with pytest.raises(TypeError, match=message):
        export_torch(model)


def test_texts_after_steps_are_refused() -> None:
    steps = make_column_transformer((StandardScaler(), ["rooms"]), remainder="passthrough")
    model = make_pipeline(steps, TabularRegressor(**PLAIN)).fit(TABLE[["rooms", "city"]], Y)
    with pytest.raises(TypeError, match="strings from the steps before it, in column 1"):
        export_torch(model)


@needs_onnx
def test_columns_that_are_named_like_outputs(path: Path) -> None:
    model = TabularRegressor(**PLAIN).fit(TABLE[["age"]].set_axis(["prediction"], axis=1), Y)
    with pytest.raises(ValueError, match="names have to differ"):
        export_onnx(model, path)
