"""English sentences of findings: the only place where they are made."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from qdynbench import text as write
from qdynbench.analysis.answer import Care, Fastest, Worth
from qdynbench.analysis.comparison import Accuracy, Contest, Errors, Gap, Pace
from qdynbench.analysis.findings import (
    BesideYardstick,
    Claim,
    Finding,
    LargestError,
    NotCompared,
    Outcome,
    PaysOff,
    Protocol,
    Skill,
    Wrong,
)
from qdynbench.analysis.ranking import Unsolved
from qdynbench.analysis.resolution import Resolution
from qdynbench.record.schema import PredictedCost, Score, Status
from qdynbench.report.terminal.numbers import score, skill

ACCURACY = {
    Accuracy.BETTER: "more accurate",
    Accuracy.EQUAL: "equally accurate",
    Accuracy.WORSE: "less accurate",
    Accuracy.UNDECIDED: "errors not told apart",
    Accuracy.UNKNOWN: "error unknown",
}
PACE = {
    Pace.FASTER: "faster",
    Pace.SLOWER: "slower",
    Pace.SAME: "indistinguishable",
    Pace.UNKNOWN: "one launch",
}
ERROR_NOTE = "Error: root of the mean infidelity at the last step, upper end of its interval where it has one."
EXTRAPOLATED = "* timed on fewer states, extrapolated in proportion"
SHORT = {"mean_relative_entropy": "MRE"}
BASELINE = {
    Pace.SLOWER: "speed-ups quoted against it are inflated by this factor",
    Pace.SAME: "too uncertain to say what the choice of baseline adds to a speed-up",
    Pace.UNKNOWN: "from one launch, which says nothing of how certain that is",
    Pace.FASTER: "the choice of baseline adds nothing to a speed-up",
}
"""What the time of a protocol says of a claim made against it."""
LARGEST_RATIO = 1000.0
"""Ratio of two errors that is worth writing down."""
YARDSTICKS = {
    Accuracy.WORSE: "Less accurate than",
    Accuracy.EQUAL: "As accurate as",
    Accuracy.BETTER: "More accurate than",
    Accuracy.UNDECIDED: "Not told apart in error from",
}


def fastest(found: Sequence[Fastest], reference: str, metric: str, tolerance: float) -> str:
    """Return which solver to use."""
    if not found:
        return ""
    within = f"with {article(metric)} of at most {write.power(tolerance)}"
    enough = within if tolerance else f"as accurate as {reference}"
    parts = []
    for one in found:
        names = " and ".join(filter(None, (", ".join(one.solvers[:-1]), one.solvers[-1])))
        tied = " (not told apart)" * (len(one.solvers) > 1) + " (some have no interval)" * (not one.certain)
        parts.append(f"{names}{tied} at N = {write.spans(one.sizes)}")
    states = write.count(found[0].batch_size, "state")
    return f"The fastest solver {enough}, {states} a call: {'; '.join(parts)}."


def words(metric: str) -> str:
    """Write the name of a metric in a sentence."""
    return write.plain(metric.replace("_", " "))


def article(metric: str) -> str:
    """Write the name of a metric with its article."""
    name = words(metric)
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def wrong(solver: str, sizes: Sequence[int]) -> str:
    """Say that a solver is wrong, whatever its time."""
    return f"{solver} is wrong at N = {write.spans(sizes)}: no better than standing still."


def worth(found: Worth, reference: str) -> str:
    """Return in at most three sentences what a learned solver is worth: accuracy, speed at equal error, break-even."""
    parts = []
    if found.wrong:
        parts.append(f"Wrong at N = {write.spans(found.wrong)}: no better than standing still.")
    if found.from_elsewhere:
        parts.append("Blind, without a fit, and better than standing still: its knowledge comes from elsewhere.")
    theirs = [one.other_error for one in found.timed if one.other_error is not None]
    if found.scores:
        against = f", {reference} {error_range(theirs)}" if theirs else ""
        name = words(found.scores[0].metric)
        parts.append(f"{name[:1].upper()}{name[1:]} {error_range(found.scores)}{against}.")
    if found.beyond:
        parts.append(f"Not within the tolerance at N = {write.spans(found.beyond)}.")
    if found.timed:
        parts.append(_speed(found, reference))
    if found.pays is not None:
        says = ", training as the plugin says" * found.shipped
        parts.append(_pays_off(found.pays, f"All costs counted{says}, it"))
    return " ".join(parts)


def _speed(found: Worth, reference: str) -> str:
    count = len(found.timed)
    faster, slower = found.of_pace(Pace.FASTER, equal=True), found.of_pace(Pace.SLOWER)
    cheaper = [one for one in found.of_pace(Pace.FASTER) if one not in faster]
    parts = []
    if faster:
        parts.append(f"{_factor(faster, inverse=True)} times faster than {reference} at equal error in {len(faster)}")
    if cheaper:
        parts.append(f"less time{_dear(cheaper)} (no speed-up to quote) in {len(cheaper)}")
    if slower:
        parts.append(f"{_factor(slower)} times slower in {len(slower)}")
    if unknown := found.of_pace(Pace.UNKNOWN):
        parts.append(f"{_factor(unknown)} times the time by one launch, without an interval, in {len(unknown)}")
    if rest := found.of_pace(Pace.SAME):
        parts.append(f"not told apart in {len(rest)}")
    text = f"{'; '.join(parts)} of {count} comparisons."
    return text[:1].upper() + text[1:]


def _factor(found: Sequence[Contest], *, inverse: bool = False) -> str:
    ratios = [one.ratio[0] for one in found if one.ratio is not None]
    return write.several([1 / ratio for ratio in ratios] if inverse else ratios)


def care(found: Care) -> str:
    """Return what to be careful about; nothing where there is nothing."""
    parts = []
    if found.faults:
        parts.append(f"{write.count(found.faults, 'cell')} ended in a fault")
    if found.load:
        parts.append(f"the machine was busy when the run started (load {found.load:.1f})")
    if found.disturbed:
        parts.append(f"{found.disturbed:.0%} of the rounds were slowed by something else")
    if found.wide:
        parts.append(f"{found.wide} of {found.timed} ratios have wide intervals")
    if found.extrapolated:
        parts.append(f"times of {', '.join(found.extrapolated)} are extrapolated from fewer states")
    return f"Be careful: {'; '.join(parts)}." if parts else ""


def paragraphs(found: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    """Yield a heading and the sentences of the findings that belong below it."""
    for heading, same in itertools.groupby(found, key=_heading):
        yield heading, text_of(same)


def text_of(found: Iterable[Finding]) -> str:
    """Return the sentences of findings; those that say the same of several things are drawn together."""
    parts = []
    for kind, same in itertools.groupby(found, key=type):
        if kind is LargestError:
            errors = "; ".join(map(sentence, same))
            parts.append(f"Largest error: {errors}.")
        elif kind is BesideYardstick:
            listed = list(same)
            for accuracy, start in YARDSTICKS.items():
                names = [
                    sentence(one) for one in listed if isinstance(one, BesideYardstick) and one.accuracy is accuracy
                ]
                parts += [f"{start} {' and '.join(names)}."] * bool(names)
        else:
            parts += map(sentence, same)
    return " ".join(parts)


def _heading(finding: Finding) -> str:
    return "protocol" if isinstance(finding, Protocol | Claim) else finding.subject


def sentence(finding: Finding | Unsolved) -> str:  # noqa: PLR0911, PLR0912 - one for each kind of finding
    """Return what a finding says; of a largest error and a yardstick only the part that differs between them."""
    match finding:
        case Skill(worst=worst, failing=()):
            return f"Beats persistence at every size it solved (smallest skill {skill(worst)})."
        case Skill(worst=worst, size=size, failing=failing):
            return f"No better than persistence at N = {write.spans(failing)} (skill {skill(worst)} at {size} spins)."
        case LargestError(track=track, sizes=sizes, scores=scores):
            errors = ", ".join(f"{SHORT.get(one.metric, one.metric)} {score(one)}" for one in scores)
            return f"{write.plain(track)} (N = {write.spans(sizes)}) {errors}"
        case BesideYardstick(yardstick=yardstick, sizes=sizes):
            return f"{yardstick} (N = {write.spans(sizes)})"
        case Wrong(subject=solver, sizes=sizes):
            return wrong(solver, sizes)
        case Outcome(contests=alike, count=count):
            return _outcome(alike, count)
        case PaysOff():
            return _pays_off(finding)
        case NotCompared(subject=first, contests=found, wholly=True):
            return f"{first} and {found[0].other} cannot be compared: {_gaps(found)}."
        case NotCompared(contests=found):
            return f"Not compared: {_gaps(found)}."
        case Protocol(contest=contest):
            return _protocol(contest)
        case Claim(slow=slow, usual=usual):
            quality = "" if usual.accuracy.suffices else "; its error is larger: no speed-up to quote"
            return f"{slow.first} takes {_times(slow)}, but {_times(usual)}{quality}."
        case Unsolved(points=points):
            cell = points[0].cell
            why = write.plain(cell.reason) or "not timed"
            if cell.predicted is not None and cell.status is Status.INFEASIBLE:
                why += f" ({prediction(cell.predicted)} at {cell.size} spins)"
            return f"{cell.solver}: {cell.status.value} at N = {write.spans(one.size for one in points)}: {why}"


def how_much(found: Errors) -> str:
    """Write the ratio of two errors state by state; nothing where one of them is next to none."""
    if found.ratio is None or not 1 / LARGEST_RATIO < found.ratio[0] < LARGEST_RATIO:
        return ""
    return f", {write.with_interval(*found.ratio, digits=2)} times state by state"


def gap(found: Gap) -> str:
    """Say why there is no ratio."""
    match found:
        case Gap(status=Status.OK, batch_size=None):
            return f"{found.solver} has not been timed"
        case Gap(status=Status.OK, batch_size=int(states)):
            return f"{found.solver} has not been timed with {write.count(states, 'state')}"
        case Gap(status=Status() as status):
            return f"{found.solver} is {status.value} ({write.plain(found.reason)})"
        case _:
            return "not in this run"


def prediction(cost: PredictedCost) -> str:
    """Write what a cell was predicted to cost: `34.4 GB and 19.2 s`."""
    return f"{write.memory(cost.bytes)} and {write.duration(cost.seconds)}"


def machine_resolves(found: Resolution) -> Iterator[str]:
    """Say what differences of times a machine can tell apart."""
    held, equals = found.equals
    yield (
        f"The interval of a ratio of two times is ±{found.typical:.1%} in half of the comparisons and at most "
        f"±{found.widest:.1%} in 9 of 10."
    )
    yield f"Equals were called different in {equals - held} of {equals} comparisons; 1 in 20 is chance."
    for slower, (seen, of) in found.found.items():
        yield f"A slowdown of {slower:.0%} was found in {seen} of {of} comparisons."


def averaged(seeds: Sequence[int]) -> list[str]:
    """Return a line that says what is shown of several seeds."""
    return [f"mean over {len(seeds)} seeds"] if len(seeds) > 1 else []


def _outcome(alike: Sequence[Contest], count: int) -> str:  # noqa: PLR0911 - one return for each kind of outcome
    first, other, pace, accuracy = alike[0].first, alike[0].other, alike[0].pace, alike[0].accuracy
    where = none = f" in {len(alike)} of {count} comparisons"
    if len(alike) == count:
        where, none = ("", "") if count == 1 else (f" in all {count} comparisons", f" in any of {count} comparisons")
    ratios = [one.ratio[0] for one in alike if one.ratio is not None]
    longer, shorter = write.several(ratios), write.several([1 / ratio for ratio in ratios])
    quality = "at equal error" if accuracy is Accuracy.EQUAL else "and more accurate"
    match pace, accuracy:
        case Pace.UNKNOWN, _:
            return f"{first} takes {longer} times as long as {other}{where} by one launch, which has no interval."
        case Pace.SAME, Accuracy.EQUAL:
            return f"{first} and {other} cannot be told apart in time and error{none}."
        case Pace.SAME, _:
            said = {Accuracy.UNKNOWN: "their errors are not known", Accuracy.UNDECIDED: "nor can their errors"}
            errors = said.get(accuracy, f"{first} is {ACCURACY[accuracy]}")
            return f"The times of {first} and {other} cannot be told apart{none}; {errors}."
        case Pace.FASTER, Accuracy.EQUAL | Accuracy.BETTER:
            return f"{first} is {shorter} times faster than {other}{where}, {quality}."
        case Pace.FASTER, _:
            return f"{first} takes less time than {other}{where}, but {_errors(alike)}: no speed-up to quote."
        case _, Accuracy.EQUAL | Accuracy.WORSE:
            return f"{other} is {longer} times faster than {first}{where}, {quality}."
        case _:
            return f"{first} takes {longer} times as long as {other}{where}, and {_errors(alike)}."


def _errors(alike: Sequence[Contest]) -> str:
    ours = [one.first_error for one in alike if one.first_error is not None]
    theirs = [one.other_error for one in alike if one.other_error is not None]
    if not ours or not theirs:
        return "at an error that cannot be compared"
    return f"with {article(ours[0].metric)} of {error_range(ours)} against {error_range(theirs)}"


def error_range(scores: Sequence[Score]) -> str:
    """Write the smallest and the largest of several errors; below the reference's resolution that."""
    if not scores:
        return write.NOTHING
    if all(one.unresolved for one in scores):
        return f"<{write.rounded_up(max(one.resolution or 0.0 for one in scores))}"
    return write.several([(one.resolution or 0.0) if one.unresolved else one.value for one in scores])


def _pays_off(finding: PaysOff, start: str = "") -> str:
    start = start or f"Counting imports, training, preparation and compilation, {finding.subject}"
    count = len(finding.contests) + len(finding.below) + finding.never + finding.undecided
    if finding.never == count:
        return f"{start} never costs less."
    parts = []
    if finding.contests:
        numbers = _trajectories(finding.contests)
        since = "from the first trajectory on" if numbers == "0" else f"from {numbers} trajectories on"
        parts.append((since + _dear(finding.contests), len(finding.contests)))
    if finding.below:
        below = f"below {_trajectories(finding.below)} trajectories"
        parts.append((below + _dear(finding.below), len(finding.below)))
    if finding.never:
        parts.append(("never", finding.never))
    if len(parts) == 1 and not finding.undecided:
        return f"{start} costs less {parts[0][0]}."
    said = [f"{text} in {number} of {count} cases" for text, number in parts]
    if finding.undecided:
        said.append(f"{finding.undecided} cannot be decided")
    if len(parts) == bool(finding.never):  # nothing else is known
        return f"{start} {'; '.join(said).replace('never', 'never costs less', 1)}."
    return f"{start} costs less {'; '.join(said)}."


def _dear(found: Sequence[Contest]) -> str:
    """Say where the errors are larger, or not known."""
    if all(one.accuracy.suffices for one in found):
        return ""
    seen = {one.accuracy for one in found}
    if Accuracy.WORSE in seen:
        return ", at a larger error"
    return ", at an error not told apart" if Accuracy.UNDECIDED in seen else ", at an unknown error"


def _trajectories(found: Sequence[Contest]) -> str:
    """Write the smallest and the largest number at which bills cross."""
    known = [one.break_even.number for one in found if one.break_even is not None]
    low, high = min(number[1] for number in known), max(number[2] for number in known)
    if high == 0:
        return "0"
    return f"at most {write.large(high)}" if low < 1 else f"{write.large(low)} to {write.large(high)}"


def _gaps(found: Sequence[Contest]) -> str:
    sizes: dict[str, set[int]] = {}
    for one in found:
        if one.gap is not None:
            sizes.setdefault(write.without_size(gap(one.gap), one.size), set()).add(one.size)
    return "; ".join(f"N = {write.spans(where)}: {reason}" for reason, where in sizes.items())


def _protocol(contest: Contest) -> str:
    if contest.ratio is None or contest.pace is None or contest.batch_size is None:
        raise ValueError("a protocol is judged by cases that were timed")
    where = f"{contest.size} spins, {write.count(contest.batch_size, 'state')} a call"
    rests = ", ".join(
        f"{solver} extrapolated from {write.count(states, 'state')}" for solver, states in contest.extrapolated
    )
    return (
        f"At {where}, {contest.first} takes {write.with_interval(*contest.ratio)} times as long as {contest.other}"
        f"{f' ({rests})' if rests else ''}: {BASELINE[contest.pace]}."
    )


def _times(contest: Contest) -> str:
    ratio = 1.0 if contest.ratio is None else contest.ratio[0]
    if ratio < 1:
        return f"{write.significant(1 / ratio, 2)} times less than {contest.other}"
    return f"{write.significant(ratio, 2)} times as long as {contest.other}"
