"""The machine that the numbers come from."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np
import sklearn
import skorch
import torch

import sknn


def _flags() -> set[str]:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return set()
    lines = cpuinfo.read_text().splitlines()
    # "flags" on x86, "Features" on ARM
    flags = [line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))]
    return set(flags[0].split()) if flags else set()


def cpu_model() -> str:
    """Name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16 products."""
    return bool(_flags() & {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})


def describe() -> str:
    """Return processor, threads, bfloat16 and versions, in a few lines."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    flags = _flags()
    instructions = [
        name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "bf16") if name in flags
    ]
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return "\n".join(
        [
            f"{cpu_model()}, {available} cores, torch threads {torch.get_num_threads()}, "
            f"{platform.system()}",
            f"bfloat16 instructions: {'yes' if has_bfloat16() else 'no'} "
            f"({', '.join(instructions) or 'flags unknown'}); CUDA device: {cuda}",
            f"sknn {sknn.__version__}, Python {platform.python_version()}, "
            f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
            f"skorch {skorch.__version__}, NumPy {np.__version__}",
        ]
    )
