"""Tables: columns of numbers and categories, with gaps."""

from ._tabular import TabularClassifier, TabularRegressor
