"""Captions of pictures: the prediction, and the truth where it differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from ._networks import FittedNetwork

WRONG_COLOR = "tab:red"

# allowed values of the parameter `class_names`
CLASS_NAMES = [Mapping, "array-like", None]


def true_targets(X: Any, y: Any) -> np.ndarray | None:
    """Return the true labels or values of images, (n,) or (n, n_outputs); one for each image."""
    if y is None:
        return None
    check_consistent_length(X, y)
    array = np.asarray(y)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


class TargetNames:
    """Names of labels and texts of values."""

    def __init__(
        self,
        class_names: Mapping[Any, str] | Sequence[str] | None,  # a sequence: in their order
        network: FittedNetwork | None,
        y: np.ndarray | None = None,
    ) -> None:
        # without a network, y tells whether there are several labels, and classes are 0, 1, 2, ...
        if network is not None:
            self.has_classes = is_classifier(network.estimator)
            self.is_multilabel = self.has_classes and network.parts.targets.task == "multilabel"
        else:
            kind = None if y is None else type_of_target(y)
            self.is_multilabel = kind == "multilabel-indicator"
            self.has_classes = kind is not None and not kind.startswith("continuous")
        self.names: dict[Any, str] | None = None
        if isinstance(class_names, Mapping):
            self.names = dict(class_names)
        elif class_names is not None:
            self.names = self._number(class_names, network)

    def _number(self, names: Sequence[str], network: FittedNetwork | None) -> dict[Any, str]:
        if network is None or not self.has_classes:
            return dict(enumerate(names))
        classes = network.estimator.classes_
        if len(names) != len(classes):
            raise ValueError(
                f"class_names has {len(names)} names, but the classifier was fitted with "
                f"{len(classes)} classes."
            )
        return dict(zip(classes.tolist(), names, strict=True))

    def text(self, value: Any) -> str:
        """Return the text for one sample's label or value, or for several of them."""
        if np.ndim(value) == 0:
            return self.name(value)
        if self.is_multilabel:
            return ", ".join(self.name(label) for label in np.flatnonzero(value)) or "none"
        return ", ".join(self.name(each) for each in value)

    def name(self, value: Any) -> str:
        """Return the text for one label or value."""
        value = value.item() if isinstance(value, np.generic) else value
        if self.names is None:
            return f"{value:.3g}" if isinstance(value, float) else str(value)
        if value not in self.names:
            raise ValueError(f"class_names has no name for the label {value!r}.")
        return str(self.names[value])


def write_caption(
    ax: Any,
    names: TargetNames,
    predicted: Any,
    true: Any,
    confidences: tuple[float, float] | None = None,  # probabilities of both
) -> None:
    """Write the prediction above a picture, and the truth in a second line where it differs."""
    shares = ("", "") if confidences is None else tuple(f" ({each:.0%})" for each in confidences)
    if predicted is None or true is None:
        known = predicted if true is None else true
        if known is not None:
            ax.set_title(names.text(known), fontsize="small")
        return
    is_wrong = names.has_classes and bool(np.any(predicted != true))
    text = names.text(predicted) + shares[0]
    if is_wrong or not names.has_classes:
        text += f"\ntrue: {names.text(true)}{shares[1]}"
    ax.set_title(text, fontsize="small", **({"color": WRONG_COLOR} if is_wrong else {}))
