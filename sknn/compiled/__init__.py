"""Loops over batches as machine code: what numba compiles, and how it is loaded."""

from . import _places as places
from ._blas import one_blas_thread
from ._loading import is_available, kernels, rocket, words
