"""Work in several threads, and how it ends early."""

import threading
import time
from typing import Any

import pytest

from sknn.training import Interrupted, _threads, in_threads, raise_if


class Work:
    """Waits until it is told to stop, or does what its item says."""

    def __init__(self) -> None:
        self.stops = threading.Event()

    def __call__(self, item: Any) -> Any:
        if item == "waits":
            assert self.stops.wait(10)
            raise_if(self.stops.is_set)
        if item == "fails":
            raise RuntimeError("as it should")
        return item


def test_results_come_in_the_order_of_the_items() -> None:
    def work(seconds: float) -> tuple[float, str]:
        time.sleep(seconds)
        return seconds, threading.current_thread().name

    results = in_threads(work, [0.1, 0.0, 0.05], 3, lambda: None)
    assert [seconds for seconds, _ in results] == [0.1, 0.0, 0.05]
    assert all(name.startswith("sknn-fits") for _, name in results)


def test_an_error_ends_the_others_and_is_raised() -> None:
    work = Work()
    n_threads = threading.active_count()
    with pytest.raises(RuntimeError, match="as it should"):
        in_threads(work, ["waits", "fails", "waits", "waits"], 2, work.stops.set)
    assert threading.active_count() == n_threads


def test_an_end_that_was_asked_for_is_an_interruption() -> None:
    work = Work()
    threading.Timer(0.05, work.stops.set).start()
    with pytest.raises(Interrupted):
        in_threads(work, [1, "waits"], 2, work.stops.set)


def test_an_interrupt_ends_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_threads, "wait", wait)
    work = Work()
    n_threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        in_threads(work, ["waits", "waits"], 2, work.stops.set)
    assert threading.active_count() == n_threads
