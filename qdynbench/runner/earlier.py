"""What an earlier run has left in the folder: what its results rest on, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qdynbench.errors import InputError
from qdynbench.record.schema import CellRecord, RunRecord, Status
from qdynbench.record.store import Store
from qdynbench.runner.plan import cells_of
from qdynbench.task.spec import Task
from qdynbench.workers.protocol import Json

LONGEST = 60
"""Characters of a value in a message."""


def is_result(cell: CellRecord | None) -> bool:
    """Return whether a cell holds a result, which is not given up for nothing; others are always tried again."""
    return cell is not None and cell.status in {Status.OK, Status.UNSUPPORTED}


def differences(before: Mapping[str, Any], now: Mapping[str, Any], section: str = "") -> Iterator[str]:
    """Yield one text for each value that differs between two sets of JSON data, by dotted key."""
    for key in {**before, **now}:
        there, here = before.get(key), now.get(key)
        if there == here:
            continue
        if isinstance(there, dict) and isinstance(here, dict):
            yield from differences(there, here, f"{section}{key}.")
        elif section == "code.":
            how = "is not in that run" if there is None else "is in that run alone" if here is None else "has changed"
            yield f"the code of {key} {how}"
        else:
            yield f"{section}{key}: {_brief(there)} there, {_brief(here)} here"


def _brief(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def earlier_run(store: Store, conditions: Json) -> RunRecord | None:
    """Return the run whose results are in the folder, to which this one will add; None if there is no result.

    Raises:
        InputError: its results were made under other conditions, and this run would replace them.
    """
    if not store.has_run:
        return None
    record = store.read_run()
    record.task = store.read_task(record).model_dump(mode="json")
    if not any(is_result(store.read_cell(key)) for key in record.cells):
        return None
    refuse_unlike(store.folder, record.conditions, conditions)
    return record


def refuse_unlike(folder: Path, before: Json, now: Json) -> None:
    """Refuse to go on with the run in a folder under other conditions than those of its results.

    Raises:
        InputError: something differs; the message names it.
    """
    unlike = list(differences(before, now)) if before else ["an earlier version did not write down its conditions"]
    if unlike:
        raise InputError(
            f"the run in {str(folder)!r} was made under other conditions, and its results are kept:\n"
            + "".join(f"  {line}\n" for line in unlike)
            + "choose another folder with `qdynbench run --out`, or the conditions of that run; "
            "`qdynbench run --fresh` deletes it and measures all of it anew"
        )


def joined(task: Task, store: Store, earlier: RunRecord | None) -> tuple[Task, list[str]]:
    """Return the task of the folder as a whole and the keys of its cells: those of this run and what is there already.

    Cells of solvers, sizes and seeds that this run does not have stay in the run, but for those that were never
    reached.
    """
    planned = {cell.key for cell in cells_of(task)}
    if earlier is None:
        return task, [cell.key for cell in cells_of(task)]
    there = Task.model_validate(earlier.task, strict=False)
    first, then = sorted((there, task), key=lambda one: len(one.solvers), reverse=True)
    subset = {**there.timing.subset, **task.timing.subset}
    whole = task.model_copy(
        update={
            "solvers": list(dict.fromkeys([*first.solvers, *then.solvers])),
            "sizes": sorted({*there.sizes, *task.sizes}),
            "seeds": sorted({*there.seeds, *task.seeds}),
            "timing": task.timing.model_copy(update={"subset": subset}),
        }
    )
    left = {key for key in earlier.cells if store.read_cell(key) is not None}
    cells = [cell for cell in cells_of(whole) if cell.key in planned | left]
    solvers = {str(cell.spec) for cell in cells}
    return whole.model_copy(
        update={
            "solvers": [name for name in whole.solvers if name in solvers],
            "sizes": sorted({cell.case.size for cell in cells}),
            "seeds": sorted({cell.case.seed for cell in cells}),
        }
    ), [cell.key for cell in cells]
