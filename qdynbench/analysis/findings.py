"""What a run and a comparison come to, as data with fields; sentences are made of them in the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from qdynbench.analysis.comparison import Accuracy, Contest, Pace, compare_errors, contests
from qdynbench.analysis.selection import cells_by_solver, score_of
from qdynbench.contract.spec import SolverSpec
from qdynbench.record.ledger import Cheaper
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Score, Status

STANDS_STILL = 1e-6
"""A solver whose skill is this close to 0 at every size is itself the forecast that nothing moves."""
LARGEST = ("mean_relative_entropy", "infidelity")
"""Metrics of which the largest error is found."""


@dataclass(frozen=True)
class _About:
    """What a finding is about: a solver, of two the first, of two protocols the unusual one."""

    subject: str


@dataclass(frozen=True)
class Skill(_About):
    """How a solver that does not know the Hamiltonian stands to persistence.

    Attributes:
        worst, size: its smallest skill, and where.
        failing: sizes at which it is no better.
    """

    worst: Score
    size: int
    failing: tuple[int, ...]


@dataclass(frozen=True)
class LargestError(_About):
    """The largest errors of a solver on one track, that is at sizes which are as far from its training data.

    Attributes:
        track, sizes: where.
        scores: the largest of each metric that there is.
    """

    track: str
    sizes: tuple[int, ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class BesideYardstick(_About):
    """How a solver's error stands to that of another learned one: what that one reaches needs no new solver."""

    yardstick: str
    accuracy: Accuracy
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Outcome(_About):
    """The contests of two solvers that turned out alike in pace and accuracy, out of `count` in all."""

    contests: tuple[Contest, ...]
    count: int


@dataclass(frozen=True)
class PaysOff(_About):
    """In which contests the first solver's whole bill is the smaller one.

    Attributes:
        contests: where it is from a number of trajectories on, or always.
        below: where it is below a number of trajectories.
        never, undecided: in how many it is not, and in how many the times are not known well enough.
    """

    contests: tuple[Contest, ...]
    below: tuple[Contest, ...]
    never: int
    undecided: int


@dataclass(frozen=True)
class NotCompared(_About):
    """Contests without a ratio, each with its gap; `wholly` where there are no others."""

    contests: tuple[Contest, ...]
    wholly: bool


@dataclass(frozen=True)
class Protocol(_About):
    """One method under two protocols at the largest case that was timed."""

    contest: Contest


@dataclass(frozen=True)
class Claim(_About):
    """What a solver could claim against a slow protocol, and what is left of it against the usual one."""

    slow: Contest
    usual: Contest


@dataclass(frozen=True)
class Wrong(_About):
    """Sizes at which a solver is no better than standing still, so that its time is no question."""

    sizes: tuple[int, ...]


Finding = Skill | LargestError | BesideYardstick | Wrong | Outcome | PaysOff | NotCompared | Protocol | Claim


@dataclass(frozen=True)
class Comparison:
    """One solver against others on a run: the contests with each of them, by its name."""

    run: Run
    first: str
    contests: Mapping[str, Sequence[Contest]]

    @property
    def findings(self) -> dict[str, list[Finding]]:
        """What the contests with each of the others come to."""
        return {other: list(outcomes(found)) for other, found in self.contests.items()}


def findings(run: Run) -> list[Finding]:
    """Return what a run says of each solver that has something to prove, then of the protocols of one method."""
    found: list[Finding] = []
    variants = protocols(run)
    reference, solvers = run.task.reference, cells_by_solver(run)
    special = {one for one, _ in variants}
    scored = {
        solver: [cell for cell in cells if cell.status is Status.OK and cell.scores]
        for solver, cells in solvers.items()
    }
    proving = [
        solver
        for solver, cells in scored.items()
        if cells and solver not in {reference, *special} and not _is_still(run, solver, cells)
    ]
    # All that is compared at all is judged together.
    claims = [(solver, other) for solver in proving for variant in variants for other in variant if other != solver]
    rivals = [(solver, reference) for solver in proving if reference in solvers]
    pairs = list(dict.fromkeys([*rivals, *variants, *claims]))
    against = dict(zip(pairs, contests(run, *pairs), strict=True))
    for solver in proving:
        cells = scored[solver]
        if cells[0].knowledge != "hamiltonian":
            found += [*_skill(cells), *_largest_errors(cells), *_beside_yardsticks(run, cells)]
        if (solver, reference) in against:
            solved = {(cell.size, cell.seed) for cell in solvers[solver] if cell.status is Status.OK}
            # What a solver could not do is in the table already, with its reason.
            made = outcomes([one for one in against[solver, reference] if (one.size, one.seed) in solved])
            # Of a solver that does not know the Hamiltonian its skill has said so already.
            found += [one for one in made if cells[0].knowledge == "hamiltonian" or not isinstance(one, Wrong)]
    for pair in variants:
        found += _protocol(pair, against)
    return found


def protocols(run: Run) -> list[tuple[str, str]]:
    """Return pairs of solvers that are one method under two protocols: with parameters that choose one, and without."""
    found = []
    for cell in {cell.solver: cell for cell in run.cells}.values():
        spec = SolverSpec.parse(cell.solver)
        rest = {key: value for key, value in spec.parameters.items() if key not in cell.protocol}
        usual = str(SolverSpec(spec.name, rest))
        if usual != cell.solver and usual in run.task.solvers:
            found.append((cell.solver, usual))
    return found


def outcomes(found: Sequence[Contest]) -> Iterator[Finding]:
    """Yield what the contests of two solvers come to, in time and error, in break-even, and what is not compared."""
    if wrong := sorted({one.size for one in found if one.wrong}):
        yield Wrong(found[0].first, tuple(wrong))
    timed = [one for one in found if one.ratio is not None and not one.wrong]
    for pace in Pace:
        for accuracy in Accuracy:
            alike = tuple(one for one in timed if (one.pace, one.accuracy) == (pace, accuracy))
            if alike:
                yield Outcome(alike[0].first, alike, len(timed))
    decided = [one for one in timed if one.break_even is not None and one.break_even.decided]
    kinds = {
        kind: tuple(one for one in decided if one.break_even and one.break_even.cheaper is kind) for kind in Cheaper
    }
    never = len(kinds[Cheaper.NEVER])
    if decided:
        pays = (*kinds[Cheaper.ALWAYS], *kinds[Cheaper.FROM])
        yield PaysOff(timed[0].first, pays, kinds[Cheaper.BELOW], never, len(timed) - len(decided))
    missing = tuple(one for one in found if one.gap is not None)
    if missing:
        yield NotCompared(missing[0].first, missing, wholly=not timed and not wrong)


def _is_still(run: Run, solver: str, cells: list[CellRecord]) -> bool:
    skills = [abs(score.value) for cell in cells if (score := score_of(cell, "skill")) is not None]
    return solver not in run.record.fits and bool(skills) and max(skills) < STANDS_STILL


def _skill(cells: list[CellRecord]) -> Iterator[Finding]:
    scores = [(score, cell) for cell in cells if (score := score_of(cell, "skill")) and not math.isnan(score.value)]
    if scores:
        worst, cell = min(scores, key=lambda pair: pair[0].value)
        failing = tuple(other.size for score, other in scores if no_better(score))
        yield Skill(cell.solver, worst, cell.size, failing)


def no_better(skill: Score) -> bool:
    """Return whether a skill does not show that the solver is better than standing still."""
    return skill.value <= 0 or skill.low <= 0


def _largest_errors(cells: list[CellRecord]) -> Iterator[Finding]:
    for track in dict.fromkeys(cell.track for cell in cells):
        here = [cell for cell in cells if cell.track == track]
        scores = [[score for cell in here if (score := score_of(cell, metric))] for metric in LARGEST]
        largest = tuple(max(same, key=lambda one: max(one.value, one.resolution or 0)) for same in scores if same)
        if largest:
            yield LargestError(here[0].solver, track, tuple(cell.size for cell in here), largest)


def _beside_yardsticks(run: Run, cells: list[CellRecord]) -> Iterator[Finding]:
    solver = cells[0].solver
    for yardstick in (name for name in run.record.fits if name != solver):
        sizes: dict[Accuracy, list[int]] = {}
        for cell in cells:
            other = run.cell(yardstick, cell.size, cell.seed)
            if other is not None and other.status is Status.OK:
                sizes.setdefault(compare_errors(run, [(cell, other)]).accuracy, []).append(cell.size)
        for accuracy, where in sizes.items():
            yield BesideYardstick(solver, yardstick, accuracy, tuple(where))


def _protocol(pair: tuple[str, str], against: Mapping[tuple[str, str], Sequence[Contest]]) -> Iterator[Finding]:
    special, usual = pair
    timed = [one for one in against[pair] if one.ratio is not None]
    largest = max(timed, key=lambda one: (one.size, one.batch_size or 0), default=None)
    if largest is None:
        return
    yield Protocol(special, largest)
    for subject in dict.fromkeys(first for first, other in against if other == usual and first != special):
        claims = [_same_case(against.get((subject, other), ()), largest) for other in (special, usual)]
        found = [one for one in claims if one is not None]
        if largest.pace is Pace.SLOWER and len(found) == 2 and (found[0].ratio or (1.0,))[0] < 1:
            yield Claim(subject, *found)  # of a solver that is slower than both nothing could be claimed


def _same_case(found: Sequence[Contest], case: Contest) -> Contest | None:
    wanted = (case.size, case.seed, case.batch_size)
    return next((one for one in found if one.ratio and (one.size, one.seed, one.batch_size) == wanted), None)
