"""torch's defaults (device, type, autocast), which a program may have changed around a fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ContextDecorator, ExitStack, contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

# Functions that make tensors of the default type, and those that do so of Python's floats.
MAKE_FLOATS = {
    torch.empty,
    torch.zeros,
    torch.ones,
    torch.rand,
    torch.randn,
    torch.normal,
    torch.eye,
    torch.linspace,
    torch.logspace,
    torch.empty_strided,
    torch.bartlett_window,
    torch.blackman_window,
    torch.hamming_window,
    torch.hann_window,
    torch.kaiser_window,
}
TAKE_FLOATS = {
    torch.tensor,
    torch.as_tensor,
    torch.asarray,
    torch.scalar_tensor,
    torch.full,
    torch.arange,
}

AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")


class _MakeFloat32(TorchFunctionMode):
    """Makes tensors of float32 where no type is given, in one thread."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("dtype") is None and kwargs.get("out") is None:
            given = (args, tuple(kwargs.values()))
            if func in MAKE_FLOATS or (func in TAKE_FLOATS and _has_floats(given)):
                kwargs = kwargs | {"dtype": torch.float32}
        return func(*args, **kwargs)


def _has_floats(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_floats, value))
    return type(value) is float


class own_defaults(ContextDecorator):  # noqa: N801
    """Run with torch's own defaults: the CPU, float32, no autocast, no inference mode.

    With `keeps_float64`, a default type of float64 stays: it makes modules of the user's more
    exact.
    """

    def __init__(self, *, keeps_float64: bool = False) -> None:
        self.keeps_float64 = keeps_float64
        self._changes: ExitStack | None = None

    def _recreate_cm(self) -> own_defaults:
        return own_defaults(keeps_float64=self.keeps_float64)

    def __enter__(self) -> None:
        self._has_gradients = torch.is_grad_enabled()
        probe = torch.empty(0)
        dtype = probe.dtype
        changes_device = probe.device.type != "cpu"
        changes_dtype = dtype != torch.float32 and not (
            self.keeps_float64 and dtype == torch.float64
        )
        autocast = [device for device in AUTOCAST_DEVICES if torch.is_autocast_enabled(device)]
        is_inference = torch.is_inference_mode_enabled()
        if not (changes_device or changes_dtype or autocast or is_inference):
            return
        with ExitStack() as stack:
            if changes_device:
                stack.enter_context(torch.device("cpu"))
            if changes_dtype:
                stack.enter_context(_MakeFloat32())
            for device in autocast:
                # without its cache, which would hold weights from before a step
                stack.enter_context(torch.autocast(device, enabled=False, cache_enabled=False))
            if is_inference:
                stack.enter_context(torch.inference_mode(False))
            self._changes = stack.pop_all()

    def __exit__(self, *error: Any) -> None:
        try:
            if self._changes is not None:
                self._changes.__exit__(*error)
        finally:
            # an interrupt may have come where torch switches gradients off or on
            if torch.is_grad_enabled() != self._has_gradients:
                torch.set_grad_enabled(self._has_gradients)


@contextmanager
def float32_everywhere() -> Iterator[None]:
    """Set torch's default type to float32 for all threads, for code that asks for its name.

    Call it while torch's global generators are lent, so that no two threads do so at once.
    """
    before = torch.get_default_dtype()
    if before == torch.float32:
        yield
        return
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
