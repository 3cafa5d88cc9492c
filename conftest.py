"""What doctests share."""

import sys
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def doctests_are_interactive(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give doctests the prompt of the interactive sessions that they show."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
