"""What several fits of a class to the same X and y share."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from sknn.data import Rows

# X and its rows on a device, by where the rows are and how they lie there
SharedRows = dict[Hashable, tuple[Any, Rows]]


@dataclass(eq=False)
class Findings:
    """What X and y are found to be, whatever the estimator's parameters."""

    format: Any
    X: Any  # validated
    y: Any  # validated
    targets: Any
    encoded: Any  # y as the loss takes it
    attributes: dict[str, Any]  # of scikit-learn's checks of the columns


@dataclass(eq=False)
class SharedData:
    """What is done once for all fits of a class to the same X and y."""

    rows: SharedRows = field(default_factory=dict)
    findings: Findings | None = None


def examine(model: Any, X: Any, y: Any, classes: Any, shared: SharedData | None) -> Findings:
    """Validate X and y, learn what they are, and take over from fits before what they have found.

    `model` is the draft of an estimator, which scikit-learn's checks write to.
    """
    found = None if shared is None else shared.findings
    if found is None:
        before = set(vars(model))
        format_, checked_X = model._format_kind.learn(X, model)
        attributes = {name: value for name, value in vars(model).items() if name not in before}
        checked_y = model._targets_kind.check(y, checked_X, type(model).__name__)
        targets = model._targets_kind.learn(checked_y, classes)
        encoded = targets.encode(checked_y)
        found = Findings(format_, checked_X, checked_y, targets, encoded, attributes)
        if shared is not None and not _warns(y, targets, len(checked_y)):
            shared.findings = found
    vars(model).update(found.attributes, _format=found.format, _targets=found.targets)
    return found


def _warns(y: Any, targets: Any, n_rows: int) -> bool:
    """Return whether scikit-learn may have warned of y: of a column, or of very many labels."""
    is_column = len(getattr(y, "shape", ())) == 2 and y.shape[1] == 1
    return is_column or 2 * targets.n_outputs > n_rows
