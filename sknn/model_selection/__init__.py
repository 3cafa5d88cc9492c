"""Cross-validation and search for parameters, as in scikit-learn, with many networks at a time.

The functions and classes have the names, parameters and results of those in
:mod:`sklearn.model_selection`. What they fit that is a neural estimator, alone or as the last step
of a Pipeline, is trained as one stack of networks, which takes a fraction of the time.
"""

# The words of this room, in the order in which they take turns:
#
# item      what scikit-learn has handed to joblib; joblib submits some of them as a job
# Call      an item whose network can be trained together with others, taken apart (_calls)
# Chunk     the calls that one worker takes on at a time (_chunks)
# CallTask  the fit of a call: a FitTask of sknn.estimators, which fit_together prepares, trains in
#           a stack and concludes; then scikit-learn's own function runs on it (_calls)

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
