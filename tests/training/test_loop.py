import contextlib
import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score, log_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    GradientNormClipping,
    LRScheduler,
    PrintLog,
    TrainEndCheckpoint,
)

from sknn import NeuralClassifier, NeuralRegressor
from tests.helpers import case_name

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X_all = StandardScaler().fit_transform(load_iris().data)
y_all = load_iris().target
X, y = X_all[::2], y_all[::2]
VALIDATION = {"X_val": X_all[1::2], "y_val": y_all[1::2]}
MAX_ITER = 4


def make_classifier(**parameters: Any) -> NeuralClassifier:
    parameters = {"batch_size": 20, "max_iter": MAX_ITER, "random_state": 0} | parameters
    return NeuralClassifier((10,), **parameters)


def epoch_values(model: Any, key: str) -> list[Any]:
    return [epoch[key] for epoch in model.history_]


def assert_same_weights(first: Any, second: Any, **tolerance: float) -> None:
    for one, other in zip(
        first.coefs_ + first.intercepts_, second.coefs_ + second.intercepts_, strict=True
    ):
        assert_allclose(one, other, **tolerance)


class Recorder(Callback):
    """Counts hooks and keeps what they got."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.batches: list[Any] = []
        self.gradients: list[dict[str, np.ndarray]] = []
        self.losses: list[float] = []

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.calls.append("train begin")

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.calls.append("train end")

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.calls.append("epoch begin")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.calls.append("epoch end")

    def on_batch_begin(self, net: Any, batch: Any = None, training: Any = None, **kw: Any) -> None:
        assert training
        self.calls.append("batch begin")
        self.batches.append(batch)

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        self.calls.append("gradient")
        self.gradients.append({name: p.grad.numpy().copy() for name, p in named_parameters})

    def on_batch_end(self, net: Any, loss: Any = None, **kwargs: Any) -> None:
        self.calls.append("batch end")
        self.losses.append(float(loss))


# ------------------------------------------------------------------------------------- history


def test_history_has_an_entry_an_epoch() -> None:
    model = make_classifier().fit(X, y)
    assert len(model.history_) == model.n_iter_ == MAX_ITER
    for epoch in model.history_:
        assert {"train_loss", "train_score", "learning_rate", "dur"} <= set(epoch)
        assert "valid_loss" not in epoch
        assert epoch["dur"] > 0
    assert epoch_values(model, "train_loss") == model.loss_curve_
    assert epoch_values(model, "learning_rate") == [0.001] * MAX_ITER
    assert epoch_values(model, "epoch") == [1, 2, 3, 4]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_validation_data_add_loss_and_score(early_stopping: bool) -> None:
    model = make_classifier(early_stopping=early_stopping, max_iter=30, learning_rate_init=0.01)
    model.fit(X, y, **VALIDATION)
    scores = epoch_values(model, "valid_score")
    assert scores == model.validation_scores_
    if early_stopping:
        assert model.score(VALIDATION["X_val"], VALIDATION["y_val"]) == max(scores)
    else:
        assert model.score(VALIDATION["X_val"], VALIDATION["y_val"]) == scores[-1]
        expected = log_loss(VALIDATION["y_val"], model.predict_proba(VALIDATION["X_val"]))
        assert_allclose(model.history_[-1]["valid_loss"], expected, rtol=1e-9)


def test_the_training_loss_has_the_penalty_and_the_validation_loss_has_not() -> None:
    """With a learning rate of nearly nothing both can be computed from the weights."""
    model = make_classifier(
        solver="sgd", learning_rate_init=1e-300, momentum=0, alpha=2.0, batch_size=75, max_iter=1
    ).fit(X, y, **VALIDATION)
    penalty = sum(np.square(coef).sum() for coef in model.coefs_)
    expected = log_loss(y, model.predict_proba(X)) + 2.0 / 2 * penalty / len(y)
    assert_allclose(model.history_[0]["train_loss"], expected, rtol=1e-9)
    expected = log_loss(VALIDATION["y_val"], model.predict_proba(VALIDATION["X_val"]))
    assert_allclose(model.history_[0]["valid_loss"], expected, rtol=1e-9)
    assert model.history_[0]["train_score"] == model.score(X, y)


def test_history_goes_on_in_partial_fit_and_starts_anew_in_fit() -> None:
    model = make_classifier().fit(X, y)
    model.partial_fit(X, y)
    assert len(model.history_) == MAX_ITER + 1
    assert len(model.fit(X, y).history_) == MAX_ITER


# --------------------------------------------------------------------------------------- hooks


@pytest.mark.parametrize(("batch_size", "n_batches"), [(20, 4), (25, 3), (75, 1), (74, 2)])
def test_hooks_are_called_as_often_as_there_are_batches(batch_size: int, n_batches: int) -> None:
    recorder = Recorder()
    make_classifier(callbacks=[recorder], batch_size=batch_size, max_iter=2).fit(X, y)
    batch = ["batch begin", "gradient", "batch end"]
    epoch = ["epoch begin", *(batch * n_batches), "epoch end"]
    assert recorder.calls == ["train begin", *(epoch * 2), "train end"]


def test_batch_hooks_get_each_row_once_an_epoch() -> None:
    recorder = Recorder()
    make_classifier(callbacks=[recorder], max_iter=1).fit(X, y)
    rows = np.concatenate([batch[0].numpy() for batch in recorder.batches])
    targets = np.concatenate([batch[1].numpy() for batch in recorder.batches])
    order = [int(np.flatnonzero((row == X).all(1))[0]) for row in rows]
    assert_array_equal(np.sort(X.sum(1)), np.sort(rows.sum(1)))
    assert_array_equal(targets, y[order])
    assert order != sorted(order)


def test_hooks_do_not_change_the_training() -> None:
    recorder = Recorder()
    model = make_classifier(callbacks=[("recorder", recorder)]).fit(X, y)
    plain = make_classifier().fit(X, y)
    assert_same_weights(model, plain, rtol=0)
    assert model.loss_curve_ == plain.loss_curve_
    sizes = [20, 20, 20, 15] * MAX_ITER
    by_epoch = np.reshape(np.array(recorder.losses) * sizes, (MAX_ITER, 4)).sum(1) / 75
    assert_allclose(by_epoch, model.loss_curve_, rtol=1e-9)


def test_gradient_hook_sees_the_gradient_that_updates_the_weights() -> None:
    recorder = Recorder()
    parameters: dict[str, Any] = {"solver": "sgd", "momentum": 0, "batch_size": 75, "max_iter": 1}
    start = make_classifier(learning_rate_init=1e-300, **parameters).fit(X, y)
    model = make_classifier(
        learning_rate_init=0.1, callbacks=[recorder], alpha=0.3, **parameters
    ).fit(X, y)
    (gradients,) = recorder.gradients
    first = next(name for name in gradients if name.endswith("weight"))
    assert_allclose(
        model.coefs_[0], start.coefs_[0] - 0.1 * gradients[first].T, rtol=1e-9, atol=1e-12
    )


def test_a_callback_may_predict_with_dropout_and_training_goes_on_unchanged() -> None:
    class Predicts(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            first, second = net.predict_proba(X), net.predict_proba(X)
            assert_array_equal(first, second)

    model = make_classifier(dropout=0.5, callbacks=[Predicts()]).fit(X, y)
    assert_same_weights(model, make_classifier(dropout=0.5).fit(X, y), rtol=0)


@pytest.mark.parametrize("kind", [list, tuple])
def test_callbacks_may_be_a_list_or_a_tuple_and_are_not_changed(kind: Any) -> None:
    callbacks = kind([Recorder()])
    model = make_classifier(callbacks=callbacks).fit(X, y)
    assert model.callbacks is callbacks
    assert len(callbacks) == 1


def test_an_exception_in_a_callback_comes_through_and_leaves_the_model_fitted() -> None:
    class Fails(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            raise RuntimeError("from the callback")

    model = make_classifier(callbacks=[Fails()])
    with pytest.raises(RuntimeError, match="from the callback"):
        model.fit(X, y)
    assert model.predict(X).shape == y.shape


# --------------------------------------------------------------------------- skorch's callbacks


def test_early_stopping_ends_training_without_an_exception_or_a_warning() -> None:
    stop = EarlyStopping(monitor="valid_loss", patience=3, threshold=10.0, sink=lambda _: None)
    model = make_classifier(max_iter=50, callbacks=[stop])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model.fit(X, y, **VALIDATION)
    assert model.n_iter_ == len(model.history_) == 4
    assert model.predict(X).shape == y.shape


def test_early_stopping_can_load_the_best_weights() -> None:
    stop = EarlyStopping(monitor="valid_loss", patience=2, load_best=True, sink=lambda _: None)
    model = make_classifier(max_iter=60, solver="sgd", learning_rate_init=2.0, callbacks=[stop])
    model.fit(X, y, **VALIDATION)
    losses = epoch_values(model, "valid_loss")
    assert model.n_iter_ < 60
    assert losses[-1] > min(losses)
    loss = log_loss(VALIDATION["y_val"], model.predict_proba(VALIDATION["X_val"]))
    assert_allclose(loss, min(losses), rtol=1e-9)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_epoch_scoring_scores_the_validation_data(early_stopping: bool) -> None:
    scoring = EpochScoring("accuracy", name="my_accuracy", lower_is_better=False)
    model = make_classifier(callbacks=[scoring], early_stopping=early_stopping)
    model.fit(X, y, **VALIDATION)
    assert epoch_values(model, "my_accuracy") == model.validation_scores_


def test_epoch_scoring_scores_the_rows_that_early_stopping_holds_out() -> None:
    scoring = EpochScoring("accuracy", name="my_accuracy", lower_is_better=False)
    model = make_classifier(callbacks=[scoring], early_stopping=True, validation_fraction=0.2)
    model.fit(X, y)
    assert epoch_values(model, "my_accuracy") == model.validation_scores_


def test_epoch_scoring_scores_the_training_data() -> None:
    scoring = EpochScoring("accuracy", name="mine", lower_is_better=False, on_train=True)
    model = make_classifier(callbacks=[scoring]).fit(X, y)
    assert model.history_[-1]["mine"] == model.score(X, y)


@pytest.mark.parametrize(
    ("scorer", "metric"),
    [
        ("neg_log_loss", lambda y, p: -log_loss(y, p)),
        ("roc_auc_ovr", lambda y, p: roc_auc_score(y, p, multi_class="ovr")),
        ("f1_macro", lambda y, p: f1_score(y, p.argmax(1), average="macro")),
    ],
)
def test_epoch_scoring_takes_any_scorer_of_scikit_learn(scorer: str, metric: Any) -> None:
    callback = EpochScoring(scorer, name="mine", lower_is_better=False)
    model = make_classifier(callbacks=[callback]).fit(X, y, **VALIDATION)
    expected = metric(VALIDATION["y_val"], model.predict_proba(VALIDATION["X_val"]))
    assert_allclose(model.history_[-1]["mine"], expected)


def test_epoch_scoring_of_a_regressor() -> None:
    scoring = EpochScoring("r2", name="mine", lower_is_better=False)
    model = NeuralRegressor(max_iter=3, callbacks=[scoring], random_state=0)
    target = X_all[:, 3]
    model.fit(X, target[::2], X_val=VALIDATION["X_val"], y_val=target[1::2])
    assert_allclose(epoch_values(model, "mine"), model.validation_scores_)


def test_early_stopping_takes_an_epoch_scoring_as_monitor() -> None:
    scoring = EpochScoring("accuracy", name="mine", lower_is_better=False)
    stop = EarlyStopping(
        monitor="mine", lower_is_better=False, patience=2, threshold=1.0, sink=lambda _: None
    )
    model = make_classifier(max_iter=30, callbacks=[scoring, stop]).fit(X, y, **VALIDATION)
    assert model.n_iter_ == 3


@pytest.mark.parametrize(
    "monitor", ["valid_loss_best", "train_loss_best", None, lambda net: True], ids=case_name
)
def test_checkpoints_hold_the_weights(monitor: Any, tmp_path: Path) -> None:
    checkpoint = Checkpoint(dirname=str(tmp_path), monitor=monitor)
    model = make_classifier(max_iter=3, callbacks=[checkpoint]).fit(X, y, **VALIDATION)
    weights = torch.load(tmp_path / "params.pt", weights_only=True)
    # every epoch is better than the one before, so the last one was stored
    assert (np.diff(model.loss_curve_) < 0).all()
    for name, value in model.module_.state_dict().items():
        assert_array_equal(weights[name].numpy(), value.numpy())
    assert torch.load(tmp_path / "optimizer.pt", weights_only=True)["param_groups"]
    assert (tmp_path / "history.json").stat().st_size > 0


def test_a_checkpoint_can_load_the_best_weights(tmp_path: Path) -> None:
    checkpoint = Checkpoint(dirname=str(tmp_path), monitor="valid_loss_best", load_best=True)
    model = make_classifier(
        max_iter=30, solver="sgd", learning_rate_init=2.0, callbacks=[checkpoint]
    ).fit(X, y, **VALIDATION)
    losses = epoch_values(model, "valid_loss")
    loss = log_loss(VALIDATION["y_val"], model.predict_proba(VALIDATION["X_val"]))
    assert losses[-1] > min(losses)
    assert_allclose(loss, min(losses), rtol=1e-9)


def test_the_last_weights_are_stored_at_the_end(tmp_path: Path) -> None:
    model = make_classifier(callbacks=[TrainEndCheckpoint(dirname=str(tmp_path))]).fit(X, y)
    weights = torch.load(tmp_path / "train_end_params.pt", weights_only=True)
    for name, value in model.module_.state_dict().items():
        assert_array_equal(weights[name].numpy(), value.numpy())


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw", torch.optim.Adam])
def test_lr_scheduler_sets_the_learning_rate(solver: Any) -> None:
    schedule = LRScheduler("ExponentialLR", gamma=0.5)
    model = make_classifier(solver=solver, callbacks=[schedule]).fit(X, y)
    assert_allclose(epoch_values(model, "learning_rate"), 0.001 * 0.5 ** np.arange(MAX_ITER))


def test_lr_scheduler_can_watch_the_validation_loss() -> None:
    schedule = LRScheduler("ReduceLROnPlateau", monitor="valid_loss", patience=0, threshold=10.0)
    model = make_classifier(callbacks=[schedule]).fit(X, y, **VALIDATION)
    assert epoch_values(model, "learning_rate")[-1] < 0.001


def test_lr_scheduler_can_step_with_every_batch() -> None:
    schedule = LRScheduler("ExponentialLR", gamma=0.5, step_every="batch")
    model = make_classifier(callbacks=[schedule], max_iter=2).fit(X, y)
    assert_allclose(epoch_values(model, "learning_rate"), [0.001, 0.001 * 0.5**4])


def test_gradient_norm_clipping_is_max_grad_norm() -> None:
    clipping = GradientNormClipping(gradient_clip_value=0.05)
    clipped = make_classifier(callbacks=[clipping], solver="sgd", learning_rate_init=0.1).fit(X, y)
    own = make_classifier(max_grad_norm=0.05, solver="sgd", learning_rate_init=0.1).fit(X, y)
    assert_same_weights(clipped, own, rtol=1e-9)
    free = make_classifier(solver="sgd", learning_rate_init=0.1).fit(X, y)
    assert not np.allclose(free.coefs_[0], own.coefs_[0])


def test_print_log_and_timer_work() -> None:
    lines: list[str] = []
    make_classifier(callbacks=[EpochTimer(), PrintLog(sink=lines.append)]).fit(X, y, **VALIDATION)
    assert "train_loss" in lines[0]
    assert "valid_loss" in lines[0]
    assert len(lines) == 2 + MAX_ITER


def test_skorch_progress_bar_works() -> None:
    pytest.importorskip("tqdm")
    from skorch.callbacks import ProgressBar as SkorchProgressBar

    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        make_classifier(callbacks=[SkorchProgressBar(detect_notebook=False)]).fit(X, y)
    assert errors.getvalue().count("0/4") >= MAX_ITER


def test_skorch_callbacks_work_with_lbfgs(tmp_path: Path) -> None:
    recorder = Recorder()
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0, sink=lambda _: None)
    scoring = EpochScoring("accuracy", name="mine", lower_is_better=False)
    model = make_classifier(solver="lbfgs", max_iter=50, callbacks=[recorder, scoring, stop])
    model.fit(X, y, **VALIDATION)
    assert model.n_iter_ == len(model.history_) == 3
    assert epoch_values(model, "mine") == model.validation_scores_
    assert recorder.calls.count("epoch end") == 3
    assert recorder.calls[-1] == "train end"


# ---------------------------------------------------------------------- scikit-learn's callbacks


class StopAfter:
    """A scikit-learn callback that ends the fit."""

    def __init__(self, n_epochs: int) -> None:
        self.n_epochs = n_epochs
        self.n_ended = 0
        self.scores: list[float] = []

    def setup(self, estimator: Any, context: Any) -> None:
        pass

    def teardown(self, estimator: Any, context: Any) -> None:
        pass

    def on_fit_task_begin(self, estimator: Any, context: Any, **kwargs: Any) -> None:
        pass

    def on_fit_task_end(
        self,
        estimator: Any,
        context: Any,
        *,
        X: Any = None,
        y: Any = None,
        fitted_estimator: Any = None,
        metadata: Any = None,
    ) -> bool:
        if context.task_name != "epoch":
            return False
        self.n_ended += 1
        self.scores.append(fitted_estimator.score(X, y))
        return self.n_ended >= self.n_epochs


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_scikit_learn_callback_can_stop_the_fit(solver: str) -> None:
    stop = StopAfter(3)
    model = make_classifier(solver=solver, max_iter=30).set_callbacks(stop)
    model.fit(X, y)
    assert model.n_iter_ == stop.n_ended == 3
    assert stop.scores[-1] == model.score(X, y)


def test_scoring_monitor_logs_each_epoch() -> None:
    monitor = ScoringMonitor(scoring="accuracy")
    model = make_classifier().set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs()
    scores = [row["accuracy"] for row in log.data if row["task_name"] == "epoch"]
    assert len(scores) == MAX_ITER
    assert scores[-1] == model.score(X, y)


def test_scikit_learns_callbacks_do_not_change_the_training() -> None:
    monitored = make_classifier(dropout=0.3).set_callbacks(ScoringMonitor(scoring="accuracy"))
    assert_same_weights(monitored.fit(X, y), make_classifier(dropout=0.3).fit(X, y), rtol=0)


def test_progress_bar_of_scikit_learn_works() -> None:
    pytest.importorskip("rich")
    model = make_classifier().set_callbacks(ProgressBar())
    assert model.fit(X, y).n_iter_ == MAX_ITER


# ------------------------------------------------------------------------------------- printing


NUMBER = r"-?\d+\.\d*(?:e[+-]\d+)?"


def test_verbose_tells_the_epochs_figures(capsys: pytest.CaptureFixture[str]) -> None:
    model = make_classifier(verbose=True, max_iter=10, learning_rate="cosine")
    model.fit(X, y, X_val=X[:50], y_val=y[:50])
    lines = capsys.readouterr().out.splitlines()
    pattern = re.compile(
        rf"Iteration +(\d+)/10: training loss ({NUMBER}), accuracy ({NUMBER}); "
        rf"validation loss ({NUMBER}), accuracy ({NUMBER}) \(\d+(?: ms|\.\d s)\)"
    )
    keys = ("epoch", "train_loss", "train_score", "valid_loss", "valid_score")
    printed = [[float(each) for each in pattern.fullmatch(line).groups()] for line in lines]
    recorded = [[epoch[key] for key in keys] for epoch in model.history_]
    assert_allclose(printed, recorded, rtol=2e-3, atol=6e-4)
    assert max(map(len, lines)) <= 100


def test_verbose_in_every_way_of_training(capsys: pytest.CaptureFixture[str]) -> None:
    regressor = NeuralRegressor(
        hidden_layer_sizes=(4,), solver="lbfgs", max_iter=3, verbose=True, random_state=0
    )
    with pytest.warns(ConvergenceWarning):
        regressor.fit(X, X[:, 0])
    out = capsys.readouterr().out
    assert re.match(rf"Iteration 1/3: training loss {NUMBER} \(", out)
    model = make_classifier(verbose=2)
    for _ in range(2):  # nobody knows how many calls will come
        model.partial_fit(X, y, classes=np.unique(y))
    out = capsys.readouterr().out
    assert re.match(
        rf"Iteration 1: training .*\nIteration 2: training loss {NUMBER}, accuracy", out
    )
    regressor = NeuralRegressor(
        hidden_layer_sizes=(4,), max_iter=1, learning_rate="cosine", verbose=True
    )
    regressor.fit(X, X[:, 0])
    assert re.search(rf"R2 {NUMBER} \(", capsys.readouterr().out)


def test_verbose_draws_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    model = make_classifier(verbose="bar", max_iter=8, learning_rate="cosine")
    model.fit(X, y, X_val=X[:50], y_val=y[:50])
    out, err = capsys.readouterr()
    assert out == ""
    last = err.rstrip().rpartition("\r")[2]
    loss, score = (model.history_[-1][key] for key in ("valid_loss", "valid_score"))
    assert "8/8 epochs" in last
    assert last.endswith(f", validation loss {loss:#.4g}, accuracy {score:.3f}]")
    assert len(last) <= 100


def test_a_bar_ends_with_the_training(capsys: pytest.CaptureFixture[str]) -> None:
    make_classifier(verbose="bar", tol=10.0, max_iter=30).fit(X, y)
    out, err = capsys.readouterr()
    assert out == ""
    assert "for 10 consecutive epochs. Stopping.\n" in err
    assert "100%|██████████| 12/12 epochs" in err.rstrip().rpartition("\r")[2]


def test_a_bar_changes_no_weights() -> None:
    quiet = make_classifier().fit(X, y)
    assert_same_weights(make_classifier(verbose="bar").fit(X, y), quiet, rtol=0)


@pytest.mark.parametrize("verbose", [-1, "yes", 1.5])
def test_other_values_of_verbose_are_refused(verbose: Any) -> None:
    with pytest.raises(ValueError, match="'verbose' parameter .* must be .* among {'bar'}"):
        make_classifier(verbose=verbose).fit(X, y)


def test_verbose_says_why_training_ends(capsys: pytest.CaptureFixture[str]) -> None:
    make_classifier(verbose=1, tol=10.0, max_iter=30).fit(X, y)
    out = capsys.readouterr().out
    assert "Training loss did not improve more than tol=10.000000 for 10 consecutive epochs" in out
    assert out.rstrip().endswith("Stopping.")


def test_a_quiet_fit_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    make_classifier().fit(X, y)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision", "neg_log_loss", "f1"])
def test_epoch_scoring_knows_that_a_binary_classifier_is_one(scoring: str) -> None:
    from sklearn.metrics import get_scorer

    Xb, yb = X, (y == y[0]).astype(int)
    callback = EpochScoring(scoring, name="score")
    model = NeuralClassifier(
        (4,), max_iter=3, callbacks=[callback], learning_rate="cosine", random_state=0
    ).fit(Xb, yb, X_val=Xb, y_val=yb)
    assert_allclose(epoch_values(model, "score")[-1], get_scorer(scoring)(model, Xb, yb))


def test_a_module_of_vectors_alone_has_no_penalty() -> None:
    class Scale(torch.nn.Module):
        def __init__(self, n_outputs: int) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(n_outputs))

        def forward(self, X: torch.Tensor) -> torch.Tensor:
            return X[:, :3] * self.weight

    penalised, free = (
        NeuralClassifier(module=Scale, alpha=alpha, max_iter=2, random_state=0).fit(X, y)
        for alpha in (1.0, 0.0)
    )
    assert penalised.loss_curve_ == free.loss_curve_
