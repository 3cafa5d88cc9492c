"""What all tests share."""

import os

import pytest

# scikit-learn's array API checks run only if this is set before SciPy is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")


@pytest.fixture(autouse=True)
def threads_are_left_alone() -> object:
    """Fail a test after which torch has another number of threads than before."""
    import torch

    before = torch.get_num_threads()
    yield
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == before
