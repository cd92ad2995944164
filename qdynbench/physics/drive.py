"""Piecewise-constant driving: Hamiltonians in turn, each for a while, and kicks that take no time; hbar = 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from qdynbench.errors import InputError
from qdynbench.physics.operators import PauliSum

COINCIDENCE = 1e-9
"""Times closer than this part of the shortest segment are the same: a grid rarely meets a boundary to the last bit."""


@dataclass(frozen=True)
class Segment:
    """One stretch of a drive: the state is multiplied by `exp(-i H s)`.

    Attributes:
        hamiltonian: H.
        duration: time that it lasts; there `s` is the time spent in it. 0 for a kick.
        kick: `s` of a kick, which acts at once; None for a segment that lasts.
    """

    hamiltonian: PauliSum
    duration: float
    kick: float | None = None

    def __post_init__(self) -> None:
        if self.kick is None and not (self.duration > 0 and math.isfinite(self.duration)):
            raise InputError(f"a segment of a drive has to last: its duration is {self.duration}")
        if self.kick is not None and (self.duration != 0 or not math.isfinite(self.kick)):
            raise InputError("a kick takes no time and has a finite strength")


@dataclass(frozen=True)
class Drive:
    """Segments in turn, over and over again.

    A kick at a point of the time grid has acted in the state that the grid records there: the step that ends at the
    kick contains it.

    Attributes:
        segments: in order.
        back_from: time that the drive is followed back from; its segments have then the negated Hamiltonians. None for
            a drive that goes forward.

    Raises:
        InputError: no segment that lasts, or segments of different numbers of spins.
    """

    segments: tuple[Segment, ...]
    back_from: float | None = None

    def __post_init__(self) -> None:
        if not any(segment.duration for segment in self.segments):
            raise InputError("a drive needs a segment that lasts")
        if len({segment.hamiltonian.size for segment in self.segments}) > 1:
            raise InputError("the segments of a drive have different numbers of spins")

    @property
    def size(self) -> int:
        """Number of spins."""
        return self.segments[0].hamiltonian.size

    @property
    def period(self) -> float:
        """Time after which the segments begin anew."""
        return sum(segment.duration for segment in self.segments)

    def backward(self, end: float) -> Drive:
        """Return what undoes the drive from time `end` back to 0: time t of it is time `end - t` of this one."""
        segments = (Segment(-one.hamiltonian, one.duration, one.kick) for one in self.segments)
        return Drive(tuple(segments), back_from=end)

    def pieces(self, start: float, stop: float) -> tuple[tuple[int, float], ...]:
        """Return what acts after time `start`, up to and with `stop`: `(index of the segment, s)`, in order.

        Of a drive that is followed back it is what acts in the step of the way there, last first: a kick at the end of
        a step there is at the beginning of the step back.
        """
        if self.back_from is None:
            return self._forward(start, stop)
        return self._forward(self.back_from - stop, self.back_from - start)[::-1]

    def _forward(self, start: float, stop: float) -> tuple[tuple[int, float], ...]:
        shortest = min(segment.duration for segment in self.segments if segment.duration)
        slack = COINCIDENCE * shortest
        begin = math.floor((start + slack) / self.period) * self.period - self.period
        found: list[tuple[int, float]] = []
        while begin <= stop + slack:
            for index, segment in enumerate(self.segments):
                end = begin + segment.duration
                if segment.kick is not None:
                    if start + slack < begin <= stop + slack:
                        found.append((index, segment.kick))
                else:
                    inside = min(end, stop) - max(begin, start)
                    if inside > slack:
                        found.append((index, inside))
                begin = end
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads back."""
        segments = [[s.hamiltonian.to_json(), s.duration, s.kick] for s in self.segments]
        return {"segments": segments, "back_from": self.back_from}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Drive:
        """Read what `to_json` wrote."""
        segments = (Segment(PauliSum.from_json(h), duration, kick) for h, duration, kick in data["segments"])
        return cls(tuple(segments), data["back_from"])
