"""What a run comes to, in words: each solver against standing still, the other learned ones and the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from qdynbench import text as write
from qdynbench.analysis.comparison import Comparison, Cost, Error, Row, compare_errors, final_error, sentences
from qdynbench.analysis.selection import label_of, score_of, solvers_of
from qdynbench.contract.spec import SolverSpec
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Status

YARDSTICK_SKILL = 1e-6
"""A solver whose skill is this close to 0 at every size is itself the forecast that nothing moves."""
MEANING = {
    Cost.SLOWER: "a speed-up over it owes this factor to the baseline",
    Cost.SAME: "too uncertain to say what the choice of baseline adds to a speed-up",
    Cost.FASTER: "the choice of baseline adds nothing to a speed-up",
}
"""What the time of the usual protocol's rival says of a claim made against it."""


@dataclass(frozen=True)
class Finding:
    """A paragraph of the verdict.

    Attributes:
        subject: solver or protocol that it is about.
        sentences: what is found.
        labels: assumption or protocol of each solver that is named, where it has one.
    """

    subject: str
    sentences: list[str]
    labels: dict[str, str] = field(default_factory=dict)


def verdict(run: Run) -> list[Finding]:
    """Return a finding for each solver that has something to prove, then one on the protocols of the baseline."""
    findings = []
    for solver, cells in solvers_of(run).items():
        scored = [cell for cell in cells if cell.status is Status.OK and cell.scores]
        if solver == run.task.reference or not scored or _is_yardstick(run, solver, scored):
            continue
        if any(solver == labelled for labelled, _ in protocols(run)):
            continue
        found: list[str] = []
        if scored[0].knowledge != "hamiltonian":
            found += [*_skill(scored), *_by_track(scored), *_gates(run, solver, scored)]
        if run.task.reference in solvers_of(run):
            rows = Comparison(run, solver, [run.task.reference]).rows
            found += sentences(solver, run.task.reference, [row for row in rows if _solved(run, row)])
        if found:
            findings.append(Finding(solver, found, _labels(run, [solver])))
    for labelled, usual in protocols(run):
        if found := list(_protocol(run, labelled, usual, [finding.subject for finding in findings])):
            findings.append(Finding("protocol", found, _labels(run, [labelled])))
    return findings


def protocols(run: Run) -> list[tuple[str, str]]:
    """Return pairs of one solver under two protocols: with further parameters and a label for it, and without."""
    specs = {name: SolverSpec.parse(name) for name in solvers_of(run)}
    return [
        (one, other)
        for one, special in specs.items()
        for other, usual in specs.items()
        if special.name == usual.name
        and dict(usual.parameters).items() < dict(special.parameters).items()
        and label_of(run, one)
        and not label_of(run, other)
    ]


def _labels(run: Run, solvers: list[str]) -> dict[str, str]:
    return {solver: label for solver in solvers if (label := label_of(run, solver))}


def _solved(run: Run, row: Row) -> bool:
    # What a solver could not do is in the table already, with its reason.
    cell = run.cell(row.first, row.size, row.seed)
    return cell is not None and cell.status is Status.OK


def _is_yardstick(run: Run, solver: str, cells: list[CellRecord]) -> bool:
    skills = [score.value for cell in cells if (score := score_of(cell, "skill")) is not None]
    return solver not in run.record.fits and bool(skills) and max(map(abs, skills)) < YARDSTICK_SKILL


def _skill(cells: list[CellRecord]) -> Iterator[str]:
    found = [
        (score, cell) for cell in cells if (score := score_of(cell, "skill")) is not None and score.value == score.value
    ]
    if not found:
        return
    worst, where = min(found, key=lambda pair: pair[0].value)
    if worst.low > 0:
        yield f"Beats persistence at every size it solved (smallest skill {write.skill(worst)})."
        return
    sizes = write.spans(cell.size for score, cell in found if score.low <= 0)
    yield f"No better than persistence at N = {sizes} (skill {write.skill(worst)} at {where.size} spins)."


def _by_track(cells: list[CellRecord]) -> Iterator[str]:
    tracks: dict[str, list[CellRecord]] = {}
    for cell in cells:
        tracks.setdefault(write.plain(cell.track), []).append(cell)
    parts = []
    for track, found in tracks.items():
        errors = []
        for metric, name in (("mean_relative_entropy", "MRE"), ("infidelity", "infidelity")):
            scores = [score for cell in found if (score := score_of(cell, metric)) is not None]
            if scores:
                errors.append(
                    f"{name} {write.score(max(scores, key=lambda score: max(score.value, score.bound or 0)))}"
                )
        if errors:
            parts.append(f"{track} (N = {write.spans(cell.size for cell in found)}) {', '.join(errors)}")
    if parts:
        yield f"Largest error: {'; '.join(parts)}."


def _gates(run: Run, solver: str, cells: list[CellRecord]) -> Iterator[str]:
    """Compare a solver's error with those of the other learned ones: what they reach needs no new solver."""
    found: dict[Error, list[str]] = {}
    for gate in (name for name in run.record.fits if name != solver):
        sizes: dict[Error, list[int]] = {}
        for cell in cells:
            other = run.cell(gate, cell.size, cell.seed)
            if other is not None and other.status is Status.OK:
                sizes.setdefault(compare_errors(final_error(cell), final_error(other)), []).append(cell.size)
        for outcome, where in sizes.items():
            found.setdefault(outcome, []).append(f"{gate} (N = {write.spans(where)})")
    for outcome, start in ((Error.LARGER, "Less accurate than"), (Error.EQUAL, "As accurate as")):
        if outcome in found:
            yield f"{start} {' and '.join(found[outcome])}."
    if Error.SMALLER in found:
        yield f"More accurate than {' and '.join(found[Error.SMALLER])}."


def _protocol(run: Run, labelled: str, usual: str, subjects: list[str]) -> Iterator[str]:
    """Say what of a speed-up is the baseline's: the same solver under both protocols, at the largest case timed."""
    rows = [row for row in Comparison(run, labelled, [usual]).rows if row.ratio is not None]
    if not rows:
        return
    row = max(rows, key=lambda row: (row.size, row.batch_size or 0))
    if row.ratio is None or row.cost is None or row.batch_size is None:
        return
    factor = write.with_interval(*row.ratio)
    where = f"{row.size} spins, {write.count(row.batch_size, 'state')} a call"
    rests = f" ({row.reason})" if row.reason else ""
    yield f"At {where}, {labelled} takes {factor} times as long as {usual}{rests}: {MEANING[row.cost]}."
    if row.cost is not Cost.SLOWER:
        return
    for subject in subjects:
        beside = [_same_case(Comparison(run, subject, [baseline]).rows, row) for baseline in (labelled, usual)]
        slow, fair = (one.ratio[0] if one is not None and one.ratio is not None else None for one in beside)
        if beside[1] is None or slow is None or fair is None or slow >= 1:
            continue  # nothing could be claimed
        quality = (
            "" if beside[1].error in {Error.EQUAL, Error.SMALLER} else "; its error is larger: no speed-up to quote"
        )
        yield f"{subject} takes {_times(slow, labelled)}, but {_times(fair, usual)}{quality}."


def _same_case(rows: list[Row], case: Row) -> Row | None:
    wanted = (case.size, case.seed, case.batch_size)
    return next((row for row in rows if (row.size, row.seed, row.batch_size) == wanted), None)


def _times(ratio: float, other: str) -> str:
    if ratio < 1:
        return f"{write.significant(1 / ratio, 2)} times less than {other}"
    return f"{write.significant(ratio, 2)} times as long as {other}"
