"""Columns of tables: every form that scikit-learn's fitted steps may have."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from sknn import NeuralClassifier, NeuralRegressor
from sknn.export import export_onnx, export_torch
from sknn.export._columns import layers_of, steps_of, undo, words_of
from sknn.export._fitted import take_apart

from .conftest import Exported, ExportedTable, assert_same, needs_onnx

pd = pytest.importorskip("pandas")

# two epochs are enough to have weights
pytestmark = [
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Found unknown categories"),
    pytest.mark.filterwarnings("ignore:Skipping features without any observed values"),
]

RNG = np.random.default_rng(0)
N = 120
NUMBERS = RNG.normal(size=(N, 3)) * [1, 100, 0.01] + [5, -300, 0]
GROUPS = RNG.integers(0, 4, (N, 2)) * [1, 10]
X = np.c_[NUMBERS, GROUPS].astype(float)
HOLES = np.where(RNG.random(X.shape) < 0.15, np.nan, X)
TABLE = pd.DataFrame(
    {
        "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(40, 10, N)),
        "income": RNG.lognormal(10, 1, N),
        "city": RNG.choice(["Bern", "Rom", "Zürich"], N, p=[0.5, 0.4, 0.1]),
        "note": [f"number {i}" for i in range(N)],
        "sex": RNG.choice(["f", "m"], N),
        "rooms": RNG.integers(1, 5, N),
    }
)
Y = np.array(["no", "perhaps", "yes"])[np.arange(N) % 3]

IMPUTERS = {
    "mean": (SimpleImputer(), HOLES),
    "median": (SimpleImputer(strategy="median", add_indicator=True), HOLES),
    "most_frequent": (SimpleImputer(strategy="most_frequent"), np.round(HOLES)),
    "constant": (SimpleImputer(strategy="constant", fill_value=-7.5), HOLES),
    "another marker": (SimpleImputer(missing_values=0), X),
    "an empty column": (SimpleImputer(), np.c_[HOLES, np.full(N, np.nan)]),
    "an empty column that is kept": (
        SimpleImputer(keep_empty_features=True, add_indicator=True),
        np.c_[HOLES, np.full(N, np.nan)],
    ),
}
ENCODERS = {
    "plain": OneHotEncoder(),
    "dense": OneHotEncoder(sparse_output=False),
    "ignore": OneHotEncoder(handle_unknown="ignore"),
    "first": OneHotEncoder(drop="first", handle_unknown="ignore"),
    "if_binary": OneHotEncoder(drop="if_binary"),
    "each": OneHotEncoder(drop=[2, 30]),
    "infrequent": OneHotEncoder(min_frequency=30, handle_unknown="infrequent_if_exist"),
    "few": OneHotEncoder(max_categories=2, handle_unknown="ignore"),
    "given": OneHotEncoder(categories=[[0, 1, 2, 3, 9], [0, 10, 20, 30]]),
    "ordinal": OrdinalEncoder(),
    "ordinal, unknown": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "ordinal, nan": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
}


def of_module(step: Any, rows: np.ndarray) -> np.ndarray:
    """Return what the module of a fitted step makes of rows."""
    words = words_of(steps_of("step", step))
    layers = [layer for each in steps_of("step", step) for layer in layers_of(each, words)]
    return torch.nn.Sequential(*layers)(torch.from_numpy(rows)).numpy()


def of_step(step: Any, rows: np.ndarray) -> np.ndarray:
    transformed = step.transform(rows)
    return np.asarray(transformed.toarray() if hasattr(transformed, "toarray") else transformed)


@pytest.mark.parametrize("kind", IMPUTERS)
def test_imputers(kind: str) -> None:
    imputer, rows = IMPUTERS[kind]
    imputer.fit(rows)
    np.testing.assert_allclose(of_module(imputer, rows), of_step(imputer, rows))
    made_up = undo(imputer, of_step(imputer, rows), [], np.random.default_rng(0))
    assert made_up.shape == rows.shape


@pytest.mark.parametrize("kind", ENCODERS)
def test_encoders(kind: str) -> None:
    encoder = ENCODERS[kind].fit(GROUPS)
    rows = GROUPS.astype(float)
    if encoder.handle_unknown != "error":
        rows = np.r_[rows, [[7, 10], [1, 5], [-1, -1]]]
    np.testing.assert_array_equal(of_module(encoder, rows), of_step(encoder, rows))
    made_up = undo(encoder, of_step(encoder, rows), [], np.random.default_rng(0))
    assert np.isin(made_up, GROUPS).all() or kind == "given"


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()])
def test_missing_categories(encoder: Any) -> None:
    rows = np.where(RNG.random(GROUPS.shape) < 0.2, np.nan, GROUPS)
    np.testing.assert_array_equal(of_module(encoder.fit(rows), rows), of_step(encoder, rows))


COLUMNS: dict[str, Any] = {
    "indices": make_column_transformer((StandardScaler(), [2, 0]), (OneHotEncoder(), [3, 4])),
    "slices": make_column_transformer((StandardScaler(), slice(3)), (OneHotEncoder(), slice(3, 5))),
    "masks": make_column_transformer((StandardScaler(), [True, False, True, False, False])),
    "negative": make_column_transformer((OneHotEncoder(), [-1, -2]), remainder="passthrough"),
    "remainder": make_column_transformer((OneHotEncoder(), [4]), remainder=StandardScaler()),
    "twice": make_column_transformer((OneHotEncoder(), [3]), (StandardScaler(), [0, 1, 3])),
    "dropped": ColumnTransformer([("a", "drop", [0]), ("b", RobustScaler(), [1, 2])]),
    "none": ColumnTransformer([("a", StandardScaler(), []), ("b", MinMaxScaler(), [1, 2])]),
    "weights": ColumnTransformer(
        [("a", StandardScaler(), [0, 1]), ("b", "passthrough", [2])],
        transformer_weights={"a": 2.0, "b": -0.5},
    ),
    "sparse": make_column_transformer(
        (OneHotEncoder(), [3, 4]), (StandardScaler(), [0]), sparse_threshold=1
    ),
    "pipelines": make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), [3, 4]),
    ),
    "nested": make_column_transformer(
        (make_column_transformer((StandardScaler(), [1]), remainder="passthrough"), [0, 1, 2]),
        (make_pipeline(OrdinalEncoder(), StandardScaler()), [4]),
    ),
    "functions": make_column_transformer((FunctionTransformer(), [0]), (StandardScaler(), [1])),
}


FEW = ("twice", "nested")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in FEW else pytest.mark.slow) for kind in COLUMNS]
)
def test_column_transformers(kind: str) -> None:
    network = NeuralRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    pipeline = make_pipeline(COLUMNS[kind], network).fit(X, X[:, 0])
    program = export_torch(pipeline).module()
    for n in (0, 1, N):
        answers = program(torch.from_numpy(X[:n]))
        assert answers.shape == (n,)
        if n:
            np.testing.assert_allclose(answers, pipeline.predict(X[:n]), rtol=1e-9)
    model = take_apart(pipeline)
    made_up = model.made_up(RNG.normal(size=(9, network.n_features_in_)), RNG)
    assert np.isfinite(pipeline.predict(made_up)).all()


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pipelines", "weights"])
def test_columns_of_numbers_are_one_input(kind: str, path: Path) -> None:
    network = NeuralClassifier((4,), max_iter=2, random_state=0)
    table = pd.DataFrame(HOLES if kind == "pipelines" else X, columns=list("abcde"))
    pipeline = make_pipeline(COLUMNS[kind], network).fit(table, Y)
    exported = Exported(pipeline, path)
    assert exported.input.shape == ["n", 5]
    assert exported.input.type == "tensor(double)"
    assert_same(exported, pipeline, table.to_numpy(), table, tol=1e-9)


def text_pipeline(**options: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    text = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(**options))
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")), (text, ["city", "sex"])
    )
    return make_pipeline(columns, NeuralClassifier((4,), max_iter=2, random_state=0))


@needs_onnx
@pytest.mark.parametrize(
    "options",
    [
        {"handle_unknown": "ignore"},
        pytest.param(
            {"handle_unknown": "infrequent_if_exist", "min_frequency": 30}, marks=pytest.mark.slow
        ),
    ],
    ids=lambda options: options["handle_unknown"],
)
def test_columns_of_text_are_inputs_of_their_own(options: dict[str, Any], path: Path) -> None:
    pipeline = text_pipeline(**options).fit(TABLE, Y)
    exported = ExportedTable(pipeline, path)
    assert list(exported.inputs) == ["age", "income", "city", "sex", "rooms"]  # not the note
    assert exported.inputs["city"].type == "tensor(string)"
    assert exported.inputs["rooms"].shape == ["n", 1]
    new = TABLE.assign(city=np.where(np.arange(N) % 5, TABLE["city"], "Genève"))
    for table in (TABLE, new, new[:1]):
        assert_same(exported, pipeline, table, tol=1e-9)
    assert exported(new[:0])["label"].shape == (0,)


@needs_onnx
@pytest.mark.slow
def test_tables_of_text_without_names(path: Path) -> None:
    rows = TABLE[["city", "sex"]].to_numpy()
    network = NeuralClassifier((4,), max_iter=2, random_state=0)
    pipeline = make_pipeline(OneHotEncoder(), network).fit(rows, Y)
    exported = ExportedTable(pipeline, path, rows[:9])
    assert list(exported.inputs) == ["x0", "x1"]
    answers = exported(pd.DataFrame(rows, columns=["x0", "x1"]))
    np.testing.assert_allclose(answers["probabilities"], pipeline.predict_proba(rows))


def test_text_is_nothing_for_torch() -> None:
    with pytest.raises(TypeError, match="columns of text.*use export_onnx"):
        export_torch(text_pipeline().fit(TABLE, Y))


@needs_onnx
def test_columns_that_are_named_like_outputs(path: Path) -> None:
    table = TABLE.rename(columns={"rooms": "label"})
    with pytest.raises(ValueError, match="names have to differ"):
        export_onnx(text_pipeline().fit(table, Y), path)


def test_categories_that_onnx_does_not_have() -> None:
    rows = np.array([["a"], [None]] * 60, dtype=object)
    network = NeuralClassifier((4,), max_iter=2, random_state=0)
    with pytest.raises(TypeError, match="neither all text nor all numbers"):
        export_torch(make_pipeline(OneHotEncoder(), network).fit(rows, Y))


def test_parts_that_cannot_be_exported() -> None:
    columns = ColumnTransformer([("turned", PCA(2), [0, 1, 2])], remainder="passthrough")
    network = NeuralClassifier((4,), max_iter=2, random_state=0)
    with pytest.raises(TypeError, match="step 'turned' of class PCA.*OneHotEncoder"):
        export_torch(make_pipeline(columns, network).fit(X, Y))
