"""All runs of a page together, as data: what became of every solver in every case, pairs, and mean ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from qdynbench import text as write
from qdynbench.analysis.field import Field, Standing, Verdict, field
from qdynbench.record.results import Run
from qdynbench.report.page.data import families, rounded
from qdynbench.stats import Interval

STANDINGS, VERDICTS = list(Standing), list(Verdict)


def overview_of(runs: Sequence[Run]) -> dict[str, Any] | None:
    """Return what several runs come to together; None for a single run."""
    if len(runs) < 2:
        return None
    found = field(runs)
    solvers = list(found.standings)
    colours = families(solvers)
    groups = list(_groups(runs))
    return {
        "solvers": solvers,
        "family": [colours[name] for name in solvers],
        "standings": [one.value for one in STANDINGS],
        "verdicts": [one.value for one in VERDICTS],
        "points": [one.points for one in VERDICTS],
        "cases": {
            name: [getattr(case, name) for case in found.cases]
            for name in ("run", "size", "seed", "batch_size", "problem")
        },
        "standing": [
            [None if one is None else STANDINGS.index(one) for one in found.standings[name]] for name in solvers
        ],
        "pairs": [
            {
                "pair": [solvers.index(name) for name in pair],
                "verdict": "".join("-" if one is None else str(VERDICTS.index(one.verdict)) for one in met),
                "ratio": [_ratio(one.ratio) if one and one.ratio else None for one in met]
                if any(one and one.ratio for one in met)
                else [],
            }
            for pair, met in found.meetings.items()
            if any(one is not None for one in met)
        ],
        "groups": groups,
        "views": list(_views(found, [numbers for _, numbers in groups])),
    }


def _ratio(found: Interval) -> list[float | int | None]:
    """Return a ratio and by which part its ends are away, which is one number, since it is one of a logarithm."""
    return [rounded(found[0]), rounded(found[2] / found[0] - 1, 3)]


def _groups(runs: Sequence[Run]) -> Iterator[tuple[str, list[int]]]:
    """Yield which runs can be looked at together: all, those of each task, and each, with a name."""
    yield "all", list(range(len(runs)))
    tasks: dict[str, list[int]] = {}
    for number, run in enumerate(runs):
        tasks.setdefault(run.task.name, []).append(number)
    for name, numbers in tasks.items():
        if 1 < len(numbers) < len(runs):
            yield f"{write.plain(name)} ({len(numbers)} runs)", numbers
    for number, run in enumerate(runs):
        yield f"{number + 1}. {write.plain(run.folder.resolve().name)}", [number]


def _views(found: Field, groups: Sequence[Sequence[int]]) -> Iterator[dict[str, Any]]:
    """Yield the ranks of each group of runs, with all batch sizes and with each; the first is all of it."""
    solvers = list(found.standings)
    batches = sorted({case.batch_size for case in found.cases})
    for group, runs in enumerate(groups):
        for batch in (None, *batches):
            cases = [
                number
                for number, case in enumerate(found.cases)
                if case.run in runs and batch in {None, case.batch_size}
            ]
            if cases:
                named = found.solvers(cases)
                ranks = found.ranks(cases) if found.meetings else {}
                yield {
                    "group": group,
                    "batch": batch,
                    "solvers": [solvers.index(name) for name in named],
                    "rank": [[rounded(end, 6) for end in ranks[name]] for name in named] if ranks else None,
                }
