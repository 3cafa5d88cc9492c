"""Models that people save: one of each kind that 0.1.0 could store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from numpy.testing import assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.decomposition import NMF, PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomTreesEmbedding,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, f_classif
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV, SGDClassifier
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.random_projection import SparseRandomProjection
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, SVR
from sklearn.utils import shuffle
from torch import nn

import sknn
import sknn.model_selection as ours
from sknn import NeuralClassifier, NeuralRegressor, RecurrentClassifier
from sknn.forecasting import DirectForecaster, RecursiveForecaster
from sknn.preprocessing import PeriodicEncoder, PiecewiseLinearEncoder, SmoothRobustScaler
from sknn.text import Tokenizer
from tests.helpers import supervised

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = shuffle(*load_iris(return_X_y=True), random_state=0)
Y = np.column_stack([y, X[:, 0]])
LABELS = np.array(["a", "b", "c"])[y]
SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
TEXTS = ["good film", "bad film", "good good", "bad bad"] * 5
SENTIMENTS = np.array([1, 0, 1, 0] * 5)
SERIES = np.sin(np.arange(60.0)) + np.arange(60.0) % 3

network, regressor = NeuralClassifier(**SMALL), NeuralRegressor(**SMALL)
scaled = make_pipeline(StandardScaler(), network)
pair = [("n", network), ("l", LogisticRegression())]
pair_of_regressors = [("n", regressor), ("l", LinearRegression())]
steps = {"neuralclassifier__alpha": [0.1, 1.0]}


def classified(model: Any, labels: Any = y, **fit: Any) -> Callable[[], tuple[Any, Any]]:
    return lambda: (model.fit(X, labels, **fit), X)


def regressed(model: Any, targets: Any = X[:, 0]) -> Callable[[], tuple[Any, Any]]:
    return lambda: (model.fit(X, targets), X)


def piped(*transformers: Any, inputs: Any = X) -> Callable[[], tuple[Any, Any]]:
    return lambda: (make_pipeline(*transformers, network).fit(inputs, y), inputs)


def forecast(model: Any) -> Callable[[], tuple[Any, Any]]:
    return lambda: (model.fit(None, SERIES), np.empty((5, 0)))


GAPS = np.where(X < 0.3, np.nan, X)
MIXED = np.column_stack([X.astype(object), LABELS])

# name -> function that returns a fitted model and what it predicts for
HONEST: dict[str, Callable[[], tuple[Any, Any]]] = {
    # ------------------------------------------------------------------------- preprocessing
    "scaler": piped(StandardScaler()),
    "scalers": piped(MinMaxScaler(), RobustScaler(), PowerTransformer()),
    "quantiles": piped(QuantileTransformer(n_quantiles=10, random_state=0)),
    "our bins": piped(PiecewiseLinearEncoder(8), inputs=GAPS),
    "our scaler": piped(SmoothRobustScaler(), PeriodicEncoder(4, random_state=0)),
    "bins": piped(KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf")),
    "dense bins": piped(
        KBinsDiscretizer(3, encode="ordinal", quantile_method="averaged_inverted_cdf")
    ),
    "polynomials": piped(PolynomialFeatures(2)),
    "components": piped(StandardScaler(), PCA(2)),
    "truncated": piped(TruncatedSVD(2, random_state=0)),
    "imputer": piped(SimpleImputer()),
    "best features": piped(SelectKBest(f_classif, k=2)),
    "union": piped(FeatureUnion([("s", StandardScaler()), ("p", PCA(1))])),
    "pandas output": piped(StandardScaler().set_output(transform="default")),
    "columns": piped(
        ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]),
                ("sliced", MinMaxScaler(), slice(2, 4)),
                ("labels", OneHotEncoder(handle_unknown="ignore"), [4]),
                ("more labels", OrdinalEncoder(), [4]),
            ]
        ),
        inputs=MIXED,
    ),
    "one-hot": piped(OneHotEncoder(dtype=np.float32), inputs=LABELS[:, None]),
    "words": lambda: (make_pipeline(CountVectorizer(), network).fit(TEXTS, SENTIMENTS), TEXTS),
    "weighted words": lambda: (
        make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), network).fit(TEXTS, SENTIMENTS),
        TEXTS,
    ),
    "tokens": lambda: (
        make_pipeline(
            Tokenizer(), RecurrentClassifier(embedding_size=3, max_iter=2, random_state=0)
        ).fit(TEXTS, SENTIMENTS),
        TEXTS,
    ),
    # ------------------------------------------------------------------------------ searches
    "grid": classified(GridSearchCV(scaled, steps, cv=KFold(3, shuffle=True, random_state=0))),
    "list of grids": classified(
        GridSearchCV(scaled, [steps, {"standardscaler__with_mean": [False]}], cv=2)
    ),
    "random search": classified(
        RandomizedSearchCV(
            network,
            {"alpha": scipy.stats.loguniform(1e-3, 1), "hidden_layer_sizes": [(3,), (2, 2)]},
            n_iter=2,
            cv=StratifiedKFold(2),
            random_state=np.random.RandomState(0),
        )
    ),
    "search of estimators": classified(
        GridSearchCV(scaled, {"standardscaler": [MinMaxScaler(), "passthrough"]}, cv=2)
    ),
    "search of modules": classified(
        GridSearchCV(
            network, {"activation": ["relu", nn.GELU], "solver": [torch.optim.NAdam]}, cv=2
        )
    ),
    "search of one": classified(GridSearchCV(network, {"alpha": np.array([1.0])}, cv=2)),
    "our grid": classified(
        ours.GridSearchCV(
            scaled, steps, cv=2, scoring=["accuracy", "f1_macro"], refit="accuracy"
        )
    ),
    "own scorer": classified(
        ours.GridSearchCV(
            network, {"alpha": [1.0]}, cv=2, scoring=make_scorer(f1_score, average="macro")
        )
    ),
    "our random search": classified(
        ours.RandomizedSearchCV(
            network, {"alpha": scipy.stats.uniform(0, 1)}, n_iter=2, cv=2, random_state=0
        )
    ),
    "halving": classified(ours.HalvingGridSearchCV(network, {"alpha": [0.1, 1.0]}, cv=2)),
    "random halving": classified(
        ours.HalvingRandomSearchCV(
            network, {"alpha": scipy.stats.uniform(0, 1)}, n_candidates=2, cv=2, random_state=0
        )
    ),
    **{
        f"search with {type(cv).__name__}": classified(
            GridSearchCV(network, {"alpha": [1.0]}, cv=cv)
        )
        for cv in (
            RepeatedStratifiedKFold(n_splits=2, n_repeats=1, random_state=0),
            ShuffleSplit(2, random_state=np.random.RandomState(0)),
            TimeSeriesSplit(2, max_train_size=60),
            PredefinedSplit(np.arange(150) % 2),
            [(np.arange(0, 150, 2), np.arange(1, 150, 2))],
        )
    },
    "search in groups": classified(
        GridSearchCV(network, {"alpha": [1.0]}, cv=GroupKFold(2)), groups=np.arange(150) % 3
    ),
    # ---------------------------------------------------------------------------- ensembles
    "stacking": classified(StackingClassifier(pair, cv=2)),
    "stacking, passed through": classified(
        StackingClassifier(pair, final_estimator=network, cv=2, passthrough=True)
    ),
    "stacked regressors": regressed(
        StackingRegressor(pair_of_regressors, final_estimator=RidgeCV(), cv=2)
    ),
    "voting": classified(VotingClassifier(pair, voting="soft", weights=[1, 2])),
    "hard voting": classified(VotingClassifier(pair), LABELS),
    "averaging": regressed(VotingRegressor(pair_of_regressors)),
    "bagging": classified(BaggingClassifier(network, 2, random_state=0)),
    "bagged regressors": regressed(BaggingRegressor(regressor, 2, max_features=2, random_state=0)),
    "boosting": classified(AdaBoostClassifier(network, n_estimators=2, random_state=0)),
    "sigmoid": classified(CalibratedClassifierCV(network, cv=2)),
    "isotonic": classified(CalibratedClassifierCV(network, method="isotonic", ensemble=False)),
    "temperature": classified(CalibratedClassifierCV(network, method="temperature", cv=2)),
    # ------------------------------------------------------------------- several targets, classes
    "one against the rest": classified(OneVsRestClassifier(network)),
    "one against one": classified(OneVsOneClassifier(network), LABELS),
    "codes": classified(OutputCodeClassifier(network, random_state=0)),
    "self-training": classified(SelfTrainingClassifier(network), np.where(y == 2, -1, y)),
    "several targets": regressed(MultiOutputRegressor(regressor), Y),
    "several classes": classified(
        MultiOutputClassifier(network), np.column_stack([y, LABELS == "a"])
    ),
    "chain": classified(ClassifierChain(network, random_state=0), Y.mean(0) < Y),
    "chain of regressors": regressed(RegressorChain(regressor, order=[1, 0]), Y),
    "scaled target": regressed(
        TransformedTargetRegressor(regressor, transformer=StandardScaler()), Y
    ),
    "logarithm of target": regressed(
        TransformedTargetRegressor(regressor, func=np.log1p, inverse_func=np.expm1)
    ),
    "selected by coefficients": classified(
        make_pipeline(SelectFromModel(LogisticRegression(max_iter=500)), network)
    ),
    "eliminated": classified(
        make_pipeline(RFE(LogisticRegression(max_iter=500), n_features_to_select=2), network)
    ),
    # ------------------------------------------------------------------ others beside a network
    **{
        f"beside {type(other).__name__}": classified(
            VotingClassifier([("n", network), ("o", other)])
        )
        for other in (
            SGDClassifier(random_state=0), GaussianNB(), KNeighborsClassifier(algorithm="brute"),
            SVC(), DummyClassifier(),
        )
    },
    "beside SVR": regressed(VotingRegressor([("n", regressor), ("o", SVR())])),
    # --------------------------------------------------------------------------- ours alone
    "a generator": classified(
        NeuralClassifier(**SMALL | {"random_state": np.random.RandomState(1)})
    ),
    "labels": classified(NeuralClassifier(**SMALL), LABELS),
    "class weights": classified(
        NeuralClassifier(**SMALL, class_weight={"a": 1.0, "b": 2, "c": 1}), LABELS
    ),
    "multilabel": classified(NeuralClassifier(**SMALL), (Y.mean(0) < Y).astype(int)),
    "ensemble": classified(NeuralClassifier(**SMALL, n_estimators=2, dropout=0.2)),
    "early stopping": classified(NeuralClassifier(**SMALL, early_stopping=True, warm_start=True)),
    "batch normalization": classified(NeuralClassifier(**SMALL, normalization="batch")),
    "lbfgs": classified(NeuralClassifier(**SMALL, solver="lbfgs")),
    "solver class": classified(NeuralClassifier(**SMALL, solver=torch.optim.NAdam)),
    "bound solver": classified(
        NeuralClassifier(**SMALL, solver=partial(torch.optim.Adam, betas=(0.8, 0.9)))
    ),
    "module": classified(
        NeuralClassifier(
            **SMALL, module=nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
        )
    ),
    "module factory": regressed(
        NeuralRegressor(**SMALL, module=partial(nn.Linear, in_features=4, out_features=1))
    ),
    "activation class": classified(NeuralClassifier(**SMALL, activation=nn.Mish)),
    "several activations": classified(
        NeuralClassifier(
            **SMALL | {"hidden_layer_sizes": (4, 3)}, activation=("tanh", "relu"), dropout=(0.1, 0)
        )
    ),
    "quantile": regressed(NeuralRegressor(**SMALL, loss="quantile", quantile=0.9)),
    "recursive forecaster": forecast(RecursiveForecaster(regressor, past=5)),
    "direct forecaster": forecast(
        DirectForecaster(make_pipeline(StandardScaler(), regressor), past=5, horizon=5)
    ),
    "column names": lambda: (
        NeuralClassifier(**SMALL).fit(load_iris(as_frame=True).data, y),
        load_iris(as_frame=True).data,
    ),
}  # fmt: skip
for _each in supervised():
    _each.set_params(max_iter=2, random_state=0)
    HONEST[type(_each).__name__] = (
        classified(_each) if hasattr(_each, "predict_proba") else regressed(_each)
    )


OTHERS: dict[str, Any] = {
    "forest": RandomForestClassifier(3, random_state=0),
    "random trees": RandomTreesEmbedding(3, random_state=0),
    "boosted trees": HistGradientBoostingClassifier(max_iter=2),
    "k-d tree": KNeighborsClassifier(algorithm="kd_tree"),
    "Gaussian process": GaussianProcessClassifier(),
    "losses": SGDClassifier(loss="log_loss", random_state=0),
    "iterative imputer": IterativeImputer(max_iter=2),
    "factorization": NMF(2, max_iter=100, init="nndsvda"),
    "clusters": KMeans(3, n_init=1, random_state=0),
    "random projection": SparseRandomProjection(3, random_state=0),
    "discriminant": LinearDiscriminantAnalysis(),
}


@pytest.mark.parametrize("name", OTHERS)
def test_others_of_scikit_learn_come_back_beside_a_network(name: str, tmp_path: Path) -> None:
    """With trust where their insides are no plain data."""
    other = OTHERS[name]
    model: Any = make_pipeline(other, network)
    if hasattr(other, "predict_proba"):
        model = VotingClassifier([("n", network), ("o", other)])
    model.fit(X, y)
    path = tmp_path / "model.sknn"
    sknn.save(model, path)
    loaded = sknn.load(path, trusted=sknn.file_info(path).untrusted)
    assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("name", HONEST)
def test_honest_models_come_back(name: str, tmp_path: Path) -> None:
    model, inputs = HONEST[name]()
    path = tmp_path / "model.sknn"
    sknn.save(model, path)
    assert sknn.file_info(path).untrusted == []
    loaded = sknn.load(path)
    assert type(loaded) is type(model)
    assert_array_equal(np.asarray(loaded.predict(inputs)), np.asarray(model.predict(inputs)))
    if hasattr(model, "predict_proba") and name != "several classes":
        assert_array_equal(loaded.predict_proba(inputs), model.predict_proba(inputs))
