"""Who is fastest at equal error, and who has no time at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from qdynbench.analysis.comparison import ratio
from qdynbench.analysis.points import Point
from qdynbench.stats import Interval


@dataclass(frozen=True)
class Place:
    """A solver's place at equal error.

    Attributes:
        point: its fastest setting.
        ratio: its time over that of the fastest solver with its 95 % interval; None for the fastest itself.
    """

    point: Point
    ratio: Interval | None

    @property
    def tied(self) -> bool:
        """Whether it cannot be told from the fastest."""
        return self.ratio is not None and not self.ratio[1] > 1


def ranking(found: Iterable[Point], target: float) -> list[Place]:
    """Return the fastest setting of each solver among the points of one size that reach an error, fastest first.

    A point reaches the target when the upper end of its interval does.
    """
    best: dict[str, Point] = {}
    for point in sorted(found, key=_median):
        if point.solved and point.largest_error <= target:
            best.setdefault(point.spec.name, point)
    fastest = next(iter(best.values()), None)
    return [Place(point, None if point is fastest else over(point, fastest)) for point in best.values()]


def leading(places: list[Place]) -> list[Place]:
    """Return the fastest, all that tie with it and the first that does not."""
    tied = list(itertools.takewhile(lambda place: place.ratio is None or place.tied, places))
    return places[: len(tied) + 1]


def over(point: Point, other: Point | None) -> Interval | None:
    """Return the time of a point over that of another of the same size, at the task's largest batch."""
    if point.timing is None or other is None:
        return None
    return ratio(point.cell, other.cell, point.timing.batch_size)


def _median(point: Point) -> float:
    return math.inf if point.seconds is None else point.seconds[0]


@dataclass(frozen=True)
class Unsolved:
    """Sizes at which a solver has no time, for one reason; the points are in the order of their sizes."""

    points: tuple[Point, ...]


def unsolved(found: Iterable[Point]) -> list[Unsolved]:
    """Return a finding for each way that a solver has no time."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in found:
        if not point.solved:
            groups.setdefault((point.solver, point.cell.status), []).append(point)
    return [Unsolved(tuple(ended)) for ended in groups.values()]
