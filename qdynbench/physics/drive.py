"""Piecewise-constant drives: Hamiltonians that act one after the other, and kicks that take no time; hbar = 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from qdynbench.errors import InputError
from qdynbench.physics.operators import PauliSum

COINCIDENCE = 1e-9
"""Times that differ by less than this fraction of the shortest segment are equal, to allow for rounding of the grid."""


@dataclass(frozen=True)
class Segment:
    """One stretch of a drive: the state is multiplied by `exp(-i H s)`.

    Attributes:
        hamiltonian: H.
        duration: how long the segment lasts; `s` is then the time spent in it. 0 for a kick.
        kick: the strength `s` of a kick, which takes no time; None for a segment that lasts.
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
    """Segments that act one after the other and are repeated periodically.

    A kick at a point of the time grid belongs to the step that ends there: the state at this point contains the kick.

    Attributes:
        segments: the segments in order.
        back_from: the time from which the drive runs backward; its segments then have the negated Hamiltonians. None
            for a drive that runs forward.

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
        """Time after which the segments repeat."""
        return sum(segment.duration for segment in self.segments)

    def backward(self, end: float) -> Drive:
        """Return the drive that undoes this one from time `end` back to 0; its time t is time `end - t` of this one."""
        segments = (Segment(-one.hamiltonian, one.duration, one.kick) for one in self.segments)
        return Drive(tuple(segments), back_from=end)

    def pieces(self, start: float, stop: float) -> tuple[tuple[int, float], ...]:
        """Return what acts after time `start`, up to and including `stop`: pairs `(index of the segment, s)`, in order.

        A backward drive returns the pieces of the corresponding forward step in reverse order, so that a kick at the
        end of the forward step comes at the beginning of the backward step.
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
