"""Clocks of the core, which wait for the device before they start and stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Stopwatch:
    """Sums the wall-clock seconds of one or more timed sections."""

    device: str = "cpu"
    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the body of the `with` statement; the device is synchronised before and after it."""
        synchronize(self.device)
        start = time.perf_counter()
        try:
            yield
        finally:
            synchronize(self.device)
            self.seconds += time.perf_counter() - start


def synchronize(device: str) -> None:
    """Wait until the device has finished its work."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
