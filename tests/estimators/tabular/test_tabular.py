"""TabularClassifier and TabularRegressor: training, members with folds, answers."""

import pickle
import time
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from skorch.callbacks import Callback
from torch import Tensor, nn

import sknn
import sknn.model_selection
from sknn import TabularClassifier, TabularRegressor
from sknn.training import _engine
from tests.helpers import assert_equal_up_to_rounding

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 60
rng = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "size": rng.normal(size=N),
        "price": rng.normal(size=N) * 100,
        "kind": pd.Categorical(rng.choice(["x", "y", "z"], N)),
        "place": rng.choice(["p", "q"], N),
    }
)
TABLE.loc[[3, 9], "size"] = np.nan
VALUES = TABLE["price"].to_numpy() / 50 + (TABLE["place"] == "p").to_numpy()
LABELS = np.where(VALUES > 0, "high", "low")
KINDS = np.digitize(VALUES, [-1, 1])
SMALL: dict[str, Any] = {
    "hidden_layer_sizes": (8,),
    "n_estimators": 3,
    "max_iter": 8,
    "random_state": 0,
}
PAIR = [TabularClassifier, TabularRegressor]


def make(estimator: Any, **parameters: Any) -> Any:
    return estimator(**(SMALL | parameters))


def target_of(estimator: Any) -> np.ndarray:
    return KINDS if estimator is TabularClassifier else VALUES


def answers(model: Any, X: Any = TABLE) -> np.ndarray:
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def folds_of(model: Any, labels: np.ndarray | None, n_rows: int = N) -> np.ndarray:
    return model.estimators_[0]._fold.of_rows(n_rows, labels)


# --------------------------------------------------------------------------------- out of fold


@pytest.mark.parametrize("n_estimators", [2, 3])
@pytest.mark.parametrize("estimator", PAIR)
def test_out_of_fold_answers_are_those_of_the_networks_that_held_the_rows_out(
    estimator: Any, n_estimators: int
) -> None:
    model = make(estimator, n_estimators=n_estimators, calibration=False)
    model.fit(TABLE, target_of(estimator))
    folds = folds_of(model, KINDS if estimator is TabularClassifier else None)
    for number, member in enumerate(model.estimators_):
        held_out = folds == number
        assert_equal_up_to_rounding(
            model.oof_predictions_[held_out], answers(member)[held_out], dtype=np.float32
        )


def test_more_networks_than_folds_average_their_answers() -> None:
    model = make(TabularRegressor, n_estimators=16, max_iter=2, calibration=False)
    model.fit(TABLE, VALUES)
    assert {member._fold.n_folds for member in model.estimators_} == {8}
    folds = folds_of(model, None)
    both = [model.estimators_[number] for number in (5, 13)]
    expected = np.mean([member.predict(TABLE) for member in both], 0)[folds == 5]
    assert_allclose(model.oof_predictions_[folds == 5], expected, rtol=1e-5)


def test_out_of_fold_answers_of_several_outputs() -> None:
    Y = np.column_stack([VALUES, -VALUES])
    assert make(TabularRegressor).fit(TABLE, Y).oof_predictions_.shape == (N, 2)
    many = make(TabularClassifier).fit(TABLE, np.column_stack([VALUES > 0, VALUES > 1]).astype(int))
    assert many.oof_predictions_.shape == (N, 2)
    hinge = make(TabularClassifier, loss="hinge").fit(TABLE, LABELS)
    assert hinge.oof_predictions_.shape == (N,)
    folds = folds_of(hinge, (LABELS == "low").astype(int))
    first = hinge.estimators_[0].decision_function(TABLE)
    assert_allclose(hinge.oof_predictions_[folds == 0], first[folds == 0], rtol=1e-5)


@pytest.mark.parametrize(
    "changed",
    [
        {"validation": "holdout"},
        {"n_estimators": 1},
        {"early_stopping": False},
        {"solver": "lbfgs", "dropout": 0.0},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_other_fits_have_no_out_of_fold_answers(changed: dict[str, Any]) -> None:
    model = make(TabularRegressor).fit(TABLE, VALUES)
    assert hasattr(model, "oof_predictions_")
    model.set_params(**changed).fit(TABLE, VALUES)
    assert not hasattr(model, "oof_predictions_")


def test_of_validation_data_of_the_users_there_are_none() -> None:
    model = make(TabularRegressor).fit(TABLE[:40], VALUES[:40], X_val=TABLE[40:], y_val=VALUES[40:])
    assert not hasattr(model, "oof_predictions_")
    for member in model.estimators_:
        assert len(member.validation_scores_) == member.n_iter_


# ------------------------------------------------------------------------------- early stopping


@pytest.mark.parametrize("estimator", PAIR)
def test_the_epoch_of_least_validation_loss_is_kept(estimator: Any) -> None:
    """A large rate overfits soon; the loss of the end is that of the best epoch."""
    y = target_of(estimator)
    parameters = {"learning_rate_init": 0.05, "max_iter": 40, "n_iter_no_change": 6, "tol": 0.0}
    parameters["calibration"] = False
    model = make(estimator, n_estimators=1, dropout=0.0, learning_rate="constant", **parameters)
    model.fit(TABLE[:40], y[:40], X_val=TABLE[40:], y_val=y[40:])
    losses = np.array([epoch["valid_loss"] for epoch in model.history_])
    best = losses.argmin()
    assert len(losses) == min(best + 1 + 6 + 1, 40) < 40
    if estimator is TabularClassifier:
        chosen = model.predict_proba(TABLE[40:])[np.arange(20), y[40:]]
        reached = -np.log(chosen).mean()
    else:
        scale = model._targets.decode(np.array([[1.0]])) - model._targets.decode(np.array([[0.0]]))
        reached = ((model.predict(TABLE[40:]) - y[40:]) ** 2).mean() / 2 / float(scale.item()) ** 2
    assert_allclose(reached, losses[best], rtol=1e-4)


def test_training_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0, 1e6, 10.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    model = make(TabularRegressor, n_estimators=1, time_limit=35, max_iter=50)
    model.fit(TABLE, VALUES)
    assert model.n_iter_ == 4  # 10, 20, 30 and 40 seconds after the beginning


# ------------------------------------------------------------------------------ what a fit does


def test_the_first_networks_of_a_larger_ensemble_are_those_of_a_smaller_one() -> None:
    small, large = (
        make(TabularRegressor, n_estimators=n, max_iter=2).fit(TABLE, VALUES) for n in (8, 9)
    )
    for ours, theirs in zip(small.estimators_, large.estimators_[:8], strict=True):
        assert_equal_up_to_rounding(ours.predict(TABLE), theirs.predict(TABLE), dtype=np.float32)


def test_stacked_members_are_those_that_are_trained_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.compiled.ways import torch_alone

    with torch_alone():
        stacked = make(TabularRegressor, precision="float64").fit(TABLE, VALUES)
        monkeypatch.setattr(_engine, "stack_key", lambda training: None)
        single = make(TabularRegressor, precision="float64").fit(TABLE, VALUES)
    for ours, theirs in zip(stacked.estimators_, single.estimators_, strict=True):
        assert ours.n_iter_ == theirs.n_iter_
        for actual, expected in zip(
            ours.module_.parameters(), theirs.module_.parameters(), strict=True
        ):
            assert actual.dtype == torch.float64
            assert_equal_up_to_rounding(actual.detach(), expected.detach())


def test_defaults_follow_the_rows() -> None:
    model = TabularClassifier()
    assert model._automatic_batch_size(1000) == 125  # eight batches of equal size
    assert model._automatic_batch_size(30) == 30
    assert model._automatic_batch_size(1_000_000) == pytest.approx(1280, rel=0.01)
    assert model._resolve_max_iter(128) == 200
    assert model._resolve_max_iter(128 * 50) == 50  # 2,500 updates
    assert model._resolve_max_iter(100_000) == 30
    assert model._resolve_max_iter(10**6) == 10
    assert [model._count_members(n) for n in (10, 199_999, 200_000)] == [8, 8, 4]
    assert model._resolve_patience(200) == 100
    assert model._resolve_patience(15) == 10


@pytest.mark.parametrize("n_rows", [1, 2, 3, 19, 20, 21])
@pytest.mark.parametrize("estimator", PAIR)
def test_few_rows(estimator: Any, n_rows: int) -> None:
    y = target_of(estimator)[:n_rows] if estimator is TabularRegressor else np.arange(n_rows) % 2
    if len(np.unique(y)) < 2 and estimator is TabularClassifier:
        with pytest.raises(ValueError, match="only one class"):
            make(estimator).fit(TABLE[:n_rows], y)
        return
    model = make(estimator).fit(TABLE[:n_rows], y)
    assert np.isfinite(answers(model)).all()
    assert hasattr(model, "oof_predictions_") == (n_rows >= 20)


def test_classes_of_one_and_of_two_rows() -> None:
    labels = LABELS.astype(object)
    labels[0], labels[[7, 8]] = "single", "twice"
    model = make(TabularClassifier, class_weight="balanced").fit(TABLE, labels)
    assert list(model.classes_) == ["high", "low", "single", "twice"]
    assert_allclose(model.oof_predictions_.sum(1), 1)
    assert model.predict_proba(TABLE).shape == (N, 4)


TABLES: dict[str, Any] = {
    "one number": TABLE[["price"]],
    "one category": TABLE[["kind"]],
    "categories": TABLE[["kind", "place"]],
    "numbers": TABLE[["size", "price"]],
    "constant": pd.DataFrame({"a": np.ones(N), "b": ["x"] * N}),
    "missing": pd.DataFrame({"a": np.full(N, np.nan), "b": np.array([None] * N, object)}),
    "wide": rng.normal(size=(N, 500)),
    "levels": pd.DataFrame({"level": [f"level {i}" for i in range(N)], "x": VALUES}),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_every_kind(name: str) -> None:
    X = TABLES[name]
    model = make(TabularRegressor, max_iter=2).fit(X, VALUES)
    assert np.isfinite(model.predict(X)).all()
    for number, member in enumerate(model.estimators_):
        assert member.n_iter_ == 2, number


def test_ten_thousand_levels() -> None:
    X = pd.DataFrame({"level": [f"level {i}" for i in range(10000)]})
    model = make(TabularRegressor, n_estimators=2, max_iter=1).fit(X, np.arange(10000.0))
    assert model.module_.networks[0].input_encoder.table.shape == (10002, 8)


@pytest.mark.parametrize("estimator", PAIR)
def test_each_network_holds_out_rows_that_count(estimator: Any) -> None:
    """A third of few rows count, so a fold of any rows might have none of these."""
    weights = np.zeros(N)
    weights[::3] = 1
    model = make(estimator, n_estimators=8).fit(TABLE, target_of(estimator), weights)
    for member in model.estimators_:
        assert np.isfinite([epoch["valid_loss"] for epoch in member.history_]).all()
    ten = weights * (np.arange(N) < 30)  # too few to hold out any
    assert not hasattr(make(estimator).fit(TABLE, target_of(estimator), ten), "oof_predictions_")


def test_early_stopping_off_counts_a_weight_of_n_as_n_rows() -> None:
    weights = rng.integers(0, 3, N)
    model = make(
        TabularRegressor,
        early_stopping=False,
        dropout=0.0,
        batch_size="all",
        precision="float64",
        learning_rate="constant",
    )
    weighted = clone(model).fit(TABLE, VALUES, weights.astype(float)).predict(TABLE)
    rows = np.arange(N).repeat(weights)
    repeated = clone(model).fit(TABLE.iloc[rows], VALUES[rows]).predict(TABLE)
    assert_allclose(weighted, repeated, rtol=1e-9, atol=1e-9)


# -------------------------------------------------------------------------------- warm starts


def test_a_warm_start_never_holds_out_what_was_trained_on() -> None:
    model = make(TabularRegressor, warm_start=True).fit(TABLE[:40], VALUES[:40])
    before = folds_of(model, None, 40)
    model.set_params(n_estimators=5).fit(TABLE, VALUES)
    assert len(model.estimators_) == 5
    for number, member in enumerate(model.estimators_[:3]):
        keys = member._row_memory
        assert not np.isin(keys.held_out, keys.trained).any()
        assert len(keys.held_out) >= (before == number).sum()
    assert np.isfinite(model.oof_predictions_).all()
    with pytest.raises(ValueError, match="n_estimators=2 is less than the 5 networks"):
        model.set_params(n_estimators=2).fit(TABLE, VALUES)


def test_a_warm_start_of_the_same_rows_in_another_order_keeps_the_folds() -> None:
    model = make(TabularRegressor, warm_start=True).fit(TABLE, VALUES)
    held_out = [member._row_memory.held_out for member in model.estimators_]
    order = rng.permutation(N)
    model.fit(TABLE.iloc[order], VALUES[order])
    for member, expected in zip(model.estimators_, held_out, strict=True):
        assert_array_equal(member._row_memory.held_out, expected)


# ----------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("estimator", PAIR)
def test_there_is_no_partial_fit_and_a_reason(estimator: Any) -> None:
    model = estimator()
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as error:
        _ = model.partial_fit
    assert "come from all of its rows" in str(error.value.__cause__ or error.value)


def test_columns_have_to_be_those_of_the_fit() -> None:
    model = make(TabularRegressor).fit(TABLE, VALUES)
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(TABLE[["price", "size", "kind", "place"]])
    with pytest.raises(ValueError, match="yet now missing:\n- place"):
        model.predict(TABLE.drop(columns="place"))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert_array_equal(model.predict(TABLE.to_numpy()), model.predict(TABLE))


def test_a_refused_fit_leaves_everything_as_it_was() -> None:
    model = make(TabularRegressor).fit(TABLE, VALUES)
    before = pickle.dumps(model.predict(TABLE)), model.oof_predictions_.tobytes()
    for y, X in [
        (np.where(VALUES > 1, np.nan, VALUES), TABLE),
        (VALUES, TABLE.replace(np.nan, np.inf)),
    ]:
        with pytest.raises(ValueError, match=r"NaN|inf"):
            model.fit(X, y)
    assert (pickle.dumps(model.predict(TABLE)), model.oof_predictions_.tobytes()) == before


def test_tags_are_true() -> None:
    tags = get_tags(TabularRegressor()).input_tags
    assert (tags.allow_nan, tags.categorical, tags.string, tags.sparse) == (True, True, True, False)
    assert not get_tags(TabularRegressor()).non_deterministic
    assert_array_equal(*(answers(make(TabularRegressor).fit(TABLE, VALUES)) for _ in range(2)))


# ------------------------------------------------------------------------------- the user's own


class Own(nn.Module):
    """Numbers, missing ones as zeros, and an embedding of each category."""

    def __init__(
        self, n_features_in: int, n_outputs: int, n_numbers: int, n_levels: tuple[int, ...]
    ) -> None:
        super().__init__()
        assert n_features_in == n_numbers + len(n_levels)
        self.n_numbers = n_numbers
        self.tables = nn.ModuleList(nn.Embedding(n + 2, 2) for n in n_levels)
        self.last = nn.Linear(n_numbers + 2 * len(n_levels), n_outputs)

    def forward(self, X: Tensor) -> Tensor:
        numbers, codes = X[:, : self.n_numbers].nan_to_num(), X[:, self.n_numbers :].long()
        parts = [table(codes[:, j]) for j, table in enumerate(self.tables)]
        return self.last(torch.cat([numbers, *parts], 1))


def test_a_module_of_the_users_gets_the_matrix() -> None:
    model = make(TabularRegressor, module=Own, n_estimators=2, learning_rate_init=0.05, max_iter=60)
    assert model.fit(TABLE, VALUES).score(TABLE, VALUES) > 0.8
    assert model.oof_predictions_.shape == (N,)


class StopAfter(Callback):
    def __init__(self, n_epochs: int) -> None:
        self.n_epochs = n_epochs

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.n_epochs:
            raise KeyboardInterrupt


def test_ctrl_c_leaves_an_ensemble_without_out_of_fold_answers() -> None:
    model = make(TabularRegressor).fit(TABLE, VALUES).set_params(callbacks=[StopAfter(3)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(TABLE, VALUES)
    assert model.predict(TABLE).shape == (N,)
    assert not hasattr(model, "oof_predictions_")


# ------------------------------------------------------------------------------ meta-estimators


@pytest.mark.parametrize("n_estimators", [1, 2])
@pytest.mark.parametrize("estimator", PAIR)
def test_pickles_files_and_joblib(estimator: Any, n_estimators: int, tmp_path: Any) -> None:
    model = make(estimator, n_estimators=n_estimators).fit(TABLE, target_of(estimator))
    joblib.dump(model, tmp_path / "model.joblib")
    sknn.save(model, tmp_path / "model.sknn")
    for copied in (
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        sknn.load(tmp_path / "model.sknn"),
    ):
        assert_array_equal(answers(copied), answers(model))
        assert hasattr(copied, "oof_predictions_") == (n_estimators > 1)


def test_meta_estimators_take_tables() -> None:
    template = make(TabularClassifier, max_iter=3, n_estimators=2)
    calibrated = CalibratedClassifierCV(template, cv=2).fit(TABLE, LABELS)
    assert_allclose(calibrated.predict_proba(TABLE).sum(1), 1)
    stacked = StackingClassifier([("table", template)], LogisticRegression(), cv=2)
    assert stacked.fit(TABLE, LABELS).predict(TABLE).shape == (N,)
    bagged = BaggingClassifier(template, 2, random_state=0).fit(TABLE.to_numpy(), LABELS)
    assert bagged.predict(TABLE.to_numpy()).shape == (N,)
    probabilities = cross_val_predict(template, TABLE, LABELS, cv=2, method="predict_proba")
    assert probabilities.shape == (N, 2)


def test_importances_are_those_of_the_columns_that_matter() -> None:
    model = make(TabularRegressor, max_iter=60).fit(TABLE, VALUES)
    importances = permutation_importance(
        model, TABLE, VALUES, n_repeats=2, random_state=0
    ).importances_mean
    assert importances.argmax() == 1
    assert len(importances) == 4


def test_a_pipeline_that_passes_data_frames() -> None:
    scale = make_column_transformer(
        (StandardScaler(), ["size", "price"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipeline = make_pipeline(scale, make(TabularClassifier)).fit(TABLE, LABELS)
    assert_array_equal(pipeline[-1].feature_names_in_, TABLE.columns)
    assert pipeline[-1]._format.n_levels == (3, 2)
    plain = make(TabularClassifier).fit(TABLE, LABELS)
    # numbers are scaled anyway
    assert_allclose(pipeline.predict_proba(TABLE), plain.predict_proba(TABLE), atol=1e-3)


@pytest.mark.parametrize("n_estimators", [1, 2])
def test_searches_have_scikit_learns_results(n_estimators: int) -> None:
    template = make(TabularClassifier, n_estimators=n_estimators, max_iter=3)
    grid = {"dropout": [0.0, 0.2], "n_bins": [8, "auto"], "max_iter": [2, 3]}
    theirs = GridSearchCV(template, grid, cv=2).fit(TABLE, LABELS)
    ours = sknn.model_selection.GridSearchCV(template, grid, cv=2).fit(TABLE, LABELS)
    assert_array_equal(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])
    assert_array_equal(ours.predict_proba(TABLE), theirs.predict_proba(TABLE))
