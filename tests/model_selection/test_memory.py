"""Limits of memory: what they may be, and that they hold."""

import builtins
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from sknn.model_selection._memory import (
    MemoryBudget,
    available_memory,
    n_bytes_of,
    parse_memory_limit,
)
from sknn.training import Interrupted


@pytest.mark.parametrize(
    ("limit", "n_bytes"),
    [
        (None, None),
        (7, 7),
        (np.int64(7), 7),
        ("7", 7),
        ("500 MB", 5 * 10**8),
        ("1.5GB", 15 * 10**8),
        ("2gib", 2**31),
        ("3k", 3000),
    ],
)
def test_limits(limit, n_bytes):
    assert parse_memory_limit(limit) == n_bytes


@pytest.mark.parametrize("limit", ["", "i", "GB", "-1GB", "1e9", "5 XB", 0, -1, 2.0, False, []])
def test_what_is_no_limit(limit):
    with pytest.raises(ValueError, match="memory_limit"):
        parse_memory_limit(limit)


def test_available_memory(monkeypatch):
    cpu = torch.device("cpu")
    available = available_memory(cpu)
    assert 10**7 < available < 10**14

    def without_psutil(name, *args, **kwargs):
        if name == "psutil":
            raise ImportError
        return import_module(name, *args, **kwargs)

    import_module = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without_psutil)
    monkeypatch.delitem(sys.modules, "psutil", raising=False)
    assert 10**7 < available_memory(cpu) < 10**14


def test_sizes():
    pandas = pytest.importorskip("pandas")
    X = np.zeros((10, 3))
    assert n_bytes_of(X) == 240
    assert n_bytes_of(X.tolist()) == 240
    assert n_bytes_of(None) == 0
    assert 240 <= n_bytes_of(pandas.DataFrame(X)) <= 400
    assert 80 <= n_bytes_of(pandas.Series(X[:, 0])) <= 240
    matrix = sp.csr_matrix(np.eye(10))
    assert n_bytes_of(matrix) == 80 + matrix.indices.nbytes + matrix.indptr.nbytes


def test_a_budget_is_kept():
    budget = MemoryBudget(10, lambda: False)
    most, now, lock = [], [0], threading.Lock()

    def work(n_bytes):
        with budget.reserve(n_bytes):
            with lock:
                now[0] += min(n_bytes, 10)
                most.append(now[0])
            time.sleep(0.02)
            with lock:
                now[0] -= min(n_bytes, 10)

    threads = [threading.Thread(target=work, args=(size,)) for size in (3, 4, 100, 5, 5, 2, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 7
    assert max(most) == 10


def test_who_waits_for_memory_can_be_stopped():
    stop = []
    budget = MemoryBudget(10, lambda: bool(stop))
    with budget.reserve(10):
        stop.append(True)
        with pytest.raises(Interrupted), budget.reserve(1):
            pass
