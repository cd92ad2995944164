"""What a solver's worker hands to its fit: training data over the channel, and a way to report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.workers.channel import Channel
from qdynbench.workers.clock import Stopwatch
from qdynbench.workers.protocol import Need, Note, Progress, Trajectories


class RemoteData:
    """Training data that lives in the scorer's process; this one never sees the Hamiltonian behind it."""

    def __init__(self, channel: Channel, sizes: list[int], times: NDArray[np.float64], count: int) -> None:
        self.sizes: Sequence[int] = tuple(sizes)
        self.times = times
        self.count = count
        self.waited = Stopwatch()
        self._channel = channel

    def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return trajectories `start` to `stop`: complex128, shape `(stop - start, T+1, 2**size)`."""
        stop = self.count if stop is None else stop
        if size not in self.sizes:
            raise ValueError(f"the training data has sizes {list(self.sizes)}, not {size}")
        if not 0 <= start < stop <= self.count:
            raise ValueError(f"trajectories {start} to {stop} are not within the {self.count} of the training data")
        with self.waited.running():
            self._channel.send(Need(size, start, stop))
            states = self._channel.receive(Trajectories).states
        return torch.from_numpy(states)


@dataclasses.dataclass(frozen=True)
class Context:
    """What the core offers to a fit."""

    channel: Channel
    folder: Path
    seed: int
    device: str

    def progress(self, fraction: float, **figures: float) -> None:
        """Pass the progress of the fit to the main process."""
        numbers = {name: float(value) for name, value in figures.items()}
        self.channel.send(Progress(float(fraction), numbers))

    def note(self, text: str) -> None:
        """Pass a remark to the main process."""
        self.channel.send(Note(str(text)))
