"""What times on a machine are worth, from a race of copies of one solver and of others with a known slowdown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdynbench.analysis.comparison import Contest, contests
from qdynbench.contract.spec import SolverSpec
from qdynbench.record.results import Run

OFTEN = 0.1
"""Part of the rounds from which on they are called often disturbed."""


@dataclass(frozen=True)
class Resolution:
    """What a race of twins shows of the machine, each comparison by itself.

    Attributes:
        equals: in how many comparisons of equals the interval of the ratio holds 1, and of how many.
        found: by slowdown, in how many comparisons it was found, and of how many.
        half_widths: half of each interval of a ratio, relative to the ratio, in ascending order.
        waiting: seconds that their threads were ready to run and had no core, for each second.
        disturbed: part of the rounds that something else slowed down, also when they were run again.
    """

    equals: tuple[int, int]
    found: dict[float, tuple[int, int]]
    half_widths: tuple[float, ...]
    waiting: float
    disturbed: float

    @property
    def typical(self) -> float:
        """The half-width of the interval in the middle."""
        return float(np.median(self.half_widths))

    @property
    def widest(self) -> float:
        """The half-width that 9 of 10 intervals keep."""
        return float(np.quantile(self.half_widths, 0.9))


def resolution(run: Run) -> Resolution:
    """Return what the twins of a run show; the first solver of the task is what the others are compared with."""
    first, *others = run.task.solvers
    against = dict(zip(others, contests(run, *((name, first) for name in others)), strict=True))
    equal: list[bool] = []
    found: dict[float, list[bool]] = {}
    for name, timed in against.items():
        slower = float(SolverSpec.parse(name).parameters.get("slower", 0.0))
        for one in timed:
            if one.ratio is not None and slower:
                found.setdefault(slower, []).append(one.ratio[1] > 1)
            elif one.ratio is not None:
                equal.append(one.ratio[1] <= 1 <= one.ratio[2])
    every = [timing for cell in run.cells for timing in cell.ledger.solve]
    return Resolution(
        (sum(equal), len(equal)),
        {slower: (sum(seen), len(seen)) for slower, seen in sorted(found.items())},
        tuple(sorted(_half_width(one) for timed in against.values() for one in timed if one.ratio is not None)),
        float(np.mean([timing.waiting or 0.0 for timing in every])),
        disturbed(run),
    )


def recorded(kept: Any) -> Resolution | None:
    """Return the resolution that the provenance of a run holds, or None where it holds none that can be read."""
    try:
        found = {float(slower): (int(seen), int(of)) for slower, (seen, of) in kept["found"].items()}
        half_widths = tuple(map(float, kept["half_widths"]))
        held, equals = map(int, kept["equals"])
        waiting = kept.get("waiting", math.nan)
        return Resolution((held, equals), found, half_widths, float(waiting), float(kept.get("disturbed", math.nan)))
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def disturbed(run: Run) -> float:
    """Return the part of the rounds of a run that something else slowed down, also when they were run again."""
    every = [timing for cell in run.cells for timing in cell.ledger.solve if timing.disturbed is not None]
    rounds = sum(len(rounds) for timing in every for rounds in timing.launches)
    return sum(timing.disturbed or 0 for timing in every) / rounds if rounds else math.nan


def _half_width(contest: Contest) -> float:
    if contest.ratio is None:
        raise ValueError("only what was timed has an interval")
    return math.sqrt(contest.ratio[2] / contest.ratio[1]) - 1
