"""Optional packages that are missing skip tests, and never break the collection."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OPTIONAL = [
    "captum",
    "distributed",
    "kornia",
    "matplotlib",
    "numpydoc",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "pandas",
    "pooch",
    "psutil",
    "rich",
    "sphinx",
]
HIDE = """
import sys

class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, *arguments):
        is_hidden = name.partition(".")[0] in NAMES
        return None if is_hidden else self.finder.find_spec(name, *arguments)

NAMES = {names}
sys.meta_path[:] = map(Hiding, sys.meta_path)
"""


@pytest.mark.slow
def test_all_tests_are_collected_without_them(tmp_path: Path) -> None:
    (tmp_path / "hide_packages.py").write_text(HIDE.replace("{names}", repr(OPTIONAL)))
    root = Path(__file__).parents[1]
    paths = os.pathsep.join([str(root), str(tmp_path)])
    flags = ["-q", "--collect-only", "-p", "hide_packages", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *flags, "tests"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
