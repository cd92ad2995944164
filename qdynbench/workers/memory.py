"""Current and peak memory of this process, on host and device."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def reset_peak(device: str) -> None:
    """Reset the peaks, so that they count from now on."""
    with contextlib.suppress(OSError):  # not Linux, or a container that forbids it
        _CLEAR.write_text("5")  # reset the peak resident set size, proc(5)
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak_host() -> int:
    """Return the peak resident set in bytes, including the interpreter and libraries.

    If the system cannot reset it, this is the peak since the process started.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident() -> int:
    """Return the current resident set of this process in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_device(device: str) -> int | None:
    """Return the peak memory allocated on the device in bytes, or None on the CPU."""
    if not device.startswith("cuda"):
        return None
    import torch

    return int(torch.cuda.max_memory_allocated(device))
