"""Searches: everything is as scikit-learn's own search says."""

import pickle
import re
import threading
import time
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.model_selection as reference
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, make_scorer
from sklearn.model_selection import GroupKFold, KFold

import sknn.model_selection as ours

RATES = [0.01, 0.02, 0.05]


@contextmanager
def failures(match):
    """Expect scikit-learn's warnings of failed fits; the list gets the first one's text."""
    texts = []
    with pytest.warns(UserWarning, match="test scores are non-finite"):  # noqa: SIM117
        with pytest.warns(FitFailedWarning, match=match) as caught:
            yield texts
    texts += [str(item.message) for item in caught if item.category is FitFailedWarning]


def fit_both(name, *args, fit_params=None, X, y, **options):
    """Return our fitted search and scikit-learn's."""
    fit_params = fit_params or {}
    own = {key: options.pop(key) for key in ("memory_limit",) if key in options}
    actual = getattr(ours, name)(*args, **options, **own).fit(X, y, **fit_params)
    options["n_jobs"] = None
    expected = getattr(reference, name)(*args, **options).fit(X, y, **fit_params)
    return actual, expected


# ------------------------------------------------------------------- what the searches find


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_grid_of_a_classifier(wine, tools, trained, n_jobs):
    X, y = wine
    grid = {"learning_rate_init": RATES, "alpha": [1e-4, 1.0]}
    searches = fit_both("GridSearchCV", tools.classifier(), grid, cv=3, n_jobs=n_jobs, X=X, y=y)
    tools.assert_same_search(*searches, X)
    assert sum(map(len, trained)) == 18


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_of_a_pipeline(wine, tools, trained, n_jobs):
    X, y = wine
    grid = {"net__learning_rate_init": RATES, "scale__with_mean": [True, False]}
    searches = fit_both(
        "GridSearchCV",
        tools.pipeline(tools.classifier()),
        grid,
        cv=3,
        n_jobs=n_jobs,
        return_train_score=True,
        X=X + 3,
        y=y,
    )
    tools.assert_same_search(*searches, X + 3)
    assert sum(map(len, trained)) == 18


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("is_pipeline", [False, True])
def test_grid_of_a_regressor(diabetes, tools, trained, n_jobs, is_pipeline):
    X, y = diabetes
    estimator, prefix = tools.regressor(), ""
    if is_pipeline:
        estimator, prefix = tools.pipeline(estimator), "net__"
    grid = {f"{prefix}learning_rate_init": RATES, f"{prefix}solver": ["adam", "sgd"]}
    searches = fit_both(
        "GridSearchCV", estimator, grid, n_jobs=n_jobs, return_train_score=True, X=X, y=y
    )
    tools.assert_same_search(*searches, X)
    assert sum(map(len, trained)) == 30


def test_randomized(wine, tools):
    X, y = wine
    distributions = {"learning_rate_init": loguniform(0.01, 0.1), "alpha": [1e-4, 1.0]}
    searches = fit_both(
        "RandomizedSearchCV", tools.classifier(), distributions, n_iter=4, cv=3, random_state=1,
        X=X, y=y,
    )  # fmt: skip
    tools.assert_same_search(*searches, X)


@pytest.mark.parametrize(
    "resource", ["n_samples", pytest.param("hidden_layer_sizes", marks=pytest.mark.slow)]
)
def test_halving_grid(wine, tools, trained, resource):
    X, y = wine
    limits = {} if resource == "n_samples" else {"max_resources": 9, "min_resources": 3}
    searches = fit_both(
        "HalvingGridSearchCV",
        tools.classifier(batch_size=10, hidden_layer_sizes=8),
        {"learning_rate_init": RATES, "alpha": [1e-4, 1.0]},
        resource=resource,
        random_state=0,
        cv=3,
        X=X,
        y=y,
        **limits,
    )
    tools.assert_same_search(*searches, X)
    assert searches[0].n_resources_ == searches[1].n_resources_
    assert sum(map(len, trained)) == 3 * sum(searches[0].n_candidates_)


def test_halving_random(wine, tools):
    X, y = wine
    searches = fit_both(
        "HalvingRandomSearchCV",
        tools.classifier(batch_size=10),
        {"learning_rate_init": loguniform(0.01, 0.1)},
        n_candidates=4,
        factor=2,
        random_state=0,
        cv=3,
        X=X,
        y=y,
    )
    tools.assert_same_search(*searches, X)


# -------------------------------------------------------------------------- scoring, folds, data


def test_several_scorers(wine, tools):
    X, y = wine
    scoring = {"accuracy": "accuracy", "likelihood": "neg_log_loss"}
    searches = fit_both(
        "GridSearchCV", tools.classifier(), {"learning_rate_init": RATES}, cv=3, scoring=scoring,
        refit="likelihood", return_train_score=True, X=X, y=y,
    )  # fmt: skip
    tools.assert_same_search(*searches, X)


def count_and_score(estimator, X, y):
    return {
        "loss": -log_loss(y, estimator.predict_proba(X)),
        "accuracy": accuracy_score(y, estimator.predict(X)),
    }


def test_a_callable_that_returns_scores(wine, tools):
    X, y = wine
    searches = fit_both(
        "GridSearchCV", tools.classifier(), {"learning_rate_init": RATES}, cv=3,
        scoring=count_and_score, refit="loss", X=X, y=y,
    )  # fmt: skip
    tools.assert_same_search(*searches, X)


def test_groups(wine, tools):
    X, y = wine
    groups = np.arange(len(y)) % 6
    searches = fit_both(
        "GridSearchCV", tools.classifier(), {"learning_rate_init": RATES}, cv=GroupKFold(3),
        fit_params={"groups": groups}, X=X, y=y,
    )  # fmt: skip
    tools.assert_same_search(*searches, X)


@pytest.mark.parametrize("is_pipeline", [False, True])
def test_sample_weight(wine, tools, trained, is_pipeline):
    X, y = wine
    weights = np.random.default_rng(0).uniform(0.1, 3, len(y))
    estimator, prefix = tools.classifier(), ""
    if is_pipeline:
        estimator, prefix = tools.pipeline(estimator), "net__"
    fit_params = {f"{prefix}sample_weight": weights}
    if is_pipeline:  # goes to a step before the network as well
        fit_params["scale__sample_weight"] = weights[::-1].copy()
    searches = fit_both(
        "GridSearchCV", estimator, {f"{prefix}learning_rate_init": RATES}, cv=3,
        scoring="accuracy", fit_params=fit_params, X=X, y=y,
    )  # fmt: skip
    tools.assert_same_search(*searches, X)
    assert sum(map(len, trained)) == 9


@pytest.mark.parametrize("is_pipeline", [False, True])
def test_sample_weight_that_is_routed(wine, tools, trained, is_pipeline):
    X, y = wine
    weights = np.random.default_rng(0).uniform(0.1, 3, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        estimator, prefix = tools.classifier().set_fit_request(sample_weight=True), ""
        if is_pipeline:
            estimator, prefix = tools.pipeline(estimator), "net__"
            estimator["scale"].set_fit_request(sample_weight=False)
        searches = fit_both(
            "GridSearchCV", estimator, {f"{prefix}learning_rate_init": RATES}, cv=3, n_jobs=2,
            scoring=make_scorer(accuracy_score).set_score_request(sample_weight=False),
            fit_params={"sample_weight": weights}, X=X, y=y,
        )  # fmt: skip
        tools.assert_same_search(*searches, X)
    assert sum(map(len, trained)) == 9


def test_labels_that_are_strings(wine, tools, trained):
    X, y = wine
    y = np.array(["barolo", "grignolino", "barbera"])[y]
    searches = fit_both(
        "GridSearchCV", tools.classifier(), {"learning_rate_init": RATES}, cv=3, X=X, y=y
    )
    tools.assert_same_search(*searches, X)
    assert list(searches[0].classes_) == ["barbera", "barolo", "grignolino"]
    assert sum(map(len, trained)) == 9


@pytest.mark.parametrize("is_pipeline", [False, True])
def test_tables(wine, tools, is_pipeline):
    pandas = pytest.importorskip("pandas")
    X, y = wine
    X = pandas.DataFrame(X, columns=[f"feature {number}" for number in range(X.shape[1])])
    estimator, prefix = tools.classifier(), ""
    if is_pipeline:
        estimator, prefix = tools.pipeline(estimator), "net__"
    searches = fit_both(
        "GridSearchCV", estimator, {f"{prefix}learning_rate_init": RATES}, cv=3, X=X, y=y
    )
    tools.assert_same_search(*searches, X)
    assert list(searches[0].feature_names_in_) == list(X.columns)


def test_sparse_matrices(wine, tools):
    X, y = wine
    X = sp.csr_matrix(np.where(np.abs(X) > 1, X, 0))
    searches = fit_both(
        "GridSearchCV", tools.classifier(), {"learning_rate_init": RATES}, cv=3, X=X, y=y
    )
    tools.assert_same_search(*searches, X)


def test_lists(wine, tools):
    X, y = wine
    searches = fit_both(
        "GridSearchCV", tools.classifier(), {"learning_rate_init": RATES}, cv=3,
        X=X.tolist(), y=y.tolist(),
    )  # fmt: skip
    tools.assert_same_search(*searches, X)


# ------------------------------------------------------------------- grids of all kinds, in waves


def test_a_grid_of_layers(wine, tools, trained):
    X, y = wine
    grid = {"hidden_layer_sizes": [(8,), (4, 4), ()], "learning_rate_init": RATES}
    searches = fit_both("GridSearchCV", tools.classifier(), grid, cv=3, n_jobs=2, X=X, y=y)
    tools.assert_same_search(*searches, X)
    assert sum(map(len, trained)) == 27


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grids_of_all_kinds_of_estimators(wine, tools, trained, n_jobs):
    X, y = wine
    grid = [
        {"net__learning_rate_init": RATES},
        {"net": [tools.classifier(solver="lbfgs", max_iter=200, tol=1e-3)]},
        {"net": [LogisticRegression()], "net__C": [0.1, 1.0]},
        {"scale": ["passthrough", PCA(3)], "net__alpha": [0.1]},
    ]
    with joblib.parallel_config(backend="threading"):  # processes would take seconds to start
        searches = fit_both(
            "GridSearchCV", tools.pipeline(tools.classifier()), grid, cv=3, n_jobs=n_jobs, X=X, y=y
        )
    tools.assert_same_search(*searches, X)
    assert sum(map(len, trained)) == 15


def test_waves(wine, tools, trained, stacks_on_a_cpu):
    X, y = wine
    searches = fit_both(
        "GridSearchCV", tools.classifier(), {"learning_rate_init": RATES}, cv=3, n_jobs=1,
        pre_dispatch=4, X=X, y=y,
    )  # fmt: skip
    tools.assert_same_search(*searches, X, rtol=1e-6)
    assert [len(stack) for stack in trained] == [4, 4, 1]


@pytest.mark.parametrize("memory_limit", [1, "3MB", "2GB"])
def test_memory_limits_change_nothing(wine, tools, memory_limit):
    X, y = wine
    searches = fit_both(
        "GridSearchCV", tools.classifier(), {"learning_rate_init": RATES}, cv=3, n_jobs=2,
        memory_limit=memory_limit, X=X, y=y,
    )  # fmt: skip
    tools.assert_same_search(*searches, X)


def test_a_tiny_limit_means_one_at_a_time(wine, tools):
    lock = threading.Lock()

    def scorer(estimator, X, y):
        assert lock.acquire(blocking=False)
        time.sleep(0.01)
        lock.release()
        return 0.0

    ours.cross_val_score(
        tools.classifier(), *wine, n_jobs=4, memory_limit=1, scoring=scorer, error_score="raise"
    )


@pytest.mark.parametrize("memory_limit", ["many", 0, -5, 1.5, True, "GB"])
def test_memory_limits_that_are_none(wine, tools, memory_limit):
    search = ours.GridSearchCV(
        tools.classifier(), {"learning_rate_init": RATES}, memory_limit=memory_limit
    )
    with pytest.raises(ValueError, match="memory_limit"):
        search.fit(*wine)


# ------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_candidate_that_diverges(diabetes, tools, n_jobs):
    X, y = diabetes
    grid = {"learning_rate_init": [0.01, 1e12, 0.02]}
    options = {"cv": 3, "n_jobs": n_jobs}
    estimator = tools.regressor(solver="sgd")
    with failures("3 fits failed out of a total of 9") as texts:
        actual = ours.GridSearchCV(estimator, grid, **options).fit(X, y)
    assert "diverge" in texts[0]
    with failures("3 fits failed out of a total of 9"):
        expected = reference.GridSearchCV(estimator, grid, cv=3).fit(X, y)
    tools.assert_same_search(actual, expected, X)
    assert np.isnan(actual.cv_results_["mean_test_score"][1])
    with pytest.raises(ValueError, match="diverge"):
        ours.GridSearchCV(estimator, grid, error_score="raise", **options).fit(X, y)


def test_a_step_before_the_network_that_fails(wine, tools):
    X, y = wine
    grid = {"scale": [PCA(3), PCA(1000)], "net__alpha": [1e-4, 1e-3]}
    estimator = tools.pipeline(tools.classifier())
    with failures("6 fits failed") as texts:
        actual = ours.GridSearchCV(estimator, grid, cv=3).fit(X, y)
    assert "n_components=1000" in texts[0]
    assert "6 fits failed with the following error" in texts[0]  # one text, not a growing one
    with failures("6 fits failed"):
        expected = reference.GridSearchCV(estimator, grid, cv=3).fit(X, y)
    tools.assert_same_search(actual, expected, X)


def test_values_that_a_parameter_cannot_have(wine, tools):
    X, y = wine
    grid = {"learning_rate_init": [0.02, -1.0]}
    with failures("'learning_rate_init' parameter"):
        actual = ours.GridSearchCV(tools.classifier(), grid, cv=3).fit(X, y)
    assert np.isnan(actual.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_parameters_that_do_not_exist(wine, tools):
    for searches in (ours, reference):
        with pytest.raises(ValueError, match="Invalid parameter 'learning'"):
            searches.GridSearchCV(tools.classifier(), {"learning": [1]}).fit(*wine)


def test_warnings_that_training_has_not_converged(wine, tools):
    X, y = wine
    counts = []
    for searches in (ours, reference):
        search = searches.GridSearchCV(
            tools.classifier(max_iter=2), {"learning_rate_init": RATES}, cv=3
        )
        with pytest.warns(ConvergenceWarning) as caught:
            search.fit(X, y)
        counts.append(len(caught))
    assert counts == [10, 10]


def test_scorers_that_fail(wine, tools):
    def scorer(estimator, X, y):
        raise ValueError("no score today")

    X, y = wine
    search = ours.GridSearchCV(tools.classifier(), {"alpha": [1e-4]}, scoring=scorer, refit=False)
    with pytest.warns(UserWarning, match="no score today|non-finite"):
        search.fit(X, y)
    search.set_params(error_score="raise", n_jobs=2)
    with pytest.raises(ValueError, match="no score today"):
        search.fit(X, y)


# --------------------------------------------------------------------------- the objects as such


def test_what_is_printed(wine, tools, capfd):
    X, y = wine
    lines = []
    for searches in (ours, reference):
        searches.GridSearchCV(
            tools.classifier(), {"learning_rate_init": RATES}, cv=2, n_jobs=1, verbose=3
        ).fit(X, y)
        printed = capfd.readouterr()
        lines.append(sorted(re.sub(r"\.*total time.*|\.\.+", "", printed.out).splitlines()))
        if searches is ours:
            assert "100%" in printed.err
            assert "6/6 fits" in printed.err
        else:
            assert not printed.err
    assert lines[0] == lines[1]


def test_silence(wine, tools, capfd):
    X, y = wine
    ours.GridSearchCV(tools.classifier(), {"learning_rate_init": RATES}, n_jobs=2).fit(X, y)
    assert capfd.readouterr() == ("", "")


SEARCHES = ["GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"]


@pytest.mark.parametrize("name", SEARCHES)
def test_parameters_are_those_of_scikit_learn(name, tools):
    actual, expected = (
        getattr(module, name)(tools.classifier(), {"alpha": [1]}) for module in (ours, reference)
    )
    extra = {"memory_limit": None}
    assert actual.get_params(deep=False).keys() == expected.get_params(deep=False).keys() | extra
    for parameter, value in expected.get_params(deep=False).items():
        if parameter != "estimator":
            np.testing.assert_equal(getattr(actual, parameter), value)
    changed = clone(actual.set_params(memory_limit="1GB"))
    assert changed.memory_limit == "1GB"
    assert "memory_limit='1GB'" in repr(changed)
    assert "NeuralClassifier" in changed._repr_html_()


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("arguments", [{"nonsense": 1}, {"estimator": None}])
def test_arguments_that_a_constructor_does_not_have(name, arguments):
    errors = []
    for module in (ours, reference):
        with pytest.raises(TypeError) as info:
            getattr(module, name)("an estimator", {}, **arguments)
        errors.append(str(info.value))
    assert errors[0] == errors[1]
    assert "memory_limit" not in getattr(reference, name)._parameter_constraints


def test_a_fitted_search_is_pickled(wine, tools):
    X, y = wine
    search = ours.GridSearchCV(
        tools.pipeline(tools.classifier()), {"net__learning_rate_init": RATES}, cv=KFold(2)
    ).fit(X, y)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))
    tools.assert_same_results(again.cv_results_, search.cv_results_)
    assert not hasattr(clone(again), "cv_results_")


def test_times_are_shares(wine, tools):
    X, y = wine
    grid = {"net__learning_rate_init": RATES}
    search = ours.GridSearchCV(tools.pipeline(tools.classifier()), grid, cv=3).fit(X, y)
    assert np.all(search.cv_results_["mean_fit_time"] > 0)
    assert np.all(search.cv_results_["mean_score_time"] > 0)


def test_a_search_within_cross_validation(wine, tools):
    X, y = wine
    grid = {"learning_rate_init": [0.01, 0.02]}
    scores = ours.cross_val_score(ours.GridSearchCV(tools.classifier(), grid, cv=2), X, y, cv=2)
    search = reference.GridSearchCV(tools.classifier(), grid, cv=2)
    np.testing.assert_array_equal(scores, reference.cross_val_score(search, X, y, cv=2))
