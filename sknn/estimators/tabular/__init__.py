"""Tables: columns of numbers and categories, with gaps."""

from ._format import TableFormat
from ._tabular import TabularClassifier, TabularRegressor
