"""Cross-validation and search for parameters, as in scikit-learn, with many networks at a time.

The functions and classes have the names, parameters and results of those in
:mod:`sklearn.model_selection`. What they fit that is a neural estimator, alone or as the last step
of a Pipeline, is trained as one stack of networks, which takes a fraction of the time.
"""

from ._backend import stacked_fits
from ._search import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from ._validation import cross_val_predict, cross_val_score, cross_validate

__all__ = [
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "RandomizedSearchCV",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "stacked_fits",
]
