"""Where and in which precision a network runs, and on how many threads."""

from __future__ import annotations

import os
import threading

import joblib
import numpy as np
import torch

# Up to this number of samples, float64 input is computed in float64 on a CPU.
FLOAT64_SAMPLES = 10_000

# Below this number of floating point operations a step, a second thread costs more than it saves.
SINGLE_THREAD_FLOPS = 6e6


def resolve_device(device: str | torch.device) -> torch.device:
    """Return a device that exists; "auto" is CUDA, then MPS, then the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is not a torch device; use 'auto', 'cpu', 'cuda', 'cuda:1', "
            "'mps', ..."
        ) from error
    if resolved.type == "cuda":
        count = torch.cuda.device_count()
        if not torch.cuda.is_available():
            raise ValueError(
                f"device={device!r} was asked for, but torch finds no CUDA device here. Use "
                "device='auto' or 'cpu', or install a CUDA build of torch and a driver."
            )
        if resolved.index is not None and resolved.index >= count:
            raise ValueError(
                f"device={device!r} does not exist: this machine has {count} CUDA device(s), "
                f"'cuda:0' to 'cuda:{count - 1}'."
            )
        return resolved
    if resolved.type == "meta":
        raise ValueError("device='meta' holds no numbers; use 'auto', 'cpu' or 'cuda'.")
    try:
        torch.empty(1, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} was asked for, but is not available here: {error}"
        ) from error
    return resolved


def prediction_device(device: str | torch.device) -> torch.device:
    """Like :func:`resolve_device`, but the CPU where the device of another machine is missing."""
    try:
        return resolve_device(device)
    except ValueError:
        return torch.device("cpu")


def resolve_precision(
    precision: str, X_dtype: np.dtype, n_samples: int, device: torch.device
) -> tuple[torch.dtype, torch.dtype]:
    """Return the type of the weights and that of the products, which differ only for "bfloat16".

    "auto" is float64 where scikit-learn computes in float64 (X neither float32 nor float16), the
    samples are few and the device is a CPU: there it costs next to nothing. Else it is float32.
    """
    if precision == "float64" and device.type == "mps":
        raise ValueError("precision='float64' does not exist on device 'mps'; use 'float32'.")
    if precision == "auto":
        small = n_samples <= FLOAT64_SAMPLES and device.type == "cpu"
        precision = "float64" if small and X_dtype not in (np.float32, np.float16) else "float32"
    if precision == "bfloat16":
        return torch.float32, torch.bfloat16
    dtype = torch.float64 if precision == "float64" else torch.float32
    return dtype, dtype


def count_threads() -> int:
    """Return how many threads work may be shared among: torch's number, but no more than the cores.

    Those are the cores that this process may use by its affinity and the limits that a container
    (cgroup) or LOKY_MAX_CPU_COUNT sets.
    """
    return min(_thread_limit.process_number(), joblib.cpu_count())


class _ThreadLimit(threading.local):
    """Sets torch's number of threads while it is entered, in each thread by itself.

    torch keeps the number once a thread and, as the start value of new threads, once a process.
    A thread that starts while another one is limited would find 1 and restore 1: it goes by
    what the process had before the first of them entered.
    """

    _lock = threading.RLock()
    _process_users = 0
    _process_before = 1

    def __init__(self) -> None:
        self.numbers: list[int] = []
        # A thread that asks for the first time takes over the process's number, whatever it has
        # set for itself before: its first operation would undo `enter`.
        torch.get_num_threads()

    def process_number(self) -> int:
        with self._lock:
            return self._process_before if self._process_users else torch.get_num_threads()

    def enter(self, *, is_small: bool) -> None:
        cls = type(self)
        if self.numbers and not is_small:  # within other work
            number = self.numbers[-1]
        else:
            number = 1 if is_small else count_threads()
        with self._lock:
            if cls._process_users == 0:
                cls._process_before = torch.get_num_threads()
            cls._process_users += 1
            self.numbers.append(number)
            torch.set_num_threads(number)

    def leave(self) -> None:
        cls = type(self)
        with self._lock:
            cls._process_users -= 1
            self.numbers.pop()
            torch.set_num_threads(self.numbers[-1] if self.numbers else cls._process_before)

    @classmethod
    def reset(cls) -> None:
        """Forget the threads that a fork has left behind."""
        cls._lock, cls._process_users = threading.RLock(), 0


_thread_limit = _ThreadLimit()


def _after_fork_in_child() -> None:
    """Use one thread: a forked child that uses its parent's thread pool waits for ever."""
    _ThreadLimit.reset()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class threads_for:  # noqa: N801
    """Use one thread of a CPU while a step has few operations, `flops`, else as many as may be."""

    def __init__(self, flops: float, device: torch.device) -> None:
        self.is_small = flops < SINGLE_THREAD_FLOPS
        self.is_cpu = device.type == "cpu"

    def __enter__(self) -> None:
        if self.is_cpu:
            _thread_limit.enter(is_small=self.is_small)

    def __exit__(self, *error: object) -> None:
        if self.is_cpu:
            _thread_limit.leave()
