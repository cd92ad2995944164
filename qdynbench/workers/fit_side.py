"""The arguments of a fit in the worker of a solver: training data over the channel, and a context."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.workers.channel import Channel
from qdynbench.workers.clock import Stopwatch
from qdynbench.workers.protocol import Line, Need, Note, Progress, Trajectories


class RemoteData:
    """Training data from the process of the scorer; this process never sees the Hamiltonian behind it.

    Args:
        fetch: asks the scorer for trajectories.
        sizes, times, count: see `qdynbench.contract.learned.TrainingData`.

    Attributes:
        seconds: time that the reference has taken for the data.
    """

    def __init__(
        self, fetch: Callable[[Need], Trajectories], sizes: Sequence[int], times: NDArray[np.float64], count: int
    ) -> None:
        self.sizes = tuple(sizes)
        self.times = times
        self.count = count
        self.seconds = 0.0
        self._fetch = fetch
        self._watch = Stopwatch()

    @property
    def waited(self) -> float:
        """Seconds that the fit has waited for data."""
        return self._watch.seconds

    def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return trajectories `start` to `stop`: complex128, shape `(stop - start, T+1, 2**size)`."""
        stop = self.count if stop is None else stop
        if size not in self.sizes:
            raise ValueError(f"the training data has sizes {list(self.sizes)}, not {size}")
        if not 0 <= start < stop <= self.count:
            raise ValueError(f"trajectories {start} to {stop} are not within the {self.count} of the training data")
        with self._watch.running():
            made = self._fetch(Need(size, start, stop))
        self.seconds += made.seconds
        return torch.from_numpy(made.states)


@dataclasses.dataclass(frozen=True)
class Context:
    """See `qdynbench.contract.learned.FitContext`."""

    channel: Channel
    folder: Path
    seed: int
    device: str

    def progress(self, fraction: float, **numbers: float) -> None:
        """Send the progress of the fit to the main process; what is no number is none."""
        known = 0.0 if math.isnan(fraction) else min(max(float(fraction), 0.0), 1.0)
        self.channel.send(Progress(known, {name: float(value) for name, value in numbers.items()}))

    def note(self, text: str) -> None:
        """Send a remark to the main process."""
        self.channel.send(Note(Line(str(text))))
