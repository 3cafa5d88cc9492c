import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def passengers() -> np.ndarray:
    """Thousands of airline passengers a month, 1949 to 1960."""
    data = os.environ.get("SKNN_DATA")
    if not data:
        pytest.skip("SKNN_DATA, the folder of the data sets, is not set")
    path = Path(data) / "series" / "Airline.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return np.genfromtxt(path, delimiter=",", skip_header=1, usecols=1)
