"""Cross-validation and search for parameters, as in scikit-learn, with networks in threads.

The functions and classes have the names, parameters and results of those in
:mod:`sklearn.model_selection`. The dense networks that they fit, alone or as the last step of a
Pipeline, are fitted in threads of this process on a CPU, and trained as one stack of networks on a
GPU.
"""

# The words of this room, in the order in which they take turns:
#
# item      what scikit-learn has handed to joblib; joblib submits some of them as a job
# Call      an item with a dense network, taken apart (_calls)
# CallTask  the fit of a call: a FitTask of sknn.estimators, which fit_together prepares, trains and
#           concludes; then scikit-learn's own function runs on it (_calls)

from ._backend import stacked_fits
from ._search import GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV
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
