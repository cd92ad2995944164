"""When the machine is calm enough for a round to be timed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qdynbench.workers.protocol import Timed

SLACK = 1.2
"""The yardstick may take so many times as long as at full speed."""
WAITING = 0.1
"""Threads may be without a core for so large a part of a round."""
PATIENCE = 1.0
"""Seconds that a round waits for the machine."""
HOPELESS = 0.05
"""Seconds of patience below which nothing is waited for or run again."""


@dataclass
class Calm:
    """What the rounds of a run have seen of the machine.

    The cores of a shared machine run slower at times, since another guest of the host is at work on their other
    hardware threads, or something in this one takes them. What is timed then is that. A round therefore waits for full
    speed, and is run again if it ended otherwise. By the yardstick alone is this decided, never by the time of a
    solver, so that it favours none. A machine that stays slow is not waited for again and again: each time in vain
    halves the patience.

    Attributes:
        fastest: seconds of the yardstick at its fastest so far.
        patience: seconds that the next round waits at most.
    """

    fastest: float = math.inf
    patience: float = PATIENCE

    @property
    def limit(self) -> float:
        """Seconds of the yardstick up to which the machine is at full speed."""
        return SLACK * self.fastest

    @property
    def hope(self) -> bool:
        """Whether to run a round again that was slowed."""
        return self.patience > 0

    def waited_for(self, pace: float) -> None:
        """Take down the yardstick that a round began with."""
        self.fastest = min(self.fastest, pace)
        if pace <= self.limit:
            self.patience = PATIENCE
        else:
            self.patience = self.patience / 2 if self.patience > HOPELESS else 0.0

    def slowed(self, timed: Timed, habit: float) -> bool:
        """Return whether something else slowed a round down.

        Args:
            timed: the round.
            habit: part of a round for which threads of the solver are without a core where nothing else runs: some
                start more of them than there are cores, or have one wait for another.
        """
        self.fastest = min(self.fastest, timed.pace)
        return timed.pace > self.limit or timed.waited > (WAITING + 2 * habit) * sum(timed.seconds)
