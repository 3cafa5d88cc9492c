import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from numpy.testing import assert_array_equal
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ScoringMonitor
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import EarlyStopping, Freezer, LRScheduler, ParamMapper
from torch import nn

import sknn
from sknn import ConvClassifier, NeuralClassifier, NeuralRegressor, RecurrentClassifier
from sknn.forecasting import DirectForecaster, RecursiveForecaster, WindowTransformer
from sknn.model_selection import GridSearchCV as StackedGridSearchCV
from sknn.sequences import (
    EncoderDecoderClassifier,
    EncoderDecoderRegressor,
    SequenceGenerator,
    StepClassifier,
    StepRegressor,
)
from sknn.storage import ModelFileError, UntrustedError
from sknn.text import Tokenizer
from tests.helpers import case_name, supervised

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}


def round_trip(estimator: Any, path: Path, **arguments: Any) -> Any:
    sknn.save(estimator, path / "model.sknn")
    return sknn.load(path / "model.sknn", **arguments)


def networks(estimator: Any) -> list[Any]:
    """Return the members of an ensemble, or what is a network by itself."""
    return getattr(estimator, "estimators_", [estimator])


def test_every_public_estimator_predicts_and_learns_on_the_same(tmp_path: Path) -> None:
    for estimator in supervised():
        targets = y if is_classifier(estimator) else y + 0.5
        estimator.set_params(max_iter=2, random_state=0).fit(X, targets)
        loaded = round_trip(estimator, tmp_path)
        assert type(loaded) is type(estimator)
        assert loaded.get_params() == estimator.get_params()
        assert_array_equal(loaded.predict(X), estimator.predict(X))
        for each, expected in zip(networks(loaded), networks(estimator), strict=True):
            assert each.history_ == expected.history_
        assert repr(loaded.module_) == repr(estimator.module_)
        for each in (estimator, loaded):
            if hasattr(each, "partial_fit"):
                each.partial_fit(X, targets)
            else:
                each.set_params(warm_start=True).fit(X, targets)
        assert_array_equal(loaded.predict(X), estimator.predict(X))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "sgd", "learning_rate": "adaptive"},
        {"solver": "adamw", "learning_rate": "cosine"},
        {"solver": "rmsprop", "dropout": 0.3},
        {"solver": torch.optim.NAdam, "normalization": "batch"},
        {"activation": "gelu", "early_stopping": True, "warm_start": True},
        {"activation": nn.Mish, "precision": "float32"},
        {"solver": "lbfgs", "class_weight": {"a": 1.0, "b": 2.0, "c": 0.5}},
        {"n_estimators": 3, "dropout": 0.2},
        {"random_state": np.random.RandomState(1)},
        {"module": nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))},
    ],
    ids=case_name,
)
def test_training_goes_on_after_loading_as_without_it(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    labels = np.array(["a", "b", "c"])[y]
    model = NeuralClassifier(**SMALL | parameters).fit(X, labels)
    loaded = round_trip(model, tmp_path)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert_array_equal(loaded.classes_, model.classes_)
    for each in (model, loaded):
        if model.warm_start or model.solver == "lbfgs":
            each.fit(X, labels)
        else:
            each.partial_fit(X, labels).partial_fit(X[::-1], labels[::-1])
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_partial_fits_with_a_save_between_them_are_bit_equal(tmp_path: Path) -> None:
    plain, stored = (NeuralClassifier(**SMALL, dropout=0.2, solver="sgd") for _ in range(2))
    for _ in range(5):
        plain.partial_fit(X, y, classes=[0, 1, 2])
        stored = round_trip(stored.partial_fit(X, y, classes=[0, 1, 2]), tmp_path)
    assert_array_equal(stored.coefs_[0], plain.coefs_[0])
    assert stored.loss_curve_ == plain.loss_curve_


def holders() -> dict[str, Any]:
    network = NeuralClassifier(**SMALL)
    scaled = make_pipeline(StandardScaler(), network)
    grid = {"neuralclassifier__alpha": [0.1, 1.0]}
    return {
        "pipeline": scaled,
        "function": make_pipeline(FunctionTransformer(np.log1p), network),
        "columns": make_pipeline(
            ColumnTransformer([("s", StandardScaler(), [0, 1])], remainder="passthrough"), network
        ),
        "columns of networks": make_pipeline(
            ColumnTransformer([("p", make_pipeline(StandardScaler()), [0, 1])]), network
        ),
        "search": GridSearchCV(scaled, grid, cv=KFold(3, shuffle=True, random_state=0)),
        "our search": StackedGridSearchCV(
            scaled, grid, cv=2, scoring=["accuracy", "f1_macro"], refit="accuracy"
        ),
        "random search": RandomizedSearchCV(
            network, {"alpha": scipy.stats.loguniform(1e-3, 1)}, n_iter=2, cv=2, random_state=0
        ),
        "calibration": CalibratedClassifierCV(network, cv=2),
        "isotonic": CalibratedClassifierCV(network, cv=2, method="isotonic", ensemble=False),
        "stacking": StackingClassifier([("n", network), ("l", LogisticRegression())], cv=2),
        "voting": VotingClassifier([("n", network), ("l", LogisticRegression())], voting="soft"),
        "bagging": BaggingClassifier(network, 2, random_state=0),
        "boosting": AdaBoostClassifier(network, n_estimators=2, random_state=0),
        "one against the rest": OneVsRestClassifier(network),
    }


@pytest.mark.parametrize("name", holders())
def test_what_holds_a_network_comes_back_with_it(name: str, tmp_path: Path) -> None:
    model = holders()[name].fit(X, y)
    loaded = round_trip(model, tmp_path, trusted=["numpy.log1p"] if name == "function" else None)
    assert type(loaded) is type(model)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.score(X, y) == model.score(X, y)


def test_a_search_keeps_its_results(tmp_path: Path) -> None:
    search = holders()["our search"].fit(X, y)
    loaded = round_trip(search, tmp_path)
    assert loaded.best_params_ == search.best_params_
    assert loaded.cv_results_.keys() == search.cv_results_.keys()
    for name, values in search.cv_results_.items():
        assert_array_equal(loaded.cv_results_[name], values)
    loaded.fit(X, y)  # splitter, scorers and grid are whole
    assert loaded.best_score_ == search.best_score_


def test_regressors_of_several_targets_come_back(tmp_path: Path) -> None:
    Y = np.column_stack([y, X[:, 0]])
    regressor = NeuralRegressor(**SMALL)
    for model in (
        TransformedTargetRegressor(regressor, transformer=StandardScaler()),
        MultiOutputRegressor(regressor),
    ):
        loaded = round_trip(model.fit(X, Y), tmp_path)
        assert_array_equal(loaded.predict(X), model.predict(X))
    chain = ClassifierChain(NeuralClassifier(**SMALL)).fit(X, Y.mean(0) < Y)
    assert_array_equal(round_trip(chain, tmp_path).predict(X), chain.predict(X))


def test_metadata_requests_are_kept(tmp_path: Path) -> None:
    from sklearn import config_context

    with config_context(enable_metadata_routing=True):
        model = NeuralClassifier(**SMALL).set_fit_request(sample_weight=True)
        loaded = round_trip(model, tmp_path)
        assert loaded.get_metadata_routing().fit.requests == {"sample_weight": True} | {
            name: None for name in loaded.get_metadata_routing().fit.requests if "val" in name
        }


def test_column_names_are_kept(tmp_path: Path) -> None:
    frame = load_iris(as_frame=True).data
    loaded = round_trip(NeuralClassifier(**SMALL).fit(frame, y), tmp_path)
    assert list(loaded.feature_names_in_) == list(frame.columns)


TOKENS = [np.array(each) for each in ([0, 1, 2], [1, 2], [2, 0, 1, 1], [0, 2])]
SEQUENCES: dict[str, Callable[[], Any]] = {
    "steps": lambda: StepClassifier(max_iter=1, random_state=0).fit(
        [each[:, None] * 1.0 for each in TOKENS], TOKENS
    ),
    "values": lambda: StepRegressor(max_iter=1, random_state=0).fit(
        [each[:, None] * 1.0 for each in TOKENS], [each * 0.5 for each in TOKENS]
    ),
    "other lengths": lambda: EncoderDecoderClassifier(max_iter=1, random_state=0).fit(
        [each[:, None] * 1.0 for each in TOKENS], [each[:2] for each in TOKENS]
    ),
    "other values": lambda: EncoderDecoderRegressor(max_iter=1, random_state=0).fit(
        np.arange(12.0).reshape(4, 3, 1), np.arange(8.0).reshape(4, 2)
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_estimators_of_sequences_come_back(name: str, tmp_path: Path) -> None:
    model = SEQUENCES[name]()
    loaded = round_trip(model, tmp_path)
    inputs = (
        np.arange(12.0).reshape(4, 3, 1)
        if name == "other values"
        else [each[:, None] * 1.0 for each in TOKENS]
    )
    for ours, theirs in zip(loaded.predict(inputs), model.predict(inputs), strict=True):
        assert_array_equal(ours, theirs)


def test_a_generator_of_sequences_writes_the_same(tmp_path: Path) -> None:
    model = SequenceGenerator(max_iter=2, random_state=0).fit(TOKENS)
    loaded = round_trip(model, tmp_path)
    assert loaded.score(TOKENS) == model.score(TOKENS)
    first, second = (each.sample(2, random_state=0)[0] for each in (model, loaded))
    assert_array_equal(first, second)


def test_texts_and_their_tokens_come_back(tmp_path: Path) -> None:
    texts = ["good film", "bad film", "good good", "bad bad"]
    pipeline = make_pipeline(
        Tokenizer(), RecurrentClassifier(embedding_size=3, max_iter=2, random_state=0)
    ).fit(texts, [1, 0, 1, 0])
    loaded = round_trip(pipeline, tmp_path)
    assert_array_equal(loaded.predict_proba(texts), pipeline.predict_proba(texts))
    assert loaded[0].vocabulary_ == pipeline[0].vocabulary_


@pytest.mark.parametrize("forecaster", [RecursiveForecaster, DirectForecaster])
def test_forecasters_come_back(forecaster: Any, tmp_path: Path) -> None:
    series = np.sin(np.arange(60.0))
    inner = make_pipeline(StandardScaler(), NeuralRegressor(**SMALL))
    model = forecaster(inner, past=5).fit(None, series)
    loaded = round_trip(model, tmp_path)
    assert_array_equal(loaded.forecast(7), model.forecast(7))


def test_an_estimator_that_is_not_fitted_comes_back(tmp_path: Path) -> None:
    loaded = round_trip(WindowTransformer(past=3), tmp_path)
    assert loaded.get_params() == WindowTransformer(past=3).get_params()


# ---------------------------------------------------------------------------------- user's code


def weighted_loss(outputs: Any, targets: Any) -> Any:
    return (outputs - targets).square().sum(1)


class OwnModule(nn.Module):
    def __init__(self, n_features_in: int, n_outputs: int) -> None:
        super().__init__()
        self.scale = 2.0
        self.layer = nn.Linear(n_features_in, n_outputs)

    def forward(self, X: Any) -> Any:
        return self.scale * self.layer(X)


OWN: dict[str, Callable[[], Any]] = {
    "loss": lambda: NeuralRegressor(**SMALL, loss=weighted_loss),
    "module": lambda: NeuralRegressor(**SMALL, module=OwnModule),
    "module instance": lambda: NeuralRegressor(**SMALL, module=OwnModule(4, 1)),
    "callback": lambda: NeuralRegressor(**SMALL, callbacks=[EarlyStopping("train_loss")]),
}


@pytest.mark.parametrize("name", OWN)
def test_code_of_the_user_is_loaded_by_name_and_only_with_trust(name: str, tmp_path: Path) -> None:
    model = OWN[name]().fit(X, y * 1.0)
    path = tmp_path / "model.sknn"
    sknn.save(model, path)
    needed = sknn.file_info(path).untrusted
    assert needed
    for insufficient in (None, [], ["os.system"], needed[:-1]):
        with pytest.raises(UntrustedError, match=needed[-1]):
            sknn.load(path, trusted=insufficient)
    loaded = sknn.load(path, trusted=[weighted_loss, OwnModule, EarlyStopping, print])
    assert_array_equal(loaded.predict(X), model.predict(X))


class OwnClassifier(NeuralClassifier):
    pass


def test_a_subclass_of_ours_is_stored_like_ours_and_needs_trust(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), OwnClassifier(**SMALL)).fit(X, y)
    sknn.save(model, tmp_path / "model.sknn")
    with pytest.raises(UntrustedError, match="OwnClassifier"):
        sknn.load(tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn", trusted=[OwnClassifier])
    assert type(loaded[-1]) is OwnClassifier
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_generator_of_the_users_stays_the_one_that_training_draws_from(tmp_path: Path) -> None:
    model = NeuralClassifier(**SMALL | {"random_state": np.random.RandomState(1)}).fit(X, y)
    loaded = round_trip(model, tmp_path)
    for each in (model, loaded):
        each.partial_fit(X, y).fit(X, y)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.slow
def test_a_name_that_is_trusted_is_imported(tmp_path: Path) -> None:
    path, folder = tmp_path / "model.sknn", tmp_path / "code"
    folder.mkdir()
    (folder / "my_losses.py").write_text(
        "def mine(outputs, targets):\n    return (outputs - targets).abs().sum(1)\n"
    )
    code = (
        "import sys, numpy as np, sknn\n"
        "if sys.argv[1] == 'save':\n"
        "    import my_losses\n"
        "    X = np.arange(20.0).reshape(10, 2)\n"
        "    model = sknn.NeuralRegressor(max_iter=2, loss=my_losses.mine).fit(X, X[:, 0])\n"
        "    sknn.save(model, sys.argv[2])\n"
        "else:\n"
        "    print(sknn.load(sys.argv[2], trusted=['my_losses.mine']).loss.__module__)\n"
    )
    for action in ("save", "load"):
        command = [sys.executable, "-W", "ignore", "-c", code, action, str(path)]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "my_losses"
    shutil.rmtree(folder)
    with pytest.raises(ModelFileError, match=r"my_losses.mine.* cannot be imported"):
        sknn.load(path, trusted=["my_losses.mine"])


@pytest.mark.parametrize("trusted", ["my_losses.mine", 3, [3], True])
def test_trust_of_another_type_is_refused(trusted: Any, model_file: Path) -> None:
    with pytest.raises(TypeError, match="trusted"):
        sknn.load(model_file, trusted=trusted)


def test_a_lambda_is_refused_by_its_place(tmp_path: Path) -> None:
    model = NeuralRegressor(**SMALL, loss=lambda outputs, targets: (outputs - targets).abs().sum(1))
    with pytest.raises(TypeError, match=r"^estimator.loss is .*lambda.*top level of a module"):
        sknn.save(model, tmp_path / "model.sknn")


CALLBACKS: dict[str, Callable[[], Any]] = {
    "scheduler": lambda: LRScheduler("StepLR", step_size=1, gamma=0.5),
    "scheduler class": lambda: LRScheduler(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5),
    "freezer": lambda: Freezer("layers.0.*"),
    "freezer, later": lambda: Freezer(["layers.0.*"], at=2),
    "mapper": lambda: ParamMapper("*", fn=halve, at=1),
    "stopping": lambda: EarlyStopping("train_loss", patience=2),
}


def halve(parameter: Any) -> Any:
    parameter.data.mul_(0.5)
    return parameter


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_are_stored_and_go_on(name: str, tmp_path: Path) -> None:
    model = NeuralClassifier(**SMALL, callbacks=[CALLBACKS[name]()]).fit(X, y)
    sknn.save(model, tmp_path / "model.sknn")
    trusted = sknn.file_info(tmp_path / "model.sknn").untrusted
    loaded = sknn.load(tmp_path / "model.sknn", trusted=trusted)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for each in (loaded, model):
        each.fit(X, y)
    assert_array_equal(loaded.coefs_[0], model.coefs_[0])


def test_callbacks_of_scikit_learn_are_stored_with_trust(tmp_path: Path) -> None:
    model = NeuralClassifier(**SMALL).set_callbacks(ScoringMonitor(scoring="accuracy")).fit(X, y)
    sknn.save(model, tmp_path / "model.sknn")
    needed = sknn.file_info(tmp_path / "model.sknn").untrusted
    assert "sklearn.callback._scoring_monitor.ScoringMonitor" in needed
    loaded = sknn.load(tmp_path / "model.sknn", trusted=needed)
    assert_array_equal(loaded.fit(X, y).coefs_[0], model.coefs_[0])


def test_the_home_folder_has_a_short_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fitted: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    sknn.save(fitted, "~/model.sknn")
    assert (tmp_path / "model.sknn").exists()
    assert_array_equal(sknn.load("~/model.sknn").coefs_[0], fitted.coefs_[0])
    assert sknn.file_info(Path("~/model.sknn")).kind == "model"


# --------------------------------------------------------------------------- what else is asked


@pytest.mark.parametrize("value", [None, 3, NeuralClassifier, nn.Linear(2, 2), {}])
def test_only_estimators_are_saved(value: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="estimator must be an instance of an estimator"):
        sknn.save(value, tmp_path / "model.sknn")


def test_a_device_takes_the_place_of_the_one_that_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = make_pipeline(StandardScaler(), NeuralClassifier(**SMALL, device="cpu")).fit(X, y)
    expected = pipeline.predict(X)
    pipeline[-1].device = "cuda:7"  # as if it had been fitted there
    path = tmp_path / "model.sknn"
    sknn.save(pipeline, path)
    loaded = sknn.load(path)
    assert loaded[-1].device == "cuda:7"
    assert_array_equal(loaded.predict(X), expected)  # the device is missing: on the CPU
    moved = sknn.load(path, device="cpu")
    assert moved[-1].device == "cpu"
    assert_array_equal(moved.fit(X, y).predict(X), expected)


def test_a_device_that_does_not_exist_is_refused(model_file: Path) -> None:
    for device in ("cuda:99", "nowhere"):
        with pytest.raises(ValueError, match="device"):
            sknn.load(model_file, device=device)


def test_a_file_says_what_has_written_it(model_file: Path) -> None:
    info = sknn.file_info(model_file)
    assert info.kind == "model"
    assert info.versions["sknn"] == sknn.__version__
    assert info.versions["torch"] == torch.__version__
    assert info.untrusted == []


def test_other_programs_read_the_tensors(model_file: Path, fitted: Any) -> None:
    from safetensors.numpy import load_file

    tensors = load_file(model_file)
    assert_array_equal(tensors["estimator.module_.layers.0.weight"].T, fitted.coefs_[0])


def test_a_file_is_about_as_large_as_what_it_holds(tmp_path: Path) -> None:
    model = ConvClassifier(filters=(8,), hidden_layer_sizes=(300,), max_iter=1, random_state=0)
    model.fit(np.tile(X, (1, 16)), y)
    sknn.save(model, tmp_path / "model.sknn")
    itemsize = next(model.module_.parameters()).element_size()
    # weights, and the two moments of Adam
    assert (tmp_path / "model.sknn").stat().st_size < 3 * itemsize * model.n_parameters_ + 20_000


def test_a_parameter_that_is_newer_than_the_file_has_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = NeuralClassifier._stored_attributes

    def without_dropout(estimator: Any) -> dict[str, Any]:
        return {name: value for name, value in stored(estimator).items() if name != "dropout"}

    monkeypatch.setattr(NeuralClassifier, "_stored_attributes", without_dropout)
    loaded = round_trip(NeuralClassifier(**SMALL, dropout=0.5), tmp_path)
    assert loaded.get_params()["dropout"] == NeuralClassifier().dropout == 0.0
    loaded.fit(X, y)


GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*.sknn")), ids=lambda path: path.stem)
def test_models_of_earlier_releases_predict_what_they_did(path: Path) -> None:
    """Each release adds a folder, see `tests/storage/golden/write.py`."""
    recorded = json.loads(path.with_suffix(".json").read_text())
    model = sknn.load(path, device="cpu")
    inputs = np.array(recorded["X"], recorded.get("dtype"))
    predictions = getattr(model, recorded["method"])(inputs)
    np.testing.assert_allclose(predictions, np.array(recorded["expected"]), rtol=1e-5, atol=1e-6)


def test_there_are_golden_files_of_this_release() -> None:
    names = {path.stem for path in (GOLDEN / sknn.__version__).glob("*.sknn")}
    assert {"classifier", "ensemble", "images", "pipeline", "search", "series"} <= names
