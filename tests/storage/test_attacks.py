"""Structural attacks: files with a right checksum that hold what no model holds.

A process loads each file, and uses what becomes of it, while an audit hook watches. Whatever the
file holds, nothing may be run, imported, opened or written, no memory read that is not the
model's, and loading ends with an estimator or an error that names the file, within two seconds and
200 MB.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import random
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skops.io
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import all_estimators

import sknn
from sknn.storage import ModelFileError
from sknn.storage._checking import RefusedError
from sknn.storage._documents import DocumentChecker
from sknn.storage._known import field_names, find_known, known_names, sorts_of
from sknn.storage._objects import check_object
from sknn.storage._schema import parameter_names
from tests.storage.attacks import Content, Watcher, files_under, places, put, seal, unseal
from tests.storage.gadgets import DUNDERS, GADGETS, Archive, Honest, module

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
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(10, 2)), np.arange(10) % 2
    estimators = {
        "scaler": StandardScaler(),
        "svc": SVC(),
        "neighbours": KNeighborsClassifier(algorithm="brute"),
        "clusters": KMeans(2, n_init=1),
    }
    archives = {name: skops.io.dumps(each.fit(X, y)) for name, each in estimators.items()}
    return Honest({path.stem: unseal(path) for path in folder.glob("*.sknn")}, archives)


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


# ------------------------------------------------------------------------ all of a kind, in turn


def known_classes() -> dict[str, type]:
    """Return the classes that a file may name, by their names."""
    known = {name: find_known(name) for name in known_names()}
    return {name: cls for name, cls in known.items() if isinstance(cls, type)}


def node_of(name: str, cls: type, attributes: dict[str, object]) -> dict[str, object]:
    node: dict[str, object] = {"class": name, "state": attributes}
    if issubclass(cls, torch.nn.Module):
        node |= {"parameters": {}, "buffers": {}, "modules": {}}
        node |= {"trainable": [], "transient": [], "training": False}
    return node


def test_no_attribute_takes_the_place_of_a_method() -> None:
    """Of any class, whatever the value: checked without making anything."""
    n_refused = 0
    for name, cls in known_classes().items():
        own = set(dir(cls)) - parameter_names(cls)
        for attribute in own:
            static = inspect.getattr_static(cls, attribute)
            is_code = callable(static) or isinstance(static, property | classmethod | staticmethod)
            if not (is_code or attribute.startswith("__") or hasattr(static, "__get__")):
                continue
            for value in ({"name": "numpy.add"}, None, 1):
                node = node_of(name, cls, {attribute: value})
                checker = DocumentChecker([node], {}, lambda name: None, None)
                with pytest.raises(RefusedError):
                    check_object(checker, node, f"{name}.{attribute}")
                n_refused += 1
    assert n_refused > 10_000


@pytest.mark.parametrize("dunder", DUNDERS)
def test_no_class_has_a_dunder(dunder: str) -> None:
    for name, cls in known_classes().items():
        node = node_of(name, cls, {dunder: 1})
        checker = DocumentChecker([node], {}, lambda name: None, None)
        with pytest.raises(RefusedError):
            check_object(checker, node, "root")


def of_class(content: Content, name: str, cls: type) -> dict[str, object]:
    if issubclass(cls, torch.nn.Module):
        return module(content, name)
    fields = field_names(cls)
    if fields is None:
        return content.add({"class": name, "state": {}})
    return content.add({"class": name, "fields": dict.fromkeys(fields)})


def test_every_class_as_the_estimator(honest: Honest, watcher: Watcher, tmp_path: Path) -> None:
    path = tmp_path / "model.sknn"
    for name, cls in known_classes().items():
        content = honest["classifier"]
        content.document["parts"]["estimator"] = of_class(content, name, cls)
        verdict = watcher.ask(path=str(written(content, path)), how="load")
        assert not verdict.faults, name


@pytest.mark.parametrize("holder", ["classifier", pytest.param("search", marks=pytest.mark.slow)])
def test_every_sort_of_class_in_every_place(
    holder: str, honest: Honest, watcher: Watcher, tmp_path: Path
) -> None:
    """As each attribute, of which no check knows more of an object than its sorts."""
    path = tmp_path / "model.sknn"
    classes = reversed(known_classes().items())
    first_of = {sorts_of(cls): (name, cls) for name, cls in classes}
    assert len(first_of) > 10
    for name, cls in first_of.values():
        content = honest[holder]
        node = of_class(content, name, cls)
        for thing in content.objects[:-1]:
            for part in ("state", "fields", "modules"):
                for attribute in [*thing.get(part, {})]:
                    before, thing[part][attribute] = thing[part][attribute], node
                    verdict = watcher.ask(path=str(written(content, path)), how="load")
                    assert not verdict.faults, (name, attribute)
                    thing[part][attribute] = before


KINDS: list[object] = [
    None, True, 1, 2**62, 0.5, "text", [], [[]], {}, {"float": "nan"}, {"tuple": []}, {"set": []},
    {"dict": []}, {"bunch": []}, {"objects": [[0], []]}, {"bytes": ""}, {"path": "x"},
    {"name": "numpy.add"}, {"name": "sknn.NeuralClassifier"}, {"name": "os.system"},
    {"torch.dtype": "float16"}, {"torch.device": "cuda"}, {"torch.Size": [1]},
    {"numpy.dtype": "<f8"}, {"slice": [1, 2, 3]}, {"scalar": ["<f8", 1.0]}, {"object": 0},
    {"object": 1}, {"object": 3}, {"object": -1}, {"history": [0, []]}, {"skops": "x"},
    {"partial": [{"name": "torch.nn.Linear"}, {"tuple": []}, {"dict": []}]},
    {"distribution": ["norm", {"tuple": []}, {"dict": []}]}, {"enum": [{"name": "x"}, "x"]},
    {"RandomState": {"dict": []}}, {"element": None}, {"masked": [[], [], 0]}, {"floats": None},
]  # fmt: skip


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 100))]
)
def test_every_kind_of_node_in_every_place(
    part: int, honest: Honest, watcher: Watcher, tmp_path: Path
) -> None:
    path = tmp_path / "model.sknn"
    cases = [
        (name, place, kind)
        for name in ("classifier", "search", "ensemble", "forecaster")
        for place in places(honest[name].document)
        if len(place) > 1
        for kind in range(len(KINDS))
    ]
    random.Random(0).shuffle(cases)
    for name, place, kind in cases[part::700]:
        content = honest[name]
        put(content.document, place, KINDS[kind])
        verdict = watcher.ask(path=str(written(content, path)), how="load")
        assert not verdict.faults, (name, place, KINDS[kind])


@pytest.mark.parametrize(
    "start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in range(200, 5000, 200))]
)
def test_random_changes_of_the_structure(start: int, watcher: Watcher, tmp_path: Path) -> None:
    path = tmp_path / "model.sknn"
    before = files_under(watcher.folder)
    for seed in range(start, start + 200):
        verdict = watcher.ask(path=str(path), seed=seed, how="mutation", limit=1)
        assert not verdict.faults, seed
        assert verdict.seconds < SECONDS, seed
        assert verdict.mebibytes < MEBIBYTES, seed
    assert files_under(watcher.folder) == before


def fitted_estimators(part: int) -> Iterator[tuple[str, bytes]]:
    """Yield scikit-learn's estimators, fitted and stored by skops, that fit plain data so."""
    X, y = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) % 2
    texts = ["one text", "another one", "a third text here", "four"] * 3
    for name, cls in all_estimators()[part::8]:
        for data in (X, np.abs(X), texts):
            with contextlib.suppress(Exception):
                yield name, skops.io.dumps(cls().fit(data, y))
                break


def lies_about(array: np.ndarray) -> list[np.ndarray]:
    lies = [array[..., :0], array.ravel()[:1], np.zeros(tuple(50 * n for n in array.shape))]
    if array.dtype.kind == "f":
        values = (np.nan, 1e300, -1e18)
        return [*lies, *(np.full_like(array, each) for each in values), array.astype("f4")]
    if array.dtype.kind in "iu" and array.dtype.itemsize > 2:
        return [*lies, *(np.full_like(array, each) for each in (10**8, 1))]
    return lies


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(8))
def test_what_fitted_estimators_say_of_themselves_ends_no_process(
    part: int, watcher: Watcher, tmp_path: Path
) -> None:
    """Each array of scikit-learn's estimators is replaced, and each whole number."""
    path = tmp_path / "model.sknn"
    for name, dumped in fitted_estimators(part):
        for attribute, node in Archive(dumped).attributes.items():
            archive = Archive(dumped)
            if node["__loader__"] == "NdArrayNode" and node.get("type") == "numpy":
                array = np.load(io.BytesIO(archive.files[node["file"]]))
                nodes = [archive.array(each) for each in (lies_about(array) if array.ndim else ())]
            elif node["__loader__"] == "JsonNode" and type(json.loads(node["content"])) is int:
                nodes = [archive.json(n) for n in (0, -1, 10**6, 2**31 - 1, -(2**31), 2**62)]
            else:
                continue
            for each in nodes:
                archive.set(attribute, each)
                written(archive.alone(), path)
                verdict = watcher.ask(path=str(path), how="light", limit=1)
                assert not verdict.faults, (name, attribute, each)


# ---------------------------------------------------------------------------------- checkpoints


def group_of(content: Content) -> list[list[object]]:
    """Return the names and values of an optimizer's group, in a checkpoint."""
    progress = dict(content.document["parts"]["progress"]["dict"])
    (group,) = progress["groups"]
    return group["dict"]


@pytest.mark.parametrize("name", ["params", "fused", "foreach", "capturable"])
def test_a_checkpoint_does_not_decide_what_an_optimizer_updates(name: str, tmp_path: Path) -> None:
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    model = sknn.NeuralClassifier((4,), max_iter=2, random_state=0, checkpoint=tmp_path)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    path = tmp_path / "checkpoint.sknn"
    content = unseal(path)
    group = [each for each in group_of(content) if each[0] != name]
    value = [content.tensor(np.zeros(1))] if name == "params" else "yes"
    group_of(content)[:] = [*group, [name, value]]
    written(content, path)
    with pytest.raises(ModelFileError, match="is not what it was made with"):
        model.fit(X, y)


PROGRESS = [
    "weights", "trainable", "state", "optimizer", "groups", "generators", "order", "n_epochs_run",
    "converged", "stop_training", "callbacks", "epoch",
]  # fmt: skip


@pytest.mark.parametrize("name", PROGRESS)
def test_a_checkpoint_that_lies_is_refused_or_harmless(name: str, tmp_path: Path) -> None:
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    model = sknn.NeuralClassifier((4,), max_iter=2, random_state=0, checkpoint=tmp_path)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    path = tmp_path / "checkpoint.sknn"
    original = unseal(path)
    for value in (None, 1, -1, 2**62, "x", [], [1], {"dict": []}, {"dict": [["x", 1]]}, [[]]):
        content = original.copy()
        for pair in content.document["parts"]["progress"]["dict"]:
            if pair[0] == name:
                pair[1] = value
        written(content, path)
        with contextlib.suppress(ModelFileError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
