"""Tables: numbers, categories, strings and dates, with gaps."""

from ._format import TableFormat
