"""Loads and uses files in a process of its own, and tells what happened meanwhile.

Reads requests from stdin and answers on stdout, one JSON a line.
"""

from __future__ import annotations

import copy
import io
import json
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas  # noqa: F401  what scikit-learn asks for
import torch
from scipy import stats  # noqa: F401
from sklearn.base import BaseEstimator, clone

import sknn
import sknn.export
import sknn.forecasting
import sknn.inspection
import sknn.model_selection
import sknn.preprocessing
import sknn.sequences
import sknn.text
from sknn.storage import ModelFileError
from sknn.storage._known import known_names
from tests.storage.attacks import seal, unseal
from tests.storage.mutations import Mutator

# A model that was loaded may use much memory, and must not take that of the machine.
ROOM = 6 * 2**30
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
WATCHED = (
    "code.",
    "cpython.",
    "ctypes.",
    "exec",
    "fcntl.",
    "ftplib.",
    "glob.",
    "gc.",
    "http.",
    "marshal.",
    "mmap.",
    "os.",
    "pathlib.",
    "pickle.",
    "pty.",
    "resource.",
    "shutil.",
    "signal.",
    "socket.",
    "sqlite3.",
    "subprocess.",
    "sys.set",
    "syslog.",
    "tempfile.",
    "urllib.",
    "webbrowser.",
)

OWN = (sys.prefix, sys.base_prefix, "/proc/", "/sys/")

# SciPy defines the arguments of its own distributions so.
OF_SCIPY = 'b"\\ndef _parse_args(self, '


class Late(BaseException):
    """Using a model takes long."""


class Watch:
    """Collects what Python's audit hooks report."""

    def __init__(self) -> None:
        self.stage = ""
        self.path = ""
        self.events: list[str] = []
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.stage and len(self.events) < 5 and self._matters(event, arguments):
            stage, self.stage = self.stage, ""
            self.events.append(f"{stage}: {event} {str(arguments)[:200]}")
            self.stage = stage

    def _matters(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, mode, flags = arguments
            if flags & WRITES or (mode or "r").strip("rbt"):
                return True
            # a descriptor, Python's own files, and what tells how many cores there are
            return type(path) is not int and path != self.path and not str(path).startswith(OWN)
        if event == "import":
            return arguments[0] not in sys.modules
        if event == "compile":  # np.load reads the header of an array with ast.literal_eval
            return arguments[1] != "<unknown>" and not str(arguments[0]).startswith(OF_SCIPY)
        if event == "exec":
            return arguments[0].co_names[:1] != ("_parse_args",)
        if event.startswith("ctypes.") and self.stage != "load":  # threadpoolctl's
            return False
        return event.startswith(WATCHED)

    @contextmanager
    def during(self, stage: str) -> Iterator[None]:
        before, self.stage = self.stage, stage
        try:
            yield
        finally:
            self.stage = before


def peak_memory() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def forget_peak() -> float:
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory()


def inputs(model: Any) -> list[Any]:
    rng = np.random.default_rng(0)
    n_features = getattr(model, "n_features_in_", 4)
    n_features = n_features if type(n_features) is int and 0 < n_features < 10_000 else 4
    return [
        rng.normal(size=(6, n_features)),
        rng.integers(0, 256, (6, 8, 8)).astype(np.uint8),
        rng.integers(0, 3, (6, 5)),
        np.array(["one text", "another", "third", "text", "five", "six"], dtype=object),
    ]


def uses(model: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    y = np.array([0, 1, 0, 1, 0, 1])
    for X in inputs(model):
        for name in ("predict", "predict_proba", "decision_function", "transform"):
            if hasattr(model, name):
                yield name, lambda name=name, X=X: getattr(model, name)(X)
        if hasattr(model, "score"):
            yield "score", lambda X=X: model.score(X, y)
    yield "transform", lambda: model.transform(inputs(model)[0])
    yield "html", lambda: model._repr_html_()
    yield "get_params", lambda: model.get_params()
    yield "clone", lambda: clone(model)
    yield "deepcopy", lambda: copy.deepcopy(model)
    for X in inputs(model)[:2]:
        yield "fit", lambda X=X: model.fit(X, y)
    yield "predict", lambda: model.predict(inputs(model)[0])


def some_uses(model: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "transform", lambda: model.transform(inputs(model)[0])
    yield "predict", lambda: model.predict(inputs(model)[0])
    yield "predict images", lambda: model.predict(inputs(model)[1])


class Alarm:
    """Raises `Late` while a model is used."""

    is_set = False

    def __call__(self, *_: object) -> None:
        if self.is_set:
            raise Late


ALARM = Alarm()


def use(model: Any, watch: Watch, seconds: float, all_ways: bool) -> str:
    """Use a model in all ways; return what must not be."""
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    ALARM.is_set = True
    try:
        for name, action in uses(model) if all_ways else some_uses(model):
            try:
                with watch.during(name):
                    action()
            except Exception:
                continue
            except Late:
                return ""
            except BaseException as error:
                return f"{type(error).__name__} in {name}: {error}"[:300]
        return ""
    finally:
        ALARM.is_set = False
        watch.stage = ""


def safely_used(model: Any, watch: Watch, seconds: float, *, all_ways: bool = True) -> str:
    try:
        return use(model, watch, seconds, all_ways)
    except Late:  # on the way out
        ALARM.is_set = False
        watch.stage = ""
        return ""


def answer(watch: Watch, path: str, how: str, limit: float) -> dict[str, Any]:
    watch.path, watch.events = path, []
    found: dict[str, Any] = {"outcome": "loaded", "message": ""}
    before = peak_memory() if how == "mutation" else forget_peak()  # the latter takes its time
    model: Any = None
    seconds = []
    stages: list[tuple[str, Callable[[str], Any]]] = [("load", sknn.load)]
    if how != "mutation":
        stages.insert(0, ("file_info", sknn.file_info))
    for stage, function in stages:
        start = time.process_time()
        try:
            with watch.during(stage):
                model = function(path)
        except (ModelFileError, OSError) as error:
            found = {"outcome": "refused", "message": str(error)[:300]}
        except BaseException as error:
            found = {"outcome": f"raises {type(error).__name__}", "message": str(error)[:300]}
            break
        finally:
            seconds.append(time.process_time() - start)
    found["seconds"] = max(seconds)
    found["mebibytes"] = peak_memory() - before
    if found["outcome"] == "loaded" and not isinstance(model, BaseEstimator):
        found = {**found, "outcome": "is no estimator", "message": repr(type(model))}
    elif found["outcome"] == "loaded" and how != "load":
        fault = safely_used(model, watch, limit, all_ways=how == "use")
        if fault:
            found = {**found, "outcome": "fails in use", "message": fault}
    return found | {"events": watch.events}


def warm_up(folder: Path, watch: Watch) -> None:
    """Import what loading and using models imports."""
    known_names()
    repr(torch.zeros(2, requires_grad=True) * 2)
    from torch._subclasses import schema_check_mode  # noqa: F401  as repr does

    for path in sorted(folder.glob("*.sknn")):
        try:
            model = sknn.load(path)
        except ModelFileError:
            continue
        safely_used(model, watch, 5)
        sknn.save(model, folder / "saved.tmp")


def main() -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, ALARM)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout = io.StringIO()
    watch = Watch()
    folder = Path(sys.argv[1])
    warm_up(folder, watch)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out.write('"ready"\n')
    out.flush()
    contents = [unseal(path) for path in sorted(folder.glob("*.sknn"))]
    for line in sys.stdin:
        request = json.loads(line)
        if "seed" in request:
            mutated = Mutator(contents, request["seed"])()
            Path(request["path"]).write_bytes(seal(mutated))
        signal.setitimer(signal.ITIMER_REAL, 0)
        result = answer(watch, request["path"], request.get("how", "use"), request.get("limit", 5))
        out.write(json.dumps(result) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
