import copy
import itertools
import pickle
import re
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback
from torch import nn

import sknn.estimators._ensemble as ensemble_module
from sknn import NeuralClassifier, NeuralRegressor
from sknn import model_selection as ours
from sknn.estimators import FitTask, _fit, fit_together, stacking_key
from sknn.estimators.dense._format import DenseFormat
from sknn.inspection import summary
from sknn.nn import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from sknn.training import DivergenceError, _engine, _threads
from tests.helpers import assert_equal_up_to_rounding

X, y = make_classification(
    150, 8, n_informative=5, n_classes=3, flip_y=0.2, class_sep=0.7, random_state=0
)
X_labels, y_labels = make_multilabel_classification(120, 8, n_classes=4, random_state=0)
X_labels = StandardScaler().fit_transform(X_labels)
values = X[:, 0] - X[:, 1] * X[:, 2] / 3 + np.random.default_rng(0).normal(scale=0.2, size=150)
values = (values - values.mean()) / values.std()
# few epochs, and no ConvergenceWarning, as with any schedule that has an end
QUICK: dict[str, Any] = {
    "hidden_layer_sizes": (7,),
    "learning_rate": "cosine",
    "learning_rate_init": 0.02,
    "batch_size": 40,
    "max_iter": 6,
    "random_state": 3,
}
PROBLEMS: dict[str, tuple[Any, np.ndarray, np.ndarray]] = {
    "binary": (NeuralClassifier, X, y > 0),
    "multiclass": (NeuralClassifier, X, np.array(["a", "b", "c"])[y]),
    "multilabel": (NeuralClassifier, X_labels, y_labels),
    "one target": (NeuralRegressor, X, values),
    "two targets": (NeuralRegressor, X, np.column_stack([values, X[:, 3]])),
}


def make(estimator: Any = NeuralClassifier, n_estimators: int = 3, **parameters: Any) -> Any:
    return estimator(n_estimators=n_estimators, **(QUICK | parameters))


def fit(problem: str, n_estimators: int = 3, **parameters: Any) -> tuple[Any, Any, Any]:
    estimator, X, y = PROBLEMS[problem]
    return make(estimator, n_estimators, **parameters).fit(X, y), X, y


def weights(model: Any) -> list[np.ndarray]:
    return [parameter.detach().cpu().numpy() for parameter in model.module_.parameters()]


def assert_equal_weights(one: Any, other: Any) -> None:
    for actual, expected in zip(weights(one), weights(other), strict=True):
        assert_array_equal(actual, expected)


def assert_differ(one: Any, other: Any) -> None:
    assert not np.array_equal(weights(one)[0], weights(other)[0])


def fit_members_alone(model: Any, *data: Any, **fit_params: Any) -> list[Any]:
    """Fit clones of the members, each by its own `fit`."""
    return [clone(member).fit(*data, **fit_params) for member in model.estimators_]


# ------------------------------------------------------------------------------------- members


SETTINGS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "early stopping": {"early_stopping": True},
    "dropout": {"dropout": 0.3},
    "class weights": {"class_weight": "balanced"},
    "sgd": {"solver": "sgd"},
    "lbfgs": {"solver": "lbfgs", "max_iter": 500, "alpha": 3.0},
    "batch normalization": {"normalization": "batch"},
    "deep": {"hidden_layer_sizes": (6, 5), "activation": ("tanh", "relu")},
    "float32": {"precision": "float32"},
    "bfloat16": {"precision": "bfloat16"},
    "module": {"module": lambda: nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3))},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_members_are_what_their_seeds_give_alone(setting: str) -> None:
    parameters = SETTINGS[setting]
    model = make(**parameters).fit(X, y)
    assert len(model.estimators_) == 3
    for member, alone in zip(model.estimators_, fit_members_alone(model, X, y), strict=True):
        assert_equal_weights(member, alone)
        assert member.n_iter_ == alone.n_iter_
        assert_equal_up_to_rounding(
            np.array(member.loss_curve_), np.array(alone.loss_curve_), dtype=weights(alone)[0].dtype
        )
    assert_differ(*model.estimators_[:2])


@pytest.mark.parametrize("problem", PROBLEMS)
def test_members_of_every_problem_are_what_their_seeds_give_alone(problem: str) -> None:
    model, X, y = fit(problem)
    for member, alone in zip(model.estimators_, fit_members_alone(model, X, y), strict=True):
        assert_equal_weights(member, alone)
        if isinstance(model, NeuralClassifier):
            assert_array_equal(member.predict(X), alone.predict(X))
        else:
            assert_equal_up_to_rounding(member.predict(X), alone.predict(X))


@pytest.mark.parametrize("weigh", ["weights", "validation data", "both"])
def test_members_get_weights_and_validation_data(weigh: str) -> None:
    rng = np.random.default_rng(0)
    fit_params: dict[str, Any] = {}
    if weigh != "validation data":
        fit_params["sample_weight"] = rng.uniform(size=110)
    if weigh != "weights":
        fit_params |= {"X_val": X[110:], "y_val": y[110:]}
    if weigh == "both":
        fit_params["sample_weight_val"] = rng.uniform(size=40)
    model = make(early_stopping=True).fit(X[:110], y[:110], **fit_params)
    alone = fit_members_alone(model, X[:110], y[:110], **fit_params)
    for member, other in zip(model.estimators_, alone, strict=True):
        assert_equal_weights(member, other)
        assert_allclose(member.validation_scores_, other.validation_scores_, rtol=1e-12)


@pytest.mark.parametrize("parameters", [{}, {"normalization": "batch"}], ids=str)
def test_rows_are_validated_and_wrapped_once(
    monkeypatch: pytest.MonkeyPatch, parameters: dict[str, Any]
) -> None:
    """On a GPU every wrap is a copy of X; lists become a new array with every validation."""
    calls: list[str] = []

    def spy_on(name: str) -> None:
        original = getattr(DenseFormat, name)

        def spy(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(DenseFormat, name, spy)

    for name in ("learn", "check", "rows"):
        spy_on(name)
    make(**parameters).fit(X.tolist(), y, X_val=X.tolist(), y_val=y)
    assert sorted(calls) == ["check", "learn", "rows", "rows"]


def test_members_have_the_parameters_of_the_ensemble() -> None:
    model = make(n_estimators=4, alpha=0.5).fit(X, y)
    for member in model.estimators_:
        assert type(member) is NeuralClassifier
        expected = model.get_params() | {"n_estimators": 1}
        given = member.get_params()
        assert given.pop("random_state") != expected.pop("random_state")
        assert given == expected
        assert not hasattr(member, "estimators_")
    assert len({member.random_state for member in model.estimators_}) == 4


@pytest.mark.parametrize("random_state", [7, np.random.RandomState(7)], ids=["int", "instance"])
def test_the_first_members_of_a_larger_ensemble_are_a_smaller_one(random_state: Any) -> None:
    large = make(n_estimators=5, random_state=copy.deepcopy(random_state)).fit(X, y)
    small = make(n_estimators=2, random_state=copy.deepcopy(random_state)).fit(X, y)
    for one, other in zip(large.estimators_[:2], small.estimators_, strict=True):
        assert_equal_weights(one, other)


def test_a_seed_gives_the_same_ensemble_each_time_and_none_another_one() -> None:
    assert_equal_weights(make().fit(X, y), make().fit(X, y))
    model = make(random_state=None)
    before = weights(model.fit(X, y))[0]
    assert not np.array_equal(before, weights(model.fit(X, y))[0])


def test_one_network_is_as_before() -> None:
    one = make(n_estimators=1).fit(X, y)
    plain = NeuralClassifier(**QUICK).fit(X, y)
    assert_equal_weights(one, plain)
    assert one.loss_curve_ == plain.loss_curve_
    with pytest.raises(AttributeError, match="is a single network; ensembles, n_estimators > 1"):
        _ = one.estimators_
    with pytest.raises(AttributeError, match="is not fitted yet"):
        _ = make().estimators_


@pytest.fixture
def threads(training_threads: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The thread that trained each network; three are to be had, for networks of any size."""
    monkeypatch.setattr(_engine, "THREADED_FLOPS", 1)
    monkeypatch.setattr(ensemble_module, "count_threads", lambda: 3)
    return training_threads


def test_members_are_the_same_on_several_threads(threads: list[str]) -> None:
    options: dict[str, Any] = {"n_estimators": 5, "early_stopping": True, "dropout": 0.2}
    model = make(**options).fit(X, y)
    assert len(threads) == 5
    assert all(name.startswith("sknn-fits") for name in threads)
    for member in model.estimators_:
        assert_equal_weights(member, clone(member).fit(X, y))


def test_a_bar_and_lines_are_drawn_by_several_threads(
    threads: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    make(n_estimators=3, verbose="bar", max_iter=5).fit(X, y)
    assert "15/15 epochs" in capsys.readouterr().err
    make(n_estimators=3, verbose=True, max_iter=5).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 15
    assert sum(line.startswith("network 2 of 3: Iteration") for line in lines) == 5
    assert all(name.startswith("sknn-fits") for name in threads)


def test_members_are_trained_here_where_a_callback_watches(threads: list[str]) -> None:
    make(max_iter=1, callbacks=[Callback()]).fit(X, y)
    assert set(threads) == {threading.current_thread().name}


# ------------------------------------------------------------------------------------ averages


@pytest.mark.parametrize(
    "loss", [k for k, v in CLASSIFICATION_LOSSES.items() if v.defines_probabilities]
)
@pytest.mark.parametrize("problem", ["binary", "multiclass", "multilabel"])
def test_probabilities_are_the_members_mean(problem: str, loss: str) -> None:
    model, X, _ = fit(problem, loss=loss)
    P = model.predict_proba(X)
    expected = np.mean([member.predict_proba(X) for member in model.estimators_], axis=0)
    assert_allclose(P, expected, rtol=0, atol=1e-12)
    assert_allclose(np.exp(model.predict_log_proba(X)), expected, rtol=0, atol=1e-12)
    # labels and decisions say the same as the probabilities
    decisions = model.decision_function(X)
    if problem == "multilabel":
        assert_array_equal(model.predict(X), expected > 0.5)
        assert_allclose(decisions, np.log(expected / (1 - expected)), rtol=1e-9, atol=1e-9)
    elif problem == "binary":
        assert_array_equal(model.predict(X), model.classes_[(expected[:, 1] > 0.5).astype(int)])
        assert_allclose(decisions, np.log(expected[:, 1] / expected[:, 0]), rtol=1e-9, atol=1e-9)
    else:
        assert_array_equal(model.predict(X), model.classes_[expected.argmax(1)])
        assert_allclose(decisions, np.log(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "callable"])
def test_decisions_are_averaged_where_there_are_no_probabilities(problem: str, loss: str) -> None:
    if loss == "callable":
        function = nn.functional.cross_entropy
        if problem != "multiclass":
            function = nn.functional.binary_cross_entropy_with_logits
        model, X, _ = fit(problem, loss=lambda z, y: function(z, y, reduction="none"))
    else:
        model, X, _ = fit(problem, loss=loss)
    decisions = [member.decision_function(X) for member in model.estimators_]
    assert_allclose(model.decision_function(X), np.mean(decisions, 0), rtol=1e-12, atol=1e-14)
    assert not hasattr(model, "predict_proba")


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_predictions_are_the_members_mean(loss: str) -> None:
    Y = np.abs(np.column_stack([values, X[:, 3]])) + 0.5
    model = make(NeuralRegressor, loss=loss).fit(X, Y)
    expected = np.mean([member.predict(X) for member in model.estimators_], axis=0)
    assert_allclose(model.predict(X), expected, rtol=1e-12, atol=1e-14)
    assert np.ptp([member.predict(X[:1]) for member in model.estimators_]) > 0


def test_the_average_has_no_larger_loss_than_its_members_in_the_mean() -> None:
    """Jensen: -log and the square are convex, so this holds for any data and any members."""
    train, test = slice(0, 80), slice(80, None)
    model = make(n_estimators=5, max_iter=60).fit(X[train], y[train])
    losses = [log_loss(y[test], member.predict_proba(X[test])) for member in model.estimators_]
    assert log_loss(y[test], model.predict_proba(X[test])) < np.mean(losses)
    model = make(NeuralRegressor, n_estimators=5, max_iter=60).fit(X[train], values[train])
    errors = [np.square(member.predict(X[test]) - values[test]) for member in model.estimators_]
    assert np.all(np.square(model.predict(X[test]) - values[test]) <= np.mean(errors, 0) + 1e-12)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_averages_of_lower_precision(precision: str) -> None:
    model, X, _ = fit("multiclass", precision=precision)
    P = model.predict_proba(X)
    expected = np.mean([member.predict_proba(X) for member in model.estimators_], axis=0)
    assert_allclose(P, expected, rtol=0, atol=1e-6)
    assert_allclose(P.sum(1), 1, rtol=1e-14)  # scikit-learn's metrics ask for that
    assert model.predict_proba(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_sparse_rows_give_the_ensemble_of_dense_ones(kind: str) -> None:
    data = np.where(np.abs(X) > 0.7, X, 0)
    rows = getattr(sparse, f"csr_{kind}")(data)
    model, dense = make().fit(rows, y), make().fit(data, y)
    assert_allclose(model.predict_proba(rows), dense.predict_proba(data), rtol=1e-6)
    assert_allclose(model.predict_proba(data), model.predict_proba(rows), rtol=1e-6)


# ---------------------------------------------------------------------------- fitted attributes


def test_what_the_ensemble_tells_of_its_networks() -> None:
    model = make(early_stopping=True, n_iter_no_change=1, max_iter=40, learning_rate="constant")
    model.fit(X, y)
    members = model.estimators_
    assert len({member.n_iter_ for member in members}) > 1
    assert model.n_iter_ == max(member.n_iter_ for member in members)
    assert model.t_ == sum(member.t_ for member in members)
    assert model.n_parameters_ == 3 * (8 * 7 + 7 + 7 * 3 + 3)
    assert (model.n_layers_, model.n_outputs_, model.out_activation_) == (3, 3, "softmax")
    assert model.n_features_in_ == members[0].n_features_in_ == 8
    assert_array_equal(model.classes_, members[0].classes_)
    for name in (
        "history_",
        "loss_",
        "loss_curve_",
        "best_loss_",
        "validation_scores_",
        "best_validation_score_",
        "coefs_",
        "intercepts_",
    ):
        assert not hasattr(model, name)
        assert hasattr(members[0], name)
        with pytest.raises(AttributeError, match=r"see (the attributes of )?estimators_\[i\]"):
            getattr(model, name)


def test_an_unfitted_ensemble_is_not_fitted() -> None:
    with pytest.raises(NotFittedError):
        make().predict(X)
    for name in ("t_", "n_parameters_", "n_layers_", "coefs_", "loss_"):
        with pytest.raises(AttributeError, match="not fitted yet"):
            getattr(make(), name)


def test_column_names_are_known_to_the_ensemble_and_its_members() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X).add_prefix("x").assign(x0=X[:, 0].astype(np.float32))
    model = make(warm_start=True, early_stopping=True)
    for _ in range(2):
        model.fit(frame, y, X_val=frame[:50], y_val=y[:50])
    assert_array_equal(model.feature_names_in_, frame.columns)
    for member in model.estimators_:
        assert_array_equal(member.predict_proba(frame).shape, (150, 3))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


def test_an_ensemble_can_be_summed_up_and_shown() -> None:
    model, _, _ = fit("multiclass")
    table = summary(model)
    assert table.n_parameters == model.n_parameters_
    assert table.title == "NeuralClassifier: EnsembleNetwork"
    assert [row.name for row in table.layers][:2] == ["networks.0.layers.0", "networks.0.layers.1"]
    assert "3 x DenseNetwork" in model._repr_html_()


# ----------------------------------------------------------------------------- copies and pickle


def through_pickle(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("copied", [through_pickle, copy.deepcopy, copy.copy])
def test_copies_predict_the_same_and_go_on_alike(copied: Callable[[Any], Any]) -> None:
    model = make(warm_start=True).fit(X, y)
    other = copied(model)
    assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    for network, member in zip(other.module_.networks, other.estimators_, strict=True):
        assert network is member.module_
    if copied is not copy.copy:
        assert_equal_weights(copied(model).fit(X, y), model.fit(X, y))
        assert_differ(model, other)


def test_a_pickle_holds_each_network_once() -> None:
    parameters = {"hidden_layer_sizes": (200, 100), "max_iter": 1, "solver": "sgd"}
    one, five = (len(pickle.dumps(make(n_estimators=n, **parameters).fit(X, y))) for n in (1, 5))
    assert 4.5 * one < five < 5.2 * one


def test_clones_are_not_fitted() -> None:
    model, _, _ = fit("binary")
    cloned = clone(model)
    assert cloned.get_params() == model.get_params()
    assert not hasattr(cloned, "estimators_")


def test_written_weights_take_effect() -> None:
    model, X, _ = fit("one target")
    for member in model.estimators_:
        member.coefs_[-1][:] = 0
        member.intercepts_[-1][:] = member.random_state
    assert_allclose(model.predict(X), np.mean([m.random_state for m in model.estimators_]))


def test_an_ensemble_moves_as_a_whole() -> None:
    model, X, _ = fit("binary", precision="float32")
    before = model.predict_proba(X)
    model.module_.to(torch.float64)
    assert weights(model.estimators_[2])[0].dtype == np.float64
    assert_allclose(model.predict_proba(X), before, rtol=1e-5)


# ------------------------------------------------------------------------------- going on


@pytest.mark.parametrize("parameters", [{}, {"early_stopping": True}, {"dropout": 0.2}], ids=str)
def test_warm_starts_go_on_with_every_member(parameters: dict[str, Any]) -> None:
    model = make(warm_start=True, **parameters).fit(X, y)
    alone = fit_members_alone(model, X, y)
    members = list(model.estimators_)
    model.fit(X, y)
    for member, before, other in zip(model.estimators_, members, alone, strict=True):
        assert member is before
        assert_equal_weights(member, other.fit(X, y))


def test_without_warm_start_everything_is_new() -> None:
    model = make().fit(X, y)
    before = copy.deepcopy(model)
    assert_equal_weights(model.fit(X, y), before)
    assert model.set_params(n_estimators=2).fit(X, y).n_parameters_ * 3 == before.n_parameters_ * 2


def test_partial_fit_trains_every_member_for_an_epoch() -> None:
    model = make(learning_rate="constant")
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert (model.n_iter_, model.t_) == (1, 3 * 3 * 150)
    for member in model.estimators_:
        alone = clone(member)
        for _ in range(3):
            alone.partial_fit(X, y, classes=[0, 1, 2])
        assert_equal_weights(member, alone)


def test_partial_fit_knows_all_classes_from_the_first_call() -> None:
    model = make().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    assert model.partial_fit(X[y == 2], y[y == 2]).predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        make().partial_fit(X, y)
    regressor = make(NeuralRegressor).partial_fit(X, values).partial_fit(X, values)
    with pytest.raises(ValueError, match="y has 2 target"):
        regressor.partial_fit(X, X[:, :2])


def test_changed_parameters_reach_the_members() -> None:
    stale = Callback()
    model = make(warm_start=True, callbacks=[stale]).fit(X, y)
    copies = [member.callbacks[0] for member in model.estimators_]
    model.set_params(max_iter=2, learning_rate="constant")
    with pytest.warns(ConvergenceWarning, match=r"\(2\)"):
        model.fit(X, y)
    assert [member.n_iter_ for member in model.estimators_] == [2, 2, 2]
    assert [member.callbacks[0] for member in model.estimators_] == copies
    model.set_params(callbacks=None, learning_rate="cosine").fit(X, y)
    assert [member.callbacks for member in model.estimators_] == [None] * 3


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_an_ensemble_grows_with_new_members_from_scratch(how: str) -> None:
    model = make(n_estimators=2, warm_start=True).fit(X, y)
    first = list(model.estimators_)
    getattr(model.set_params(n_estimators=4), how)(X, y)
    assert model.estimators_[:2] == first
    assert model.n_parameters_ == 4 * first[0].n_parameters_
    # the new ones are those that an ensemble of four has
    expected = make(n_estimators=4)
    expected = getattr(expected, how)(X, y, **({"classes": [0, 1, 2]} if how != "fit" else {}))
    for one, other in zip(model.estimators_[2:], expected.estimators_[2:], strict=True):
        assert_equal_weights(one, other)


def test_new_members_compute_in_the_type_of_the_first_ones() -> None:
    model = make(n_estimators=1, warm_start=True).fit(X, y)
    model.set_params(n_estimators=3).fit(X.astype(np.float32), y)
    assert {array.dtype for array in weights(model)} == {np.dtype(np.float64)}
    assert_allclose(model.predict_proba(X).sum(1), 1)


def test_only_new_members_draw_seeds() -> None:
    random_state = np.random.RandomState(0)
    model = make(n_estimators=2, warm_start=True, random_state=random_state).fit(X, y)
    before = random_state.get_state()[2]
    model.fit(X, y).partial_fit(X, y)
    assert random_state.get_state()[2] == before
    model.set_params(n_estimators=3).fit(X, y)
    assert len({member.random_state for member in model.estimators_}) == 3


def test_a_network_that_was_alone_becomes_the_first_member() -> None:
    model = make(n_estimators=1, warm_start=True).fit(X, y)
    alone = copy.deepcopy(model)
    model.set_params(n_estimators=3).fit(X, y)
    assert_equal_weights(model.estimators_[0], alone.fit(X, y))
    assert len(model.estimators_) == 3
    assert not hasattr(model, "history_")
    assert model.estimators_[0].n_estimators == 1


def test_an_ensemble_does_not_shrink_but_starts_anew() -> None:
    model = make(warm_start=True).fit(X, y)
    for fewer in (1, 2):
        model.set_params(n_estimators=fewer)
        for call in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=f"n_estimators={fewer} is less than the 3 net"):
                call(X, y)
    model.set_params(warm_start=False, n_estimators=1).fit(X, y)
    assert not hasattr(model, "estimators_")
    assert_equal_weights(model, make(n_estimators=1).fit(X, y))
    assert_equal_weights(model.set_params(n_estimators=2).fit(X, y), make(n_estimators=2).fit(X, y))
    assert not hasattr(model, "history_")


# ---------------------------------------------------------------------- interrupts and divergence


class InterruptAt(Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("stacks_on_a_cpu")
def test_an_interrupt_leaves_all_members_of_a_stack_with_the_weights_so_far() -> None:
    model = make(callbacks=[InterruptAt(3)], warm_start=True, learning_rate="constant")
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert len(model.estimators_) == 3
    assert model.predict_proba(X).shape == (150, 3)
    assert_allclose(
        model.predict_proba(X), np.mean([m.predict_proba(X) for m in model.estimators_], 0)
    )
    assert not model.module_.training
    model.set_params(callbacks=None, max_iter=200, tol=0.01).fit(X, y)
    assert [len(m.history_) > 3 for m in model.estimators_] == [True] * 3


def test_an_interrupt_leaves_the_members_that_have_been_begun() -> None:
    class InSecond(Callback):
        n_begun = 0

        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            type(self).n_begun += 1

        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if self.n_begun == 2:
                raise KeyboardInterrupt

    model = make(normalization="batch", callbacks=[InSecond()], warm_start=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert [member.n_iter_ for member in model.estimators_] == [6, 1]
    assert model.predict(X).shape == (150,)
    model.set_params(callbacks=None).fit(X, y)  # goes on, and fits the third
    assert [len(member.history_) for member in model.estimators_] == [12, 7, 6]


def test_an_interrupt_before_anything_was_trained_leaves_an_unfitted_estimator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    model = make()
    monkeypatch.setattr(_fit, "_make_training", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not hasattr(model, "estimators_")
    assert not hasattr(model, "module_")


@pytest.mark.usefixtures("threads")
def test_an_interrupt_ends_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    original = _threads.wait
    calls: list[int] = []

    def wait(futures: Any, timeout: float, return_when: str) -> Any:
        calls.append(len(futures))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(futures, 0.2, return_when)

    monkeypatch.setattr(_threads, "wait", wait)
    n_threads = threading.active_count()
    model = make(max_iter=100_000)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert threading.active_count() == n_threads
    assert calls == [3, 3]
    assert 0 < min(m.n_iter_ for m in model.estimators_) <= model.n_iter_ < 100_000
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("where", ["threads", "here", "stacks_on_a_cpu"])
def test_divergence_names_the_member(request: pytest.FixtureRequest, where: str) -> None:
    if where != "here":
        request.getfixturevalue(where)
    model = make(NeuralRegressor, solver="sgd", learning_rate_init=1e6, max_iter=50)
    with pytest.raises(DivergenceError, match=r"^estimators_\[\d\]: Solver produced non-finite"):
        model.fit(X, values)
    # in threads, as many as had begun
    assert len(model.estimators_) in {"threads": (1, 2, 3), "here": (1,)}.get(where, (3,))


def test_an_error_of_one_member_ends_the_others_and_says_whose_it_is() -> None:
    class Fails(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if net.estimator.random_state % 2 == parity and len(net.history) == 2:
                raise RuntimeError("no space left")

    seeds = [member.random_state for member in make().fit(X, y).estimators_]
    parity = seeds[0] % 2
    model = make(callbacks=[Fails()], max_iter=10_000)
    with pytest.raises(RuntimeError, match="no space left") as info:
        model.fit(X, y)
    assert info.value.__notes__ == ["This was network 1 of 3, estimators_[0]."]
    assert model.n_iter_ == 2


# ------------------------------------------------------------------------- warnings and printing


def test_there_is_one_convergence_warning_for_all() -> None:
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(6\)") as record:
        make(learning_rate="constant").fit(X, y)
    assert len(record) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(X, y)


def test_verbose_names_the_network(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble_module, "count_threads", lambda: 1)
    make(n_estimators=2, max_iter=3, verbose=True, early_stopping=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 3
    for line, (network, epoch) in zip(lines, itertools.product((1, 2), (1, 2, 3)), strict=True):
        start = (
            rf"network {network} of 2: Iteration {epoch}/3: training loss \d.*; validation loss \d"
        )
        assert re.match(start, line)
    model = make(n_estimators=2, max_iter=3, verbose=True).fit(X, y)
    capsys.readouterr()
    model.estimators_[1].fit(X, y)
    assert capsys.readouterr().out.startswith("Iteration 1/3")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_members_share_a_bar(solver: str, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = make(n_estimators=3, max_iter=4, verbose="bar", solver=solver).fit(X, y)
    out, err = capsys.readouterr()
    n_epochs = sum(member.n_iter_ for member in model.estimators_)
    assert out == ""
    assert f"| {n_epochs}/{n_epochs} epochs [" in err.rstrip().rpartition("\r")[2]
    assert err.count("\n") == 1


class Counts(Callback):
    def __init__(self) -> None:
        self.n_epochs = self.n_batches = 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.n_epochs += 1
        assert len(net.predict(X)) == len(X)


class CountsBatches(Counts):
    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        self.n_batches += 1


@pytest.mark.parametrize("kind", [Counts, CountsBatches])
def test_each_member_has_its_own_callbacks(kind: Any) -> None:
    given = kind()
    model = make(callbacks=[given]).fit(X, y)
    assert given.n_epochs == 0
    copies = [member.callbacks[0] for member in model.estimators_]
    assert [each.n_epochs for each in copies] == [6, 6, 6]
    assert [each.n_batches for each in copies] == [24 if kind is CountsBatches else 0] * 3
    assert_equal_weights(model, make().fit(X, y))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_scikit_learns_callbacks_follow_every_network(solver: str) -> None:
    monitor = ScoringMonitor(scoring="accuracy")
    parameters = {"solver": solver, "max_iter": 100 if solver == "lbfgs" else 6, "tol": 0.05}
    model = make(n_estimators=2, **parameters).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == sum(member.n_iter_ for member in model.estimators_)
    for number, member in enumerate(model.estimators_):
        own = [row["accuracy"] for row in rows if row["parent_task_id_path"][-1] == number]
        assert len(own) == member.n_iter_
        assert own[-1] == member.score(X, y)
        assert not hasattr(member, "_skl_callbacks")
    assert_equal_weights(model, make(n_estimators=2, **parameters).fit(X, y))
    assert not hasattr(model, "_callback_fit_ctx")


def test_progress_bar_of_scikit_learn_works() -> None:
    pytest.importorskip("rich")
    model = make().set_callbacks(ProgressBar())
    assert model.fit(X, y).n_iter_ == 6
    assert model.fit(X, y).n_iter_ == 6


# --------------------------------------------------------------------------- inside other things


@pytest.mark.parametrize("value", [0, -1, 2.5, "3", None])
def test_bad_numbers_of_networks_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="The 'n_estimators' parameter of NeuralClassifier must"):
        make(n_estimators=value).fit(X, y)


def test_numpy_numbers_are_taken() -> None:
    assert len(make(n_estimators=np.int64(2)).fit(X, y).estimators_) == 2


def test_ensembles_have_no_stack_with_others_but_are_fitted_among_them() -> None:
    assert stacking_key(make()) is None
    assert stacking_key(make(n_estimators=1)) is not None
    tasks = [FitTask(make(n_estimators=n), X, y) for n in (1, 3, 1, 0)]
    fit_together(tasks)
    assert_equal_weights(tasks[0].estimator, make(n_estimators=1).fit(X, y))
    assert_equal_weights(tasks[1].estimator, make().fit(X, y))
    assert "n_estimators" in str(tasks[3].error)
    for task in tasks[:3]:
        task.conclude()


@pytest.mark.parametrize("search", [GridSearchCV, ours.GridSearchCV])
def test_the_number_of_networks_can_be_searched(search: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), make(max_iter=3))
    grid = {"neuralclassifier__n_estimators": [1, 2, 4]}
    found = search(pipeline, grid, cv=2, scoring="neg_log_loss").fit(X, y)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    n_best = found.best_params_["neuralclassifier__n_estimators"]
    expected = clone(pipeline).set_params(neuralclassifier__n_estimators=n_best).fit(X, y)
    assert_equal_up_to_rounding(found.predict_proba(X), expected.predict_proba(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([NeuralClassifier(max_iter=20, n_estimators=2)])
def test_estimator_checks_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    run_check(estimator, check)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([NeuralRegressor(max_iter=40, n_estimators=2)])
def test_estimator_checks_of_scikit_learn_for_regressors(
    estimator: Any, check: Callable[[Any], None]
) -> None:
    run_check(estimator, check)


def run_check(estimator: Any, check: Callable[[Any], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke warnings on purpose
        check(estimator)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_members_share_the_rows_on_a_gpu() -> None:
    model = make(device="cuda").fit(X, y)
    for member, alone in zip(model.estimators_, fit_members_alone(model, X, y), strict=True):
        assert_allclose(member.predict_proba(X), alone.predict_proba(X), atol=1e-5)
    moved = pickle.loads(pickle.dumps(model))
    assert_allclose(moved.predict_proba(X), model.predict_proba(X), atol=1e-6)
