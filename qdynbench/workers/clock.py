"""The clocks: the core owns them, and stops them only when the device has finished."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Stopwatch:
    """Sums wall-clock seconds over one or more timed stretches."""

    device: str = "cpu"
    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the body; the device is synchronised on both sides."""
        synchronize(self.device)
        start = time.perf_counter()
        try:
            yield
        finally:
            synchronize(self.device)
            self.seconds += time.perf_counter() - start


def synchronize(device: str) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
