"""The texts of the parameters that searches and validation functions share with scikit-learn.

scikit-learn documents them at length; here is what they are, once.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=Callable)

INDENT = 4 * " "

PARAMETERS = """
estimator : estimator
    A neural estimator, a Pipeline that ends in one, or any other estimator.
param_grid : dict or list of dict
    Names of parameters and the values to try, or several such grids.
param_distributions : dict or list of dict
    Names of parameters and distributions (anything with a method `rvs`) or lists to draw their
    values from, or several such dicts.
X : array-like or sparse matrix of shape (n_samples, n_features)
    Samples.
y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    Labels or values.
groups : array-like of shape (n_samples,)
    Groups of the samples, for a `cv` that keeps groups together.
n_iter : int
    Number of candidates to draw.
n_candidates : "exhaust" or int
    Number of candidates to draw for the first round; with "exhaust", as many as let the last
    round use all resources.
factor : int or float
    One of so many candidates comes into the next round, which gives each of them so many times
    the resources.
resource : "n_samples" or str
    What grows from round to round: "n_samples", or the name of a parameter of the estimator
    with positive integer values, such as "max_iter".
max_resources : "auto" or int
    The most that a candidate may use; "auto" is the number of samples.
min_resources : {"exhaust", "smallest"} or int
    What each candidate uses in the first round: "smallest" is a small number of samples,
    "exhaust" the largest start with which the last round uses as much as it may.
aggressive_elimination : bool
    Whether to repeat the first round until the last one has at most `factor` candidates.
scoring : str, callable, list, tuple or dict
    How to score: the name of a scorer, a callable `scorer(estimator, X, y)`, or several of
    them. None is the estimator's `score`.
n_jobs : int
    Number of threads that fit neural estimators, the calling one if it is one; None is 1, or
    what `joblib.parallel_config` says, -1 all cores. All other estimators, and networks that are
    not dense, are fitted in so many processes of joblib's. Under a backend of joblib's that the
    user has chosen, such as Dask's, the number of its workers.
refit : bool, str or callable
    Whether to fit the best candidate to all samples. With several scorers the name of the one
    that decides; a callable takes `cv_results_` and returns the best index.
cv : int, splitter or iterable
    The folds: their number (None is 5; stratified for classifiers), a splitter, or pairs of
    training and test indices.
verbose : int
    From 1 on, a bar over the epochs of all fits and scikit-learn's messages; the larger the more.
params : dict
    What `fit`, the scorer and the splitter get besides.
pre_dispatch : int or str
    How many fits are planned at once. A number means that threads wait for each other after so
    many fits; see `memory_limit` for less memory.
random_state : int or RandomState
    Seed of what the search itself draws.
error_score : "raise" or float
    The score of a fit that fails, with a FitFailedWarning; with "raise", the error is raised.
return_train_score : bool
    Whether to score on the training samples, too.
return_estimator : bool
    Whether to return the fitted estimators.
return_indices : bool
    Whether to return the indices of the folds.
method : {"predict", "predict_proba", "predict_log_proba", "decision_function"}
    The method that predicts.
memory_limit : int or str
    How much memory fits may take at once: bytes, or a string such as "2GB". None is half of the
    memory that is available. A single fit that takes more runs alone.
""".strip()

# of a version of scikit-learn that has more of them
OTHER_PARAMETER = ("object", "As in scikit-learn.")

SEARCH_ATTRIBUTES = """
cv_results_ : dict of ndarray
    Parameters, scores and times of each candidate.
best_estimator_ : estimator
    The best candidate, fitted to all samples.
best_score_ : float
    Its mean score.
best_params_ : dict
    Its parameters.
best_index_ : int
    Its index in `cv_results_`.
scorer_ : callable or dict
    The scorer or scorers.
n_splits_ : int
    Number of folds.
refit_time_ : float
    Seconds of the fit to all samples.
multimetric_ : bool
    Whether there were several scorers.
classes_ : ndarray of shape (n_classes,)
    Labels, of a refitted classifier.
n_features_in_ : int
    Number of features, if the refitted estimator knows it.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the features, if the refitted estimator knows them.
""".strip()

HALVING_ATTRIBUTES = """
n_resources_ : list of int
    The resources of each round.
n_candidates_ : list of int
    The number of candidates of each round.
n_remaining_candidates_ : int
    How many were left after the last round.
max_resources_ : int
    The most that a candidate was allowed to use.
min_resources_ : int
    What each candidate had in the first round.
n_iterations_ : int
    Number of rounds.
n_possible_iterations_ : int
    Number of rounds that the resources would have allowed.
n_required_iterations_ : int
    Number of rounds after which fewer than `factor` candidates are left.
""".strip()

NOTES = """
Dense networks, alone or as the last step of a Pipeline, are fitted in threads of this process on a
CPU, each to the very weights that it has alone, and many at a time as one stack of networks on a
GPU. The steps before the network are fitted once for all candidates of a fold that share them. All
other estimators and networks are fitted as scikit-learn fits them, in the same call. Results are
scikit-learn's, except for what is told about time: `fit_time` has no waiting for other fits in it,
on a GPU it is a fit's share of the time of its stack, and messages time the scoring. Callbacks that
a search hands to its estimators are told of fits, not of epochs.
""".strip()


def parameters_described() -> dict[str, tuple[str, str]]:
    """Return type and description of each of `PARAMETERS`."""
    found = re.findall(r"^(\w+) : (.*)\n((?: {4}.*\n?)+)", PARAMETERS, re.MULTILINE)
    return {name: (kind, " ".join(text.split())) for name, kind, text in found}


def with_memory_limit_appended(signature: inspect.Signature) -> inspect.Signature:
    """Return a signature of scikit-learn's with the parameter `memory_limit` behind all others."""
    parameter = inspect.Parameter("memory_limit", inspect.Parameter.KEYWORD_ONLY, default=None)
    return signature.replace(parameters=[*signature.parameters.values(), parameter])


def documented(obj: T) -> T:
    """Put the shared texts into a docstring, in place of ``{parameters}`` and its like."""
    is_class = isinstance(obj, type)
    role, kind, whose = (
        ("class", "class", "parameters and attributes")
        if is_class
        else ("func", "function", "parameters")
    )
    original = f"sklearn.model_selection.{obj.__name__}"
    reference = (
        f"It is :{role}:`{original}`, which documents its {whose} in full, but fits neural "
        "estimators in threads, or many at a time on a GPU."
    )
    texts = {
        "{reference}": textwrap.fill(reference, 96),
        "{stands_in_for}": f"{original} : What this {kind} stands in for.",
        "{parameters}": _parameters_text(obj),
        "{attributes}": SEARCH_ATTRIBUTES,
        "{halving_attributes}": HALVING_ATTRIBUTES,
        "{notes}": NOTES,
    }
    doc = inspect.cleandoc(obj.__doc__ or "")
    for mark, text in texts.items():
        doc = doc.replace(mark, text)
    obj.__doc__ = doc
    return obj


def _parameters_text(obj: Callable) -> str:
    """Return the list of the parameters that the signature has, with its defaults."""
    described = parameters_described()
    lines = []
    for name, parameter in inspect.signature(obj).parameters.items():
        kind, text = described.get(name, OTHER_PARAMETER)
        if parameter.default is not inspect.Parameter.empty:
            kind += f", default={parameter.default!r}".replace("'", '"')
        lines.append(f"{name} : {kind}")
        lines += textwrap.wrap(text, 92, initial_indent=INDENT, subsequent_indent=INDENT)
    return "\n".join(lines)
