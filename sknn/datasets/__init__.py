"""Real and simulated data sets for examples, tests and benchmarks.

A ``fetch_*`` function looks for its files in one folder, the data home: its parameter
``data_home`` if that is given, else the environment variable ``SKNN_DATA`` if that is set, else
``~/sknn_data``. Files that are there already are checked for their form (header, shape, range of
the values) and used as they are; this needs neither a network nor pooch. A missing file is
downloaded with `pooch <https://www.fatiando.org/pooch>`_ from its publisher, compared with the
published hash, and kept in the data home for the next call. The data sets of series have no
published hashes: of those only the form is checked.

The folders in the data home are ``wine``, ``supernova``, ``mnist``, ``cifar10`` and ``series``; the
files in them have the names that their publishers gave them, except those in ``series``:
``Airline.csv``, and one ``.npz`` a data set of the time series archives, made of what was
downloaded.

A ``make_*`` function simulates data and needs no file.
"""

from ._airline import fetch_airline_passengers
from ._cifar10 import fetch_cifar10
from ._cosmology import distance_modulus
from ._mnist import fetch_mnist
from ._series import fetch_series
from ._supernova import fetch_supernova, make_supernova
from ._wine import fetch_wine_quality

__all__ = [
    "distance_modulus",
    "fetch_airline_passengers",
    "fetch_cifar10",
    "fetch_mnist",
    "fetch_series",
    "fetch_supernova",
    "fetch_wine_quality",
    "make_supernova",
]
