"""One solver against others: cost ratio with interval, errors beside it, break-even, and a verdict in words."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdynbench import text as write
from qdynbench.record.ledger import break_even
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Score, SolveTiming, Status
from qdynbench.stats import Interval, bootstrap_ratio

ERROR_METRIC = "infidelity"
"""Decides whether two errors are equal: unlike the mean relative entropy it sees phases."""
EQUAL_ERROR = 2.0
"""Errors within this factor count as equal, whatever their intervals: few states must not make errors look equal."""
ROUNDING = 1e-24
"""Infidelity of states that agree to 12 digits: two errors below it are both rounding and count as equal."""


class Cost(enum.Enum):
    """What the interval of the cost ratio says."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "indistinguishable"

    @classmethod
    def of(cls, ratio: Interval) -> Cost:
        """Read the interval of a ratio: one that holds 1 does not decide."""
        return cls.FASTER if ratio[2] < 1 else cls.SLOWER if ratio[1] > 1 else cls.SAME


class Error(enum.Enum):
    """How the first solver's error stands to the other's."""

    SMALLER = "more accurate"
    EQUAL = "equally accurate"
    LARGER = "less accurate"
    UNKNOWN = "error unknown"


@dataclass(frozen=True)
class Row:
    """Two solvers at one size and batch size.

    Attributes:
        first, other: solvers.
        size, seed, batch_size: where.
        ratio: seconds of `first` over seconds of `other`, with its 95 % interval; None when one was not timed.
        paired: whether their rounds alternated.
        cost: what the ratio says.
        first_error, other_error: infidelity at the last step, mean and interval.
        error: how these stand to each other.
        break_even: trajectories from which on the first solver's whole ledger is the smaller one.
        reason: why there is no ratio, or what it rests on (an extrapolation).
    """

    first: str
    other: str
    size: int
    seed: int
    batch_size: int | None
    ratio: Interval | None
    paired: bool
    cost: Cost | None
    first_error: Score | None
    other_error: Score | None
    error: Error
    break_even: float
    reason: str = ""


class Comparison:
    """The first solver against each of the others, on every case and batch size of a run."""

    def __init__(self, run: Run, first: str, others: list[str]) -> None:
        self.run = run
        self.first = first
        self.others = others

    @cached_property
    def rows(self) -> list[Row]:
        """One row per size, seed, batch size and other solver; a case without a ratio has one row with the reason."""
        return [row for other in self.others for row in self._against(other)]

    def _against(self, other: str) -> Iterator[Row]:
        cases = sorted({(cell.size, cell.seed) for cell in self.run.cells})
        for size, seed in cases:
            ours, theirs = self.run.cell(self.first, size, seed), self.run.cell(other, size, seed)
            reason = _why_not(ours) or _why_not(theirs)
            if ours is None or theirs is None or reason:
                yield Row(
                    *(self.first, other, size, seed, None, None, False, None),
                    *(final_error(ours), final_error(theirs), Error.UNKNOWN, math.nan),
                    reason=reason or "not in this run",
                )
                continue
            yield from self._timed(ours, theirs)

    def _timed(self, ours: CellRecord, theirs: CellRecord) -> Iterator[Row]:
        first_error, other_error = final_error(ours), final_error(theirs)
        paired = ours.ledger.rounds_id is not None and ours.ledger.rounds_id == theirs.ledger.rounds_id
        timed = {timing.batch_size: timing for timing in ours.ledger.solve if timing.seconds}
        against = {timing.batch_size: timing for timing in theirs.ledger.solve if timing.seconds}
        for batch_size in sorted({*timed, *against}):
            both = batch_size in timed and batch_size in against
            ratio = _ratio(timed[batch_size], against[batch_size], paired=paired) if both else None
            untimed = ours.solver if batch_size in against else theirs.solver
            yield Row(
                first=ours.solver,
                other=theirs.solver,
                size=ours.size,
                seed=ours.seed,
                batch_size=batch_size,
                ratio=ratio,
                paired=paired and both,
                cost=None if ratio is None else Cost.of(ratio),
                first_error=first_error,
                other_error=other_error,
                error=compare_errors(first_error, other_error),
                break_even=break_even(ours, theirs, self.run.record.fits, batch_size),
                reason=(
                    _extrapolation(timed[batch_size], against[batch_size], ours.solver, theirs.solver)
                    if both
                    else f"{untimed} has not been timed with {write.count(batch_size, 'state')}"
                ),
            )

    def verdicts(self) -> list[str]:
        """Return the outcome against each other solver in a few sentences. A speed-up needs equal error."""
        return [
            " ".join(sentences(self.first, other, [row for row in self.rows if row.other == other]))
            for other in self.others
        ]

    def __str__(self) -> str:
        return "\n".join(self.verdicts())


def final_error(cell: CellRecord | None) -> Score | None:
    """Return a cell's infidelity at the last step, or None when it has none."""
    scores = [] if cell is None else cell.scores
    found = [score for score in scores if score.metric == ERROR_METRIC and score.step is not None]
    return max(found, key=lambda score: score.step or 0) if found else None


def compare_errors(ours: Score | None, theirs: Score | None) -> Error:
    """Say which error is smaller; values below the reference's own bound or rounding are equal."""
    if ours is None or theirs is None or math.isnan(ours.value + theirs.value):
        return Error.UNKNOWN
    floor = max(ours.bound or 0.0, theirs.bound or 0.0, ROUNDING)
    mine, other = max(ours.value, floor), max(theirs.value, floor)
    if mine <= other * EQUAL_ERROR and other <= mine * EQUAL_ERROR:
        return Error.EQUAL
    return Error.SMALLER if mine < other else Error.LARGER


def _ratio(ours: SolveTiming, theirs: SolveTiming, *, paired: bool) -> Interval:
    above, below = np.array(ours.seconds), np.array(theirs.seconds)
    if paired:  # a slow solver has fewer rounds; the first rounds of both ran side by side
        common = min(len(above), len(below))
        above, below = above[:common], below[:common]
    return bootstrap_ratio(above, below, paired=paired)


def _why_not(cell: CellRecord | None) -> str:
    if cell is None:
        return ""
    if cell.status is not Status.OK:
        return f"{cell.solver} is {cell.status.value} ({cell.reason})"
    return "" if cell.ledger.solve else f"{cell.solver} has not been timed"


def _extrapolation(ours: SolveTiming, theirs: SolveTiming, first: str, other: str) -> str:
    notes = [
        f"{name} extrapolated from {write.count(timing.timed_states, 'state')}"
        for name, timing in ((first, ours), (other, theirs))
        if timing.extrapolated
    ]
    return ", ".join(notes)


def sentences(first: str, other: str, rows: list[Row]) -> Iterator[str]:
    """Yield what a comparison of two solvers comes to, a sentence for each way that its rows turn out."""
    timed = [row for row in rows if row.ratio is not None]
    missing = [row for row in rows if row.ratio is None]
    if not timed:
        yield f"{first} and {other} cannot be compared: {_reasons(missing) or 'no common case'}."
        return
    for (cost, error), alike in _by_outcome(timed).items():
        yield _outcome(first, other, cost, error, alike, len(timed))
    decided = [row for row in timed if row.cost is not Cost.SAME]
    if decided:  # where the times cannot be told apart, what they save cannot either
        yield _break_even_sentence(first, other, decided)
    if missing:
        yield f"Not compared: {_reasons(missing)}."


def _by_outcome(rows: list[Row]) -> dict[tuple[Cost, Error], list[Row]]:
    found: dict[tuple[Cost, Error], list[Row]] = {}
    for cost in Cost:
        for error in Error:
            alike = [row for row in rows if (row.cost, row.error) == (cost, error)]
            if alike:
                found[cost, error] = alike
    return found


def _outcome(first: str, other: str, cost: Cost, error: Error, rows: list[Row], count: int) -> str:
    where = none = f" in {len(rows)} of {count} comparisons"
    if len(rows) == count:
        where, none = ("", "") if count == 1 else (f" in all {count} comparisons", f" in any of {count} comparisons")
    times = [row.ratio[0] for row in rows if row.ratio is not None]
    longer, shorter = write.several(times), write.several([1 / time for time in times])
    match cost, error:
        case Cost.SAME, Error.EQUAL:
            return f"{first} and {other} cannot be told apart in time and error{none}."
        case Cost.SAME, _:
            quality = "their errors are not known" if error is Error.UNKNOWN else f"{first} is {error.value}"
            return f"The times of {first} and {other} cannot be told apart{none}; {quality}."
        case Cost.FASTER, Error.EQUAL | Error.SMALLER:
            return f"{first} is {shorter} times faster than {other}{where}, {_AND[error]}."
        case Cost.FASTER, _:
            return f"{first} takes less time than {other}{where}, but {_errors(rows)}: no speed-up to quote."
        case _, Error.EQUAL | Error.LARGER:
            return f"{other} is {longer} times faster than {first}{where}, {_AND[error]}."
        case _:
            return f"{first} takes {longer} times as long as {other}{where}, and {_errors(rows)}."


_AND = {
    Error.EQUAL: "at equal error",
    Error.SMALLER: "and more accurate",
    Error.LARGER: "and more accurate",
}
"""How the faster solver's error stands to the slower one's."""


def _errors(rows: list[Row]) -> str:
    ours = [row.first_error for row in rows if row.first_error is not None]
    theirs = [row.other_error for row in rows if row.other_error is not None]
    if not ours or not theirs:
        return "at an error that cannot be compared"
    return f"with an infidelity of {_range(ours)} against {_range(theirs)}"


def _range(scores: list[Score]) -> str:
    unresolved = [score.bound or 0.0 for score in scores if write.below_bound(score)]
    if len(unresolved) == len(scores):
        return f"<{write.rounded_up(max(unresolved))}"
    return write.several([max(score.value, score.bound or 0.0) for score in scores])


def _break_even_sentence(first: str, other: str, rows: list[Row]) -> str:
    values = [row.break_even for row in rows if not math.isnan(row.break_even)]
    finite = [value for value in values if math.isfinite(value)]
    everything = "Counting all that each costs,"
    if not finite:
        return f"{everything} {first} never breaks even with {other}."
    low, high = write.break_even(min(finite)), write.break_even(max(finite))
    since = f"from {low if low == high else f'{low} to {high}'} trajectories on"
    if max(finite) == 0:
        since = "from the first trajectory on"
    text = f"{everything} {first} is cheaper than {other} {since}"
    if any(math.isfinite(row.break_even) and row.error not in {Error.EQUAL, Error.SMALLER} for row in rows):
        text += ", at its larger error" if Error.LARGER in {row.error for row in rows} else ", at an unknown error"
    if len(finite) < len(values):
        text += f", in {len(finite)} of the {len(values)} comparisons that decide; in the others never"
    return text + "."


def _reasons(rows: list[Row]) -> str:
    sizes: dict[str, set[int]] = {}
    for row in rows:
        sizes.setdefault(write.without_size(row.reason, row.size), set()).add(row.size)
    return "; ".join(f"N = {write.spans(found)}: {reason}" for reason, found in sizes.items())
