"""What `import sknn` costs beside the imports that it cannot do without."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from ._measure import Options, interleave, report
from ._report import Row

STATEMENTS = {
    "import sklearn.neural_network, torch": "import sklearn.neural_network, torch",
    "import sknn": "import sknn",
}


def _import_seconds(statement: str) -> float:
    """Return the seconds of an import in a new process, without Python's own start."""
    code = (
        f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def run_imports(options: Options) -> list[Row]:
    """Compare the two imports."""
    actions = {
        name: (lambda _, statement=statement: _import_seconds(statement))
        for name, statement in STATEMENTS.items()
    }
    interleave(actions, 1, "imports, warming up")  # compiles bytecode, fills the file cache
    timed = interleave(actions, options.rounds(alone=9, overview=5, quick=3), "imports")
    seconds = {name: [value for _, value in pairs] for name, pairs in timed.items()}
    reference, *_ = seconds
    return [
        report(
            Row(
                "imports",
                name,
                seconds=values,
                vs_sklearn=median(seconds[reference]) / median(values),
            )
        )
        for name, values in seconds.items()
    ]
