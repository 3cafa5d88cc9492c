import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from sknn import NeuralClassifier, save


@pytest.fixture(scope="session")
def fitted() -> Any:
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning):
        return NeuralClassifier((4,), max_iter=5, random_state=0).fit(X, y)


@pytest.fixture
def model_file(fitted: Any, tmp_path: Path) -> Path:
    path = tmp_path / "model.sknn"
    save(fitted, path)
    return path


# What a process does while it loads files; reading them, and importing modules of the packages
# that estimators come from, is left out.
AUDIT = """
    import json, os, sys, warnings
    import sknn, sknn.storage, sknn.model_selection, sknn.forecasting, sknn.text, scipy.stats
    import skops.io
    from sknn.storage import _known
    warnings.simplefilter("ignore")
    _known.known_names()  # which imports what is known
    PACKAGES = ("sklearn", "scipy", "numpy", "torch", "sknn", "skorch", "joblib", "skops")
    CODE = tuple(os.path.realpath(each) for each in (sys.prefix, sys.base_prefix, sys.argv[2]))
    WATCHED = ("os.", "shutil.", "subprocess.", "socket.", "ctypes.", "pickle.",
               "tempfile.", "urllib.", "glob.", "mmap.", "code.", "builtins.input", "signal.")
    watched, events = sys.argv[3:], []
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def is_of_packages(event, arguments):
        if event == "import":
            return str(arguments[0]).partition(".")[0] in PACKAGES + tuple(sys.stdlib_module_names)
        name = getattr(arguments[0], "co_filename", arguments[-1] if event == "compile" else None)
        return os.path.realpath(str(name)).startswith(CODE) or str(name).startswith("<")

    def hook(event, arguments):
        if not active:
            return
        if event == "open":
            path = os.path.realpath(str(arguments[0]))
            if arguments[2] & writes or not (path in watched or path.startswith(CODE)):
                events.append((event, str(arguments)[:200]))
        elif event in ("import", "exec", "compile"):
            if not is_of_packages(event, arguments):
                events.append((event, str(arguments)[:200]))
        elif event.startswith(WATCHED) and event not in ("os.listdir", "os.scandir"):
            events.append((event, str(arguments)[:200]))

    active = False
    sys.addaudithook(hook)
    for path in watched:
        events.clear()
        active = True
        try:
            sknn.load(path)
            result = "loaded"
        except sknn.storage.ModelFileError as error:
            result = "refused"
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        active = False
        print(json.dumps([result, events]))
"""


@pytest.fixture(scope="session")
def audited() -> Callable[[Sequence[Path]], list[tuple[str, list[Any]]]]:
    """Return a function that loads files in a process, and says what became of each."""

    def load(paths: Sequence[Path]) -> list[tuple[str, list[Any]]]:
        package = str(Path(__file__).parents[2])
        names = [str(path.resolve()) for path in paths]
        command = [sys.executable, "-c", textwrap.dedent(AUDIT), "x", package, *names]
        run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert run.returncode == 0, run.stderr
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        assert len(lines) == len(paths)
        return [(result, events) for result, events in lines]

    return load
