"""One row for all seeds of a size: disorder is averaged over realisations, not read off one of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from qdynbench.record.schema import CellRecord, Ledger, Score, SolveTiming
from qdynbench.stats import bootstrap_mean


def over_seeds(cells: Iterable[CellRecord]) -> list[CellRecord]:
    """Return one cell for each size among the finished cells of one solver, small sizes first.

    A score is the mean over the seeds, with a 95 % interval over them (each seed counts as one sample); its bound is
    the largest. Times are of all rounds of all seeds, `prepare` and the first call their medians, memory the largest.
    """
    by_size = itertools.groupby(sorted(cells, key=lambda cell: (cell.size, cell.seed)), key=lambda cell: cell.size)
    return [_merged(list(same)) for _, same in by_size]


def _merged(cells: list[CellRecord]) -> CellRecord:
    first = cells[0]
    if len(cells) == 1:
        return first
    notes = list(dict.fromkeys(note for cell in cells for note in cell.notes))
    return first.model_copy(update={"scores": _scores(cells), "ledger": _ledger(cells), "notes": notes})


def _scores(cells: list[CellRecord]) -> list[Score]:
    found: dict[tuple[str, int | None], list[Score]] = {}
    for cell in cells:
        for score in cell.scores:
            found.setdefault((score.metric, score.step), []).append(score)
    merged = []
    for scores in found.values():
        value, low, high = bootstrap_mean(np.array([score.value for score in scores]))
        bounds = [score.bound for score in scores if score.bound is not None]
        merged.append(
            scores[0].model_copy(
                update={"value": value, "low": low, "high": high, "bound": max(bounds) if bounds else None}
            )
        )
    return merged


def _ledger(cells: list[CellRecord]) -> Ledger:
    ledgers = [cell.ledger for cell in cells]
    solve: list[SolveTiming] = []
    for timing in ledgers[0].solve:
        same = [t for ledger in ledgers for t in ledger.solve if t.batch_size == timing.batch_size]
        seconds = [second for other in same for second in other.seconds]
        solve.append(timing.model_copy(update={"seconds": seconds}))
    return ledgers[0].model_copy(
        update={
            "solve": solve,
            "prepare_time": _median([ledger.prepare_time for ledger in ledgers]),
            "first_call_time": _median([ledger.first_call_time for ledger in ledgers]),
            "peak_memory_host": max(
                (m for ledger in ledgers if (m := ledger.peak_memory_host) is not None), default=None
            ),
        }
    )


def _median(seconds: list[float | None]) -> float | None:
    known = [second for second in seconds if second is not None]
    return float(np.median(known)) if known else None
