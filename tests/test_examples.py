"""The tour, as somebody without data and without a network sees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_the_tour_without_data(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    nowhere = {"SKNN_DATA": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9", "COLUMNS": "100"}
    for script in ("tour.py", "_figures.py"):
        (tmp_path / script).write_text((EXAMPLES / script).read_text())
    run = subprocess.run(
        [sys.executable, tmp_path / "tour.py"],
        env={**os.environ, **nowhere, "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    lines = run.stdout.replace(str(tmp_path), "examples").splitlines()
    assert [line.strip() for line in lines if line.startswith("supernovae")]
    assert max(map(len, lines)) <= 100
    assert {path.name for path in (tmp_path / "output").iterdir()} == {
        "digits.png",
        "loss_curves.png",
        "supernova.png",
    }
