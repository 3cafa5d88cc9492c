import platform
import resource
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from sknn import ConvClassifier
from sknn.training import _memory, reused_memory

CPU = torch.device("cpu")
# glibc maps blocks of more than 32 MiB anew each time, whatever was freed before.
N_NUMBERS = 12_000_000
BLOCK_BYTES = 4 * N_NUMBERS
PAGE_BYTES = resource.getpagesize()

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or _memory._glibc() is None,
    reason="needs glibc, whose thresholds nobody has set",
)


def count_page_faults(n_blocks: int = 10) -> int:
    """Fill blocks one after the other; count the pages that the system had to clear."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n_blocks):
        torch.ones(N_NUMBERS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


@needs_glibc
def test_blocks_are_used_again() -> None:
    without = count_page_faults()
    with reused_memory(BLOCK_BYTES, CPU):
        within = count_page_faults()
    assert within < without / 4


@needs_glibc
def test_what_was_kept_goes_back_to_the_system() -> None:
    before = resident_bytes()
    with reused_memory(BLOCK_BYTES, CPU):
        count_page_faults()
        assert resident_bytes() - before > 0.9 * BLOCK_BYTES
    assert resident_bytes() - before < 0.2 * BLOCK_BYTES


@needs_glibc
def test_the_last_of_several_users_gives_the_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    thresholds: list[int] = []
    monkeypatch.setattr(_memory, "_set_thresholds", lambda size, _: thresholds.append(size))
    entered, leave = threading.Event(), threading.Event()

    def use() -> None:
        with reused_memory(BLOCK_BYTES, CPU):
            entered.set()
            leave.wait(30)

    other = threading.Thread(target=use)
    with reused_memory(BLOCK_BYTES, CPU):
        other.start()
        assert entered.wait(30)
    still_kept = list(thresholds)
    leave.set()
    other.join()
    assert still_kept == [_memory.KEEP_BYTES]
    assert thresholds == [_memory.KEEP_BYTES, _memory.SYSTEM_MMAP_BYTES]


@pytest.mark.parametrize(
    ("layer_bytes", "device"),
    [(1000, CPU), (BLOCK_BYTES, torch.device("cuda")), (BLOCK_BYTES, torch.device("mps"))],
)
def test_small_layers_and_other_devices_are_left_alone(
    layer_bytes: int, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_memory._heap, "keep", lambda: pytest.fail("nothing to keep"))
    with reused_memory(layer_bytes, device):
        pass


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "_glibc", lambda: None)
    with reused_memory(BLOCK_BYTES, CPU):
        assert _memory._heap._users == 0


@pytest.mark.parametrize("name", ["MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_settings_of_the_user_are_respected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    _memory._glibc.cache_clear()
    try:
        assert _memory._glibc() is None
    finally:
        _memory._glibc.cache_clear()


def test_an_error_in_training_gives_the_memory_back() -> None:
    X = np.zeros((64, 40, 40))

    def fail(images: torch.Tensor) -> torch.Tensor:
        if _memory._glibc() is not None:
            assert _memory._heap._users == 1
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        ConvClassifier(augment=fail, batch_size="all").fit(X, np.arange(64) % 2)
    assert _memory._heap._users == 0
