"""When the machine is calm enough for a round to be timed."""

from __future__ import annotations

import math
from collections import defaultdict, deque

import numpy as np

SLACK = 1.2
"""The yardstick may take so many times as long as at full speed."""
PATIENCE = 1.0
"""Seconds that a round waits for the machine."""
HOPELESS = 0.05
"""Seconds of patience below which nothing is waited for or run again."""
RECENT = 300
"""Number of yardsticks from which full speed is read off: a machine that stays slow has another one in time."""
FAST = 0.1
"""Part of the recent yardsticks that are at full speed, at least."""


class Calm:
    """What the rounds of a run have seen of the machine.

    The cores of a shared machine run slower at times, as where another guest of the host is at work on their other
    hardware threads, and what is timed then is that. A round therefore waits for full speed, and is run again if it
    ended otherwise. The yardstick alone decides this, never anything that a solver does in the round, so that it
    favours none. A machine that stays slow is not waited for again and again: each time in vain halves the patience.

    Attributes:
        patience: seconds that the next round waits at most.
    """

    def __init__(self) -> None:
        self.patience = PATIENCE
        self._recent: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))

    def limit(self, threads: int) -> float:
        """Return the seconds of the yardstick up to which the cores of so many threads are at full speed."""
        recent = self._recent[threads]
        return SLACK * float(np.quantile(recent, FAST)) if recent else math.inf

    @property
    def hope(self) -> bool:
        """Whether to run a round again that was slowed."""
        return self.patience > 0

    def waited_for(self, threads: int, pace: float) -> None:
        """Take down the yardstick that a round began with."""
        if not self.slowed(threads, pace):
            self.patience = PATIENCE
        else:
            self.patience = self.patience / 2 if self.patience > HOPELESS else 0.0

    def slowed(self, threads: int, pace: float) -> bool:
        """Return whether a yardstick shows slow cores, and take it down."""
        self._recent[threads].append(pace)
        return pace > self.limit(threads)
