"""What a run or a score was made with: versions, and the kind of processor."""

from __future__ import annotations

import functools
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import torch


def versions() -> dict[str, str]:
    """Return the versions that can change a run's bits."""
    return {
        "gan-toolkit": metadata.version("gan-toolkit"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def machine(device: torch.device) -> str:
    """Return what kind of processor trains: its maker's name, never the host's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, threads: {torch.get_num_threads()}"


@functools.cache
def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    with suppress(OSError):  # Linux, where `platform` knows no more than the architecture
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def bf16_in_hardware() -> bool:
    """Return whether the processor itself computes in bfloat16."""
    return torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001  # torch has no public question


@functools.cache
def multiplies_fast() -> bool:
    """Return whether torch's products of float32 matrices use the whole processor.

    They are MKL's, which uses half of what another maker's processor can do.
    """
    return torch.backends.mkl.is_available() and "Intel" in processor()
