"""What all tests share."""

import os
import signal
import threading

import joblib
import pytest

# Tests that run beside each other have a core each. Before torch is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that starts its children in the background has them ignore Ctrl-C, which Python and
# its own children inherit: the tests of interrupts would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# scikit-learn's array API checks run only if this is set before SciPy is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of cores that this process may use, in a container too."""
    return joblib.cpu_count()


@pytest.fixture(autouse=True)
def threads_are_left_alone() -> object:
    """Fail a test after which torch has another number of threads than before."""
    import torch

    before = torch.get_num_threads()
    yield
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == before


@pytest.fixture
def stacks_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have equal networks on a CPU trained as one program, as on a GPU."""
    from sknn.training import _engine

    monkeypatch.setattr(_engine, "UNSTACKED_DEVICES", set())


@pytest.fixture
def training_threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads in which networks are trained, one a training."""
    from sknn.training import _engine

    seen: list[str] = []
    train = _engine.train

    def spy(training: object) -> None:
        seen.append(threading.current_thread().name)
        train(training)

    monkeypatch.setattr(_engine, "train", spy)
    return seen
