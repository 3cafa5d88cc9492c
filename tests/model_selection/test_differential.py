"""Random searches: whatever the settings, the outcome is that of scikit-learn's functions."""

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.model_selection as reference
from scipy.stats import loguniform
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer, mean_absolute_error
from sklearn.model_selection import GroupKFold, KFold, RepeatedKFold, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

import sknn.model_selection as ours
from sknn import NeuralClassifier, NeuralRegressor
from tests.helpers import outcome


class Case:
    """A call of a search or of a validation function, all of it drawn at random."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.is_classifier = bool(self.random.random() < 0.6)
        self.make_data()
        self.make_estimator()
        self.name = self.choose(
            "GridSearchCV", "GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV",
            "HalvingRandomSearchCV", "cross_validate", "cross_val_score", "cross_val_predict",
        )  # fmt: skip
        self.backend = self.choose("loky", "threading", "sequential")
        self.own = {
            "n_jobs": self.choose(None, 1, 1, 2 if self.backend == "threading" else 1),
            "memory_limit": self.choose(None, None, 1, "200kB"),
        }

    def choose(self, *values):
        return values[self.random.integers(len(values))]

    def sometimes(self, share=0.3):
        return bool(self.random.random() < share)

    # ------------------------------------------------------------------------------------- data

    def make_data(self):
        self.n = n = int(self.random.integers(24, 61))
        X = self.random.normal(size=(n, self.random.integers(2, 5)))
        scores = X @ self.random.normal(size=(X.shape[1], 3)) + self.random.normal(size=(n, 3)) / 3
        self.labels = None
        if not self.is_classifier:
            self.y = self.choose(scores[:, 0], scores[:, 0], scores[:, :2])
        elif self.sometimes(0.15):
            self.y = (scores > 0).astype(int)
        else:
            self.labels = scores[:, : self.choose(2, 3)].argmax(1)
            self.y = self.choose(
                self.labels,
                self.labels - 1,
                np.array(["b", "a", "c"])[self.labels],
                self.labels * 2.0,
            )
        self.is_sparse = self.sometimes(0.15)
        if self.is_sparse:
            X = self.choose(sp.csr_matrix, sp.csc_array)(np.where(np.abs(X) > 0.5, X, 0))
        elif self.sometimes(0.15):
            X = X.tolist()
        self.X = X

    # ---------------------------------------------------------------------------- estimator, grid

    def make_estimator(self):
        parameters = {
            "hidden_layer_sizes": self.choose((4,), (3, 2), (), 5),
            "max_iter": int(self.random.integers(2, 6)),
            "batch_size": self.choose("auto", "all", 7),
            "solver": self.choose("adam", "adam", "sgd", "adamw", "nadam", "lbfgs"),
            "activation": self.choose("relu", "tanh", "logistic", "gelu"),
            "shuffle": not self.sometimes(),
            "dropout": 0.0,
            "random_state": int(self.random.integers(100)),
            "precision": "float64",
        }
        if parameters["solver"] != "lbfgs" and parameters["hidden_layer_sizes"] != ():
            parameters["dropout"] = self.choose(0.0, 0.0, 0.2)
        if self.sometimes(0.2):
            parameters |= {"early_stopping": True, "validation_fraction": 0.3}
        if self.sometimes(0.1):
            parameters |= {"n_estimators": 2}
        if self.is_classifier and self.labels is not None and self.sometimes(0.2):
            parameters["class_weight"] = "balanced"
        network = (NeuralClassifier if self.is_classifier else NeuralRegressor)(**parameters)
        self.prefix = ""
        self.estimator = network
        if self.sometimes(0.5):
            first = StandardScaler(with_mean=not self.is_sparse)
            second = self.choose("passthrough", FunctionTransformer(), SimpleImputer())
            steps = [("first", first), ("second", second), ("net", network)]
            self.estimator, self.prefix = Pipeline(steps), "net__"

    def candidates(self, *, distributions):
        """Draw a grid, or distributions."""
        p = self.prefix
        values = {
            f"{p}learning_rate_init": [0.003, 0.01, 0.03],
            f"{p}alpha": [0.0, 0.01, 1.0],
            f"{p}hidden_layer_sizes": [(3,), (4,), (3, 2)],
            f"{p}beta_1": [0.8, 0.9],
            f"{p}learning_rate": ["constant", "cosine"],
            f"{p}max_grad_norm": [None, 0.1],
        }
        if p:
            other = LogisticRegression() if self.is_classifier else Ridge()
            if self.labels is not None and self.sometimes(0.2):
                return {p[:-2]: [other, self.estimator["net"]]}
            dense = [PCA(2), SelectKBest(k=2), MinMaxScaler()]
            scalers = ["passthrough", StandardScaler(with_mean=False)]
            values["first"] = scalers + (
                dense if self.labels is not None and not self.is_sparse else []
            )
        names = self.random.choice(list(values), 2, replace=False)
        grid = {name: values[name] for name in names}
        if distributions:
            return grid | {f"{p}alpha": loguniform(1e-3, 1)}
        if self.sometimes(0.15):  # a value that fails
            grid = {names[0]: [*grid[names[0]], "nonsense"]}
        if self.sometimes(0.15):
            return [{name: values} for name, values in grid.items()]
        return grid

    # ------------------------------------------------------------------------------------ the call

    def shared_options(self):
        n, seed = self.n, int(self.random.integers(100))
        order = self.random.permutation(n)
        folds = [
            2,
            3,
            KFold(3, shuffle=True, random_state=seed),
            ShuffleSplit(2, random_state=seed),
        ]
        folds += [[(range(n // 2), range(n // 2, n)), (range(n // 3, n), range(n // 3))]]
        folds += [[(order[: n // 2], order[n // 2 :])], [(order < n // 2, order >= n // 2)]]
        folds += [GroupKFold(2), RepeatedKFold(n_splits=2, n_repeats=2, random_state=seed)]
        if self.labels is not None:
            folds += [StratifiedKFold(2, shuffle=True, random_state=seed)]
        if self.name == "cross_val_predict":
            folds = [2, 3, KFold(3, shuffle=True, random_state=seed)]
        elif self.name.startswith("Halving"):  # which takes as many folds of every part
            folds = [2, KFold(2, shuffle=True, random_state=seed)]
        return {"cv": folds[self.random.integers(len(folds))]}

    def fit_params(self, cv):
        params = {}
        if self.sometimes():
            weights = self.random.uniform(0.1, 2, self.n)
            params[f"{self.prefix}sample_weight"] = self.choose(weights, weights.tolist())
        if isinstance(cv, GroupKFold):
            params["groups"] = np.arange(self.n) % 5
        return params

    def scoring(self):
        names = ["accuracy", "f1_macro"] if self.is_classifier else ["r2", "neg_mean_squared_error"]
        if self.labels is not None:
            names += ["neg_log_loss"]
        metric = accuracy_score if self.is_classifier else mean_absolute_error
        scorers = [None, *names, make_scorer(metric), score_twice]
        if self.name not in ("cross_val_score",) and not self.name.startswith("Halving"):
            scorers += [names[:2], {"one": names[0], "two": make_scorer(metric)}]
        return scorers[self.random.integers(len(scorers))]

    def run(self):
        """Return what came of the call in our functions, and in scikit-learn's."""
        options = self.shared_options()
        fit_params = self.fit_params(options["cv"])
        if self.name == "cross_val_predict":
            methods = ["predict", "predict_proba"] if self.labels is not None else ["predict"]
            options["method"] = methods[self.random.integers(len(methods))]
        else:
            options["scoring"] = self.scoring()
            options["error_score"] = self.choose(np.nan, np.nan, "raise", 0.5)
        if "Search" in self.name:
            return self.run_search(options, fit_params)
        groups = fit_params.pop("groups", None)
        if self.name == "cross_validate":
            options["return_train_score"] = self.sometimes()
        return [
            outcome(
                getattr(module, self.name), self.estimator, self.X, self.y,
                groups=groups, params=fit_params, **options, **own,
            )
            for module, own in ((ours, self.own), (reference, {}))
        ]  # fmt: skip

    def run_search(self, options, fit_params):
        random = "Random" in self.name
        grid = self.candidates(distributions=random)
        options["return_train_score"] = self.sometimes()
        options["refit"] = self.sometimes(0.7)
        if isinstance(options["scoring"], list | dict) and options["refit"]:
            options["refit"] = next(iter(options["scoring"]))
        if random or self.name.startswith("Halving"):
            options["random_state"] = int(self.random.integers(100))
        if self.name == "RandomizedSearchCV":
            options["n_iter"] = 4
        if self.name.startswith("Halving"):
            options |= {"min_resources": self.n // 2, "factor": 2}
        results = []
        for module, own in ((ours, self.own), (reference, {})):
            search = getattr(module, self.name)(self.estimator, grid, **options, **own)
            results.append(outcome(search.fit, self.X, self.y, **fit_params))
        for found in results:
            if not isinstance(found, tuple):
                found.predicted = outcome(found.predict, self.X) if options["refit"] else None
        return results


def score_twice(estimator, X, y):
    return estimator.score(X, y) + estimator.score(X, y)


def assert_same(actual, expected):
    assert type(actual).__name__ == type(expected).__name__, (actual, expected)
    if expected is None or isinstance(expected, tuple | list):
        assert actual == expected
    elif isinstance(expected, np.ndarray):
        assert_same_column("", actual, expected)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for name in expected:
            assert_same_column(name, actual[name], expected[name])
    else:
        assert_same(actual.cv_results_, expected.cv_results_)
        assert_same(vars(actual).get("n_resources_"), vars(expected).get("n_resources_"))
        if hasattr(expected, "best_index_"):
            assert actual.best_index_ == expected.best_index_
            assert_same(actual.predicted, expected.predicted)


def assert_same_column(name, actual, expected):
    if "time" in name:
        return
    if name == "params" or name.startswith("param_"):
        assert [str(value) for value in actual] == [str(value) for value in expected]
    else:
        np.testing.assert_array_equal(actual, expected, err_msg=name)


LATER = [pytest.param(range(k, k + 100), marks=pytest.mark.slow) for k in range(8, 1008, 100)]


@pytest.mark.parametrize("seeds", [range(8), *LATER], ids=str)
def test_random_searches(seeds):
    for seed in seeds:
        case = Case(seed)
        with joblib.parallel_config(backend=case.backend):
            actual, expected = case.run()
        try:
            assert_same(actual, expected)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {case.name} of {case.estimator}") from error
