"""How scores and times of calls are written, here and nowhere else."""

from __future__ import annotations

import math

from qdynbench import text as write
from qdynbench.analysis.ranking import Place
from qdynbench.analysis.selection import solve_time
from qdynbench.record.ledger import BreakEven, Cheaper
from qdynbench.record.schema import Score, SolveTiming


def score(found: Score | None) -> str:
    """Write a score with its interval; `<` and the resolution when the reference tells no more."""
    if found is None:
        return write.NOTHING
    if found.unresolved:
        return f"<{write.rounded_up(found.resolution or 0.0)}"
    # The interval of the samples may reach below what can be told from zero; what is printed does not.
    return write.with_interval(found.value, max(found.low, min(found.resolution or 0.0, found.value)), found.high)


def skill(found: Score | None, error: Score | None = None) -> str:
    """Write a skill; close to 1 by its distance, such as `1-2e-6`.

    Args:
        found: the skill.
        error: the relative entropy that it is made of; where the reference does not resolve that, what the skill is at
            least is written, such as `>1-3e-6`.
    """
    if found is None or not math.isfinite(found.value):
        return write.NOTHING
    missing = 1 - found.value
    if error is not None and error.unresolved and error.resolution is not None and error.value > 0 < missing:
        least = missing * error.resolution / error.value
        return "1" if least <= 1e-12 else f">1-{write.rounded_up(least)}"
    if missing <= 1e-12:  # rounding of numbers near 1, four digits up
        return "1"
    if missing < 1e-3:
        return f"1-{write.significant(missing, 1)}"
    if found.value < -99:
        return write.significant(found.value, 1)
    return f"{found.value + 0.0:z.3f}" if found.value > -1 else f"{found.value:.1f}"


def call(timing: SolveTiming | None) -> str:
    """Write the time of a call: with its interval over launches, and a `*` when it is extrapolated."""
    return write.NOTHING if timing is None else write.duration(*solve_time(timing)) + "*" * timing.extrapolated


def over_fastest(place: Place) -> str:
    """Write the time of a solver over that of the fastest; nothing for the fastest itself."""
    if place.ratio is None:
        return ""
    return "tie, " * place.tied + write.with_interval(*place.ratio, digits=3)


def break_even(found: BreakEven | None) -> str:
    """Write from which number of trajectories on, or below which, one solver is the cheaper one.

    A number stands only where the whole interval has one, and `never` only where the whole interval says so.
    """
    if found is None:
        return write.NOTHING
    if not found.decided:
        return "undecided"
    if found.cheaper in {Cheaper.ALWAYS, Cheaper.NEVER}:
        return str(found.cheaper.value)
    value, low, high = found.number
    number = f"≤{write.rounded_up(high)}" if low == 0 else write.about(value, low, high)
    return "below " * (found.cheaper is Cheaper.BELOW) + number
