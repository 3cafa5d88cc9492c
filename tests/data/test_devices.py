import os
import subprocess
import sys
import threading
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sknn import NeuralRegressor
from sknn.data import (
    count_threads,
    prediction_device,
    resolve_device,
    resolve_precision,
    threads_for,
)
from sknn.data._devices import FLOAT64_SAMPLES, SINGLE_THREAD_FLOPS

CPU = torch.device("cpu")
SMALL, LARGE = SINGLE_THREAD_FLOPS / 10, SINGLE_THREAD_FLOPS * 10


@pytest.fixture(autouse=True)
def two_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


# ----------------------------------------------------------------------------------- devices


@pytest.mark.parametrize(
    ("has_cuda", "has_mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_prefers_cuda_then_mps_then_cpu(
    monkeypatch: pytest.MonkeyPatch, has_cuda: bool, has_mps: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: has_mps)
    assert resolve_device("auto").type == expected


@pytest.mark.parametrize("device", ["cpu", CPU])
def test_cpu_is_the_cpu(device: Any) -> None:
    assert resolve_device(device) == CPU


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7", torch.device("cuda"), "mps"])
def test_a_device_that_this_machine_lacks_is_refused(no_cuda: None, device: Any) -> None:
    with pytest.raises(ValueError, match=f"device=.*{device}"):
        resolve_device(device)
    assert prediction_device(device) == CPU


def test_a_cuda_device_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "empty", lambda *args, **kwargs: None)  # no allocation to try it
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ValueError, match="device='cuda:7' does not exist.*2 CUDA device"):
        resolve_device("cuda:7")


@pytest.mark.parametrize("device", ["nonsense", "", "cuda:x", "cpu cuda"])
def test_nonsense_is_refused_with_examples(device: str) -> None:
    with pytest.raises(ValueError, match="device=.* is not a torch device; use 'auto'"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["xpu", "meta"])
def test_a_kind_of_device_that_cannot_compute_here_is_refused(device: str) -> None:
    if device == "xpu" and torch.xpu.is_available():
        pytest.skip("this machine has such a device")
    with pytest.raises(ValueError, match=f"device='{device}'"):
        resolve_device(device)


# --------------------------------------------------------------------------------- precision


@pytest.mark.parametrize(
    ("precision", "X_dtype", "n_samples", "weights", "products"),
    [
        ("auto", "float64", FLOAT64_SAMPLES, torch.float64, torch.float64),
        ("auto", "float64", FLOAT64_SAMPLES + 1, torch.float32, torch.float32),
        ("auto", "int64", 10, torch.float64, torch.float64),
        ("auto", "float32", 10, torch.float32, torch.float32),
        ("auto", "float16", 10, torch.float32, torch.float32),
        ("float32", "float64", 10, torch.float32, torch.float32),
        ("float64", "float32", 10**6, torch.float64, torch.float64),
        ("bfloat16", "float64", 10, torch.float32, torch.bfloat16),
    ],
)
def test_precision_on_the_cpu(
    precision: str, X_dtype: str, n_samples: int, weights: torch.dtype, products: torch.dtype
) -> None:
    resolved = resolve_precision(precision, np.dtype(X_dtype), n_samples, CPU)
    assert resolved == (weights, products)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_auto_is_float32_elsewhere(kind: str) -> None:
    resolved = resolve_precision("auto", np.dtype(float), 10, torch.device(kind))
    assert resolved == (torch.float32, torch.float32)


def test_float64_on_mps_is_refused() -> None:
    with pytest.raises(ValueError, match="precision='float64' does not exist on device 'mps'"):
        resolve_precision("float64", np.dtype(float), 10, torch.device("mps"))


# ----------------------------------------------------------------------------------- threads


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)


@pytest.mark.parametrize(("n_cores", "expected"), [(1, 1), (2, 2), (3, 2)])
def test_large_work_takes_the_cores_that_the_process_may_use(
    n_cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: n_cores)
    assert count_threads() == expected
    with threads_for(LARGE, CPU):
        assert torch.get_num_threads() == expected
        with threads_for(SMALL, CPU):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == 2


def test_small_work_in_a_new_thread_keeps_its_thread_beside_large_work() -> None:
    large_has_entered = threading.Event()
    counts: list[int] = []

    def work(has_entered: threading.Event) -> None:
        with threads_for(SMALL, CPU):
            has_entered.set()
            large_has_entered.wait(10)
            counts.append(torch.get_num_threads())  # the first question of the second thread

    threads = []
    for _ in range(2):
        has_entered = threading.Event()
        threads.append(threading.Thread(target=work, args=(has_entered,)))
        threads[-1].start()
        has_entered.wait(10)
    with threads_for(LARGE, CPU):
        large_has_entered.set()
        for thread in threads:
            thread.join(10)
    assert counts == [1, 1]


def test_large_work_in_a_new_thread_beside_small_work_has_all_threads() -> None:
    """Else sums would be added in another order, and weights would depend on what else runs."""
    counts: list[int] = []

    def work() -> None:
        with threads_for(LARGE, CPU):
            counts.append(torch.get_num_threads())
        counts.append(count_threads())

    with threads_for(SMALL, CPU):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
    assert counts == [2, 2]
    assert torch.get_num_threads() == 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_threads_follow_the_affinity() -> None:
    program = """
import os
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
from sknn.data import count_threads
import torch
torch.set_num_threads(5)
print(count_threads())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1"]


def test_fits_and_predictions_take_their_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Counting(nn.Module):
        def __init__(self, n_features_in: int, n_outputs: int) -> None:
            super().__init__()
            self.linear = nn.Linear(n_features_in, n_outputs)

        def forward(self, X: Tensor) -> Tensor:
            seen.append(torch.get_num_threads())
            return self.linear(X)

    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    X, y = np.zeros((10, 2)), np.arange(10.0)
    model = NeuralRegressor(module=Counting, learning_rate="cosine", max_iter=1).fit(X, y)
    model.predict(X)
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2


def test_small_work_takes_one_thread_and_gives_the_others_back() -> None:
    with threads_for(SMALL, CPU):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("flops", "device"), [(LARGE, "cpu"), (SMALL, "cuda")])
def test_large_work_and_other_devices_keep_the_threads(flops: float, device: str) -> None:
    with threads_for(flops, torch.device(device)):
        assert torch.get_num_threads() == 2


def test_threads_come_back_after_an_exception() -> None:
    with pytest.raises(KeyboardInterrupt), threads_for(SMALL, CPU):
        raise KeyboardInterrupt
    assert torch.get_num_threads() == 2


def test_nested_use_restores_at_the_outermost_end() -> None:
    with threads_for(SMALL, CPU):
        with threads_for(SMALL, CPU):
            pass
        assert torch.get_num_threads() == 1
        with threads_for(LARGE, CPU):
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("first_to_leave", ["this thread", "the other thread"])
def test_overlapping_use_in_two_threads_leaves_no_thread_with_less(first_to_leave: str) -> None:
    entered, may_leave, left = threading.Event(), threading.Event(), threading.Event()
    counts: list[int] = []

    def work() -> None:
        with threads_for(SMALL, CPU):
            counts.append(torch.get_num_threads())
            entered.set()
            may_leave.wait(10)
        left.set()

    other = threading.Thread(target=work)
    with threads_for(SMALL, CPU):
        other.start()
        assert entered.wait(10)
        if first_to_leave == "the other thread":
            may_leave.set()
            assert left.wait(10)
        assert torch.get_num_threads() == 1
    may_leave.set()
    other.join(10)
    assert counts == [1]
    assert torch.get_num_threads() == 2
    seen: list[int] = []
    new = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    new.start()
    new.join(10)
    assert seen == [2]
