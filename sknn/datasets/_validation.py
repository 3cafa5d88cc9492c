"""What the parameters of all fetch_* functions have to be."""

from __future__ import annotations

from os import PathLike
from typing import Any

FETCH_CONSTRAINTS: dict[str, list[Any]] = {
    "data_home": [str, PathLike, None],
    "download_if_missing": ["boolean"],
    "return_X_y": ["boolean"],
    "as_frame": ["boolean"],
}
