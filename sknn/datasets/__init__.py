"""Real and simulated data sets for examples, tests and benchmarks.

A ``fetch_*`` function looks for its files in one folder, the data home: its parameter
``data_home`` if that is given, else the environment variable ``SKNN_DATA`` if that is set, else
``~/sknn_data``. Files that are there already are checked for their form (header, shape, range of
the values) and used as they are; this needs neither a network nor pooch. A missing file is
downloaded with `pooch <https://www.fatiando.org/pooch>`_ from its publisher, compared with the
published hash, and kept in the data home for the next call.

The folders in the data home are ``wine``, ``supernova``, ``mnist`` and ``cifar10``; the files in
them have the names that their publishers gave them.

A ``make_*`` function simulates data and needs no file.
"""

from ._cifar10 import fetch_cifar10
from ._cosmology import distance_modulus
from ._mnist import fetch_mnist
from ._supernova import fetch_supernova, make_supernova
from ._wine import fetch_wine_quality

__all__ = [
    "distance_modulus",
    "fetch_cifar10",
    "fetch_mnist",
    "fetch_supernova",
    "fetch_wine_quality",
    "make_supernova",
]
