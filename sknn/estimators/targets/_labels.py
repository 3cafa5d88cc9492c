"""Labels and regression targets to arrays for the loss, and network outputs back to them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target


@dataclass
class ClassTargets:
    """Labels as class indices, or as 0 and 1.

    =============  ==================================  ======================
    `task`         encoded labels                      network outputs
    =============  ==================================  ======================
    "binary"       float 0 or 1, of shape (n, 1)       one logit
    "multiclass"   class index, of shape (n,)          a logit a class
    "multilabel"   float 0 or 1, of shape (n, labels)  a logit a label
    =============  ==================================  ======================

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels in sorted order; for multilabel problems the numbers of the labels.
    task : {"binary", "multiclass", "multilabel"}
        The kind of problem.
    """

    classes: np.ndarray
    task: str

    @classmethod
    def from_labels(cls, y: Any) -> ClassTargets:
        """Find classes and task of the labels that `fit` got.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Checked labels.

        Returns
        -------
        ClassTargets

        Raises
        ------
        ValueError
            If `y` holds values of a regression target, one class only, or several classes in
            several columns.
        """
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind.startswith("multilabel"):
            return cls(np.arange(y.shape[1]), "multilabel")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns with more than two values each, which is not supported; "
                "fit one classifier a column (sklearn.multioutput.MultiOutputClassifier)."
            )
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(
                f"y contains only one class ({classes[0]}); a classifier needs samples of two "
                "or more classes. Pass rows of another class, or call partial_fit with classes=."
            )
        return cls.from_classes(classes)

    @classmethod
    def from_classes(cls, classes: Any) -> ClassTargets:
        """Take the classes that the first call of `partial_fit` was given.

        Parameters
        ----------
        classes : array-like of shape (n_classes,)
            All labels that will come.

        Returns
        -------
        ClassTargets
        """
        classes = np.unique(classes)
        if len(classes) < 2:
            raise ValueError(
                f"classes holds {len(classes)} label(s); a classifier needs two or more."
            )
        return cls(classes, "binary" if len(classes) == 2 else "multiclass")

    @property
    def n_outputs(self) -> int:
        """Number of network outputs."""
        return 1 if self.task == "binary" else len(self.classes)

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Turn labels into what the loss takes.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels.

        Returns
        -------
        ndarray
            See the table above.

        Raises
        ------
        ValueError
            If there are labels that are not among the classes.
        """
        if self.task == "multilabel":
            if y.ndim != 2 or y.shape[1] != len(self.classes):
                raise ValueError(
                    f"y has shape {y.shape}, but the classifier was fitted with "
                    f"{len(self.classes)} labels a row."
                )
            return (y != 0).astype(np.float32)
        unknown = np.setdiff1d(y, self.classes)
        if len(unknown):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes}. "
                f"'y' has {unknown} as well."
            )
        index = np.searchsorted(self.classes, y)
        if self.task == "binary":
            return index.astype(np.float32)[:, np.newaxis]
        return index.astype(np.int64)

    def decode(self, decisions: np.ndarray) -> np.ndarray:
        """Turn decisions into labels.

        Parameters
        ----------
        decisions : ndarray
            Class indices of shape (n_samples,), or booleans of shape (n_samples, n_outputs).

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        if self.task == "multilabel":
            return decisions.astype(int)
        if self.task == "binary":
            decisions = decisions[:, 0].astype(np.intp)
        return self.classes[decisions]


def class_factors(
    class_weight: Any, y: np.ndarray, classes: np.ndarray, sample_weight: np.ndarray | None
) -> np.ndarray:
    """Return by what class_weight multiplies the weight of each row, of shape (n_samples,).

    In "balanced" a weight of n counts as n rows. For multilabel `y` of two dimensions the factors
    of the labels are multiplied.
    """
    if y.ndim == 1:
        if isinstance(class_weight, list):
            raise ValueError(
                "class_weight is a list, which is for multilabel problems; pass a dict from label "
                "to weight, or 'balanced'."
            )
        return _factors_of_labels(class_weight, y, classes, sample_weight, "class_weight")
    if isinstance(class_weight, dict):
        raise ValueError(
            "class_weight is a dict, but the problem is multilabel; pass a list with a dict for "
            "each label, or 'balanced'."
        )
    n_labels = y.shape[1]
    given = [class_weight] * n_labels if isinstance(class_weight, str) else class_weight
    if len(given) != n_labels:
        raise ValueError(
            f"class_weight is a list of {len(given)} dicts, but y has {n_labels} labels; one for "
            "each is needed."
        )
    factors = [
        _factors_of_labels(each, y[:, k], np.unique(y[:, k]), sample_weight, f"class_weight[{k}]")
        for k, each in enumerate(given)
    ]
    return np.prod(factors, axis=0)


def _factors_of_labels(
    class_weight: Any,
    y: np.ndarray,
    classes: np.ndarray,
    sample_weight: np.ndarray | None,
    name: str,
) -> np.ndarray:
    """Return the factors of one column of labels."""
    if isinstance(class_weight, dict):
        for label, weight in class_weight.items():
            if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
                raise ValueError(
                    f"{name}[{label!r}] is {weight!r}; a weight is a finite number, not negative."
                )
        # over all classes, since a batch of partial_fit may lack some
        by_class = compute_class_weight(class_weight, classes=classes, y=y)
        return by_class[np.searchsorted(classes, y)]
    if class_weight != "balanced":
        raise ValueError(f"{name} is {class_weight!r}; a dict or 'balanced' is needed.")
    # a weight of 0 is no row, and a class without rows does not count
    counted = slice(None) if sample_weight is None else sample_weight > 0
    present, index = np.unique(y[counted], return_inverse=True)
    weights = None if sample_weight is None else sample_weight[counted]
    by_class = compute_class_weight(
        "balanced", classes=present, y=y[counted], sample_weight=weights
    )
    factors = np.zeros(len(y))
    factors[counted] = by_class[index]
    return factors
