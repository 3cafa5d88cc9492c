"""What may be passed to scikit-learn's searches and functions may be passed to these."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.model_selection as reference
import torch
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    LeavePOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    TimeSeriesSplit,
)

import sknn.model_selection as ours
from sknn import NeuralClassifier
from tests.helpers import outcome

pd = pytest.importorskip("pandas")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = np.arange(60) % 2
X[:, 0] += Y
GROUPS = np.arange(60) // 10
WEIGHTS = RNG.uniform(0.1, 2, 60)
PARAMETERS = {"hidden_layer_sizes": (4,), "learning_rate": "cosine", "max_iter": 2}


def network(**parameters):
    return NeuralClassifier(**PARAMETERS, random_state=0, batch_size=10, **parameters)


def scores_of(results):
    return {name: value for name, value in results.items() if "time" not in name}


def outcome_of(function, *args, **options):
    """Return what a function returns without times, or the type and the text of its exception."""
    result = outcome(function, *args, **options)
    result = getattr(result, "cv_results_", result)
    return scores_of(result) if isinstance(result, dict) else result


def assert_same(actual, expected):
    """Numbers are close, everything else is equal."""
    assert type(actual) is type(expected)
    if isinstance(expected, dict):
        assert list(actual) == list(expected)
        for name, value in expected.items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                np.testing.assert_array_equal(actual[name], value, err_msg=name)
            else:
                np.testing.assert_equal(actual[name], value, err_msg=name)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(actual, expected)
    else:
        assert actual == expected


def assert_same_search(X=X, y=Y, estimator=None, grid=None, fit_params=None, **options):
    """Compare grid searches; each form is made anew, since some can be used only once."""
    results = []
    for module in (ours, reference):
        made = {name: value() if callable(value) else value for name, value in options.items()}
        search = module.GridSearchCV(
            estimator or network(), grid or {"alpha": [0.1, 1.0]}, refit=False, **made
        )
        results.append(outcome_of(search.fit, X, y, **(fit_params or {})))
    assert_same(*results)
    return results[1]


def mostly_slow(forms, *quick):
    """Return the forms, all but some of them for `make test-all`."""
    return [form if form in quick else pytest.param(form, marks=pytest.mark.slow) for form in forms]


class ListsOfIndices:
    """A splitter of a user's."""

    def get_n_splits(self, X=None, y=None, groups=None):
        return 2

    def split(self, X, y=None, groups=None):
        yield list(range(40)), list(range(40, 60))
        yield tuple(range(20, 60)), range(20)


FIRST, REST = np.arange(40), np.arange(40, 60)
MASK = np.arange(60) < 40
CV = {
    "ranges": lambda: [(range(40), range(40, 60)), (range(20, 60), range(20))],
    "lists": lambda: [(FIRST.tolist(), REST.tolist())],
    "tuples": lambda: ((tuple(FIRST), tuple(REST)),),
    "small integers": lambda: [(FIRST.astype(np.uint8), REST.astype(np.int16))],
    "negative": lambda: [(FIRST - 60, REST - 60)],
    "masks": lambda: [(MASK, ~MASK)],
    "lists of bool": lambda: [(MASK.tolist(), (~MASK).tolist())],
    "columns": lambda: [(pd.Index(FIRST), pd.Series(REST))],
    "tensors": lambda: [(torch.arange(40), torch.arange(40, 60))],
    "repeated rows": lambda: [(np.r_[FIRST, FIRST], np.r_[REST, REST])],
    "a generator": lambda: ((FIRST, REST) for _ in range(2)),
    "pairs as lists": lambda: [[FIRST, REST], [REST, FIRST]],
    "an array": lambda: np.arange(60).reshape(1, 2, 30),
    "a number": lambda: 3,
    "None": lambda: None,
    "a class of a user's": ListsOfIndices,
    "KFold": lambda: KFold(3, shuffle=True, random_state=0),
    "ShuffleSplit": lambda: ShuffleSplit(3, test_size=7, random_state=0),
    "repeated": lambda: RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
    "in time": lambda: TimeSeriesSplit(3),
    "PredefinedSplit": lambda: PredefinedSplit(GROUPS - 1),
}
WRONG_CV = {
    "floats": lambda: [(FIRST * 1.0, REST * 1.0)],
    "strings": lambda: [(["a", "b"], ["c"])],
    "too large": lambda: [(FIRST + 100, REST)],
    "too large to test": lambda: [(FIRST, REST + 100)],
    "a mask of another length": lambda: [(MASK[:50], ~MASK[:50])],
    "empty": lambda: [(FIRST[:0], REST)],
    "no rows to test": lambda: [(FIRST, REST[:0])],
    "no folds": list,
    "slices": lambda: [(slice(40), slice(40, 60))],
    "one class": lambda: [(FIRST[::2], REST)],
    "two dimensions": lambda: [(FIRST.reshape(8, 5), REST)],
    "a word": lambda: "five",
    "one fold": lambda: 1,
    "half a fold": lambda: 2.5,
    "more folds than rows": lambda: 100,
    "no pairs": lambda: [FIRST],
    "groups that are missing": GroupKFold,
}


@pytest.mark.parametrize("form", CV | WRONG_CV)
def test_cv_of_a_search(form):
    expected = assert_same_search(cv=(CV | WRONG_CV)[form], return_train_score=True)
    assert isinstance(expected, dict) or form in WRONG_CV


def test_the_error_of_each_wrong_cv():
    for form in WRONG_CV:
        error = assert_same_search(cv=WRONG_CV[form], error_score="raise")
        # no rows to test: a score of nan
        assert isinstance(error, tuple) or form == "no rows to test"


@pytest.mark.parametrize("is_pipeline", [False, True])
@pytest.mark.parametrize("n_jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_ranges_everywhere(tools, n_jobs, is_pipeline):
    cv = [(range(40), range(40, 60)), (range(20, 60), range(20))]
    estimator = tools.pipeline(network()) if is_pipeline else network()
    for name, options in [
        ("cross_validate", {"return_train_score": True, "return_indices": True}),
        ("cross_val_score", {}),
        ("cross_val_predict", {"cv": [(range(30, 60), range(30)), (range(30), range(30, 60))]}),
    ]:
        results = [
            outcome_of(
                getattr(module, name), estimator, X, Y, n_jobs=jobs, **({"cv": cv} | options)
            )
            for module, jobs in ((ours, n_jobs), (reference, None))
        ]
        # which scikit-learn's cross_val_predict does not take
        assert isinstance(results[1], tuple) == (name == "cross_val_predict")
        assert_same(*results)
    curves = []
    for stacked in (True, False):
        with ours.stacked_fits() if stacked else warnings.catch_warnings():
            curves += [reference.learning_curve(estimator, X, Y, cv=cv, train_sizes=[20, 40])]
    for actual, expected in zip(*curves, strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.slow
@pytest.mark.parametrize("splitter", [GroupKFold(2), LeaveOneGroupOut(), StratifiedGroupKFold(2)])
@pytest.mark.parametrize("kind", [np.asarray, lambda groups: pd.Series(groups.astype(str))])
def test_groups(splitter, kind):
    expected = assert_same_search(cv=splitter, fit_params={"groups": kind(GROUPS)})
    assert isinstance(expected, dict)


@pytest.mark.slow
def test_many_splits():
    rows = slice(6)
    assert_same_search(X[rows], Y[rows], estimator=network(), cv=LeavePOut(2))


def two_scores(estimator, X, y):
    return {"accuracy": accuracy_score(y, estimator.predict(X)), "rows": len(y)}


def scores_of_another_kind(estimator, X, y):
    return np.float32(accuracy_score(y, estimator.predict(X)))


def word(estimator, X, y):
    return "much"


def pair(estimator, X, y):
    return 1.0, 2.0


def failure(estimator, X, y):
    return 1 / 0


SCORING = {
    "None": None,
    "a name": "roc_auc",
    "a list": ["accuracy", "neg_log_loss"],
    "a tuple": ("accuracy", "f1"),
    "names": {"a": "accuracy", "b": make_scorer(accuracy_score)},
    "a scorer": lambda: make_scorer(accuracy_score),
    "a function": lambda: scores_of_another_kind,
    "a function with a dict": lambda: two_scores,
    "decisions": "average_precision",
    "unknown": "beauty",
    "for regressors": "r2",
    "empty": [],
    "numbers": [1, 2],
    "a word": lambda: word,
    "two numbers": lambda: pair,
    "a failure": lambda: failure,
    "failures": {"accuracy": "accuracy", "broken": failure},
}


@pytest.mark.parametrize("form", mostly_slow(SCORING, "a list", "names", "a failure", "unknown"))
def test_scoring(form):
    assert_same_search(scoring=SCORING[form], cv=2)
    assert_same_search(scoring=SCORING[form], cv=2, error_score="raise")


@pytest.mark.slow
@pytest.mark.parametrize("error_score", [0, "nonsense", None, np.float32(-1), True])
def test_error_scores(error_score):
    assert_same_search(scoring=lambda: failure, cv=2, error_score=error_score)
    assert_same_search(estimator=network(alpha=-1), cv=2, error_score=error_score)


PARAMS = {
    "an array": {"sample_weight": WEIGHTS},
    "a list": {"sample_weight": WEIGHTS.tolist()},
    "a tuple": {"sample_weight": tuple(WEIGHTS)},
    "a column": {"sample_weight": pd.Series(WEIGHTS, index=RNG.permutation(60))},
    "None": {"sample_weight": None},
    "a number": {"sample_weight": 2.0},
    "of another length": {"sample_weight": WEIGHTS[:7]},
    "negative": {"sample_weight": -WEIGHTS},
    "validation data": {"X_val": X[:9], "y_val": Y[:9]},
    "validation data of all rows": {"X_val": X, "y_val": Y, "sample_weight_val": WEIGHTS},
    "validation data without y": {"X_val": X[:9]},
    "no keyword": {"weights": WEIGHTS},
}


@pytest.mark.parametrize("form", mostly_slow(PARAMS, "a column", "a number", "no keyword"))
def test_params(tools, form):
    assert_same_search(cv=3, fit_params=PARAMS[form])
    params = {f"net__{name}": value for name, value in PARAMS[form].items()}
    grid = {"net__alpha": [0.1, 1.0]}
    assert_same_search(cv=3, estimator=tools.pipeline(network()), grid=grid, fit_params=params)
    with sklearn.config_context(enable_metadata_routing=True):
        requests = dict.fromkeys(PARAMS[form], True)
        if form != "no keyword":
            estimator = network().set_fit_request(**requests).set_score_request(sample_weight=True)
            assert_same_search(cv=3, estimator=estimator, fit_params=PARAMS[form])


FORMS_OF_X = {
    "lists": lambda: X.tolist(),
    "a table": lambda: pd.DataFrame(X, columns=["a", "b", "c"], index=RNG.permutation(60)),
    "csr": lambda: sp.csr_matrix(X),
    "csc": lambda: sp.csc_array(X),
    "coo": lambda: sp.coo_matrix(X),
    "lil": lambda: sp.lil_matrix(X),
    "dok": lambda: sp.dok_matrix(X),
    "columns first": lambda: np.asfortranarray(X),
    "read only": lambda: np.broadcast_to(X, X.shape),
    "objects": lambda: X.astype(object),
    "small floats": lambda: X.astype(np.float16),
    "integers": lambda: (10 * X).astype(np.int32),
    "a tensor": lambda: torch.from_numpy(X),
    "texts": lambda: [f"row {number}" for number in range(60)],
    "one dimension": lambda: X[:, 0],
    "three dimensions": lambda: X[:, :, None],
    "not finite": lambda: np.where(X > 2, np.nan, X),
    "a row too few": lambda: X[:-1],
    "no columns": lambda: X[:, :0],
    "nothing": lambda: None,
}
FORMS_OF_Y = {
    "a list": lambda: Y.tolist(),
    "a column": lambda: pd.Series(Y, index=RNG.permutation(60)),
    "words": lambda: np.array(["no", "yes"])[Y],
    "objects": lambda: np.array(["no", "yes"], object)[Y],
    "bools": lambda: Y == 1,
    "a matrix of one column": lambda: Y[:, None],
    "an indicator": lambda: np.c_[Y, 1 - Y, Y],
    "a table": lambda: pd.DataFrame({"a": Y, "b": 1 - Y}),
    "sparse": lambda: sp.csr_matrix(np.c_[Y, 1 - Y]),
    "continuous": lambda: X[:, 0],
    "three dimensions": lambda: Y[:, None, None],
    "one class": lambda: np.zeros(60),
    "missing": lambda: np.where(Y == 0, np.nan, 1.0),
    "None": lambda: None,
}


@pytest.mark.parametrize("form", mostly_slow(FORMS_OF_X, "dok", "texts", "a table", "nothing"))
def test_forms_of_x(form):
    assert_same_search(X=FORMS_OF_X[form](), cv=2)


@pytest.mark.parametrize("form", mostly_slow(FORMS_OF_Y, "a table", "sparse", "missing"))
def test_forms_of_y(form):
    assert_same_search(y=FORMS_OF_Y[form](), cv=KFold(2))
