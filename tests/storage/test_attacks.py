"""Structural attacks: files with a right checksum that hold what no model holds.

A process loads each file, and uses what becomes of it, while an audit hook watches. Whatever the
file holds, nothing may be run, imported, opened or written, no memory read that is not the
model's, and loading ends with an estimator or an error that names the file, within two seconds and
200 MB.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.attacks import Content, Watcher, files_under, seal, unseal
from tests.storage.gadgets import GADGETS, Honest

GOLDEN = Path(__file__).parent / "golden" / "0.1.0"

SECONDS = 2
MEBIBYTES = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with honest files."""
    folder = tmp_path_factory.mktemp("honest")
    for path in GOLDEN.glob("*.sknn"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def honest(folder: Path) -> Honest:
    return Honest({path.stem: unseal(path) for path in folder.glob("*.sknn")}, {})


@pytest.fixture(scope="module")
def watcher(folder: Path) -> Iterator[Watcher]:
    watcher = Watcher(folder)
    watcher.start()
    yield watcher
    watcher.close()


def written(content: Content | bytes, path: Path) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else seal(content))
    return path


def test_there_are_many_gadgets() -> None:
    assert len(GADGETS) > 200


@pytest.mark.parametrize("name", ["classifier", "pipeline", "search", "ensemble", "series"])
def test_honest_files_are_loaded(
    name: str, honest: Honest, watcher: Watcher, tmp_path: Path
) -> None:
    verdict = watcher.ask(path=str(written(honest[name], tmp_path / "model.sknn")))
    assert (verdict.outcome, verdict.faults) == ("loaded", [])


def assert_nothing_happens(
    name: str, honest: Honest, watcher: Watcher, path: Path, how: str
) -> None:
    written(GADGETS[name](honest), path)
    before = files_under(watcher.folder)
    verdict = watcher.ask(path=str(path), how=how, limit=1)
    assert not verdict.faults
    assert files_under(path.parent) == {str(path)}
    assert files_under(watcher.folder) == before
    assert verdict.seconds < SECONDS
    assert verdict.mebibytes < MEBIBYTES


COSTS = [name for name in GADGETS if name.startswith("cost: ")]
LONG = re.compile("0 tensors|0 times|thousand orders|low bits|many (gen|dis|emp)|keys with one")


@pytest.mark.parametrize("name", [name for name in GADGETS if name not in COSTS])
def test_a_gadget_does_nothing(name: str, honest: Honest, watcher: Watcher, tmp_path: Path) -> None:
    assert_nothing_happens(name, honest, watcher, tmp_path / "model.sknn", "use")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if LONG.search(name) else ()) for name in COSTS],
)
def test_loading_costs_little(name: str, honest: Honest, watcher: Watcher, tmp_path: Path) -> None:
    assert_nothing_happens(name, honest, watcher, tmp_path / "model.sknn", "load")
