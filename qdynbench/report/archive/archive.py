"""Write a run as a folder for an archive: everything in it can be read without qdynbench, and the README says how."""

from __future__ import annotations

import html
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import qdynbench
from qdynbench import text as write
from qdynbench.analysis.answer import Answer, answer, as_json
from qdynbench.errors import CannotWrite, InputError
from qdynbench.record.results import Run
from qdynbench.record.store import why
from qdynbench.report.archive.crate import METADATA, crate
from qdynbench.report.archive.curves import AXES, Variable, write_curves, write_trajectories
from qdynbench.report.archive.tables import CELLS, COSTS, RESULTS, TIMINGS, write_cells, write_results, write_timings
from qdynbench.report.page.page import command_of, summaries_of, title_of, write_page
from qdynbench.report.terminal.heading import machine_of, setting_of
from qdynbench.report.terminal.summary import said

if TYPE_CHECKING:
    from qdynbench.plugins.registry import Registry

FILES = {
    "README.md": "what lies here, with the meaning and unit of each column",
    "page.html": "the report, to be opened in a browser; it needs no network",
    "findings.json": "the answer of the benchmark and all comparisons behind it",
    "cells.parquet": "one row for each cell, that is one solver on one problem: how it ended, and what it cost",
    "timings.parquet": "one row for each round of each launch: the times behind every ratio",
    "results.parquet": "one row for each number: errors, times, memory and break-even with their intervals",
    "curves.h5": "errors and observables of every test state at every time",
    "trajectories.h5": "whole trajectories of the first test states, as the task had asked",
    "task.yaml": "the task with all its defaults; qdynbench runs it again",
    "provenance.json": "machine, versions, dates, training of learned solvers, and what the results depend on",
}


def write_archive(
    run: Run,
    folder: Path,
    registry: Registry,
    *,
    license: str = "",  # noqa: A002 - its name in the standard
    authors: Sequence[str] = (),
) -> Path:
    """Write a run into a new folder, whole or not at all, and return its path.

    Args:
        run: the run; nothing of it is executed, and what cannot be read is named in the README.
        folder: it must not exist.
        registry: knows what solvers and metrics are.
        license: under which the archive may be used: address, identifier or text.
        authors: names of those who made it.

    Raises:
        InputError: the folder exists, or lies in the run.
        CannotWrite: the disk does not take it, or the run holds what no table can.
    """
    folder = Path(os.path.abspath(folder))
    if run.folder.resolve() in folder.resolve().parents:
        raise InputError(f"{str(folder)!r} lies in the run; name a folder elsewhere")
    with _whole(folder) as place:
        _fill(run, place, registry, license, authors)
    return folder


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Give a folder beside the one that is wanted, and rename it when it is complete."""
    if os.path.lexists(folder):
        raise InputError(f"{str(folder)!r} exists already; name a new folder with --out")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as beside:
            place = Path(beside) / folder.name
            place.mkdir()
            yield place
            place.rename(folder)
    except (OSError, RuntimeError) as error:  # h5py raises both
        raise CannotWrite(f"{str(folder)!r} cannot be written: {why(error)}") from error


def _fill(run: Run, place: Path, registry: Registry, license: str, authors: Sequence[str]) -> None:  # noqa: A002
    found = answer(run)
    about = {
        "title": title_of(run),
        "source": f"qdynbench {qdynbench.__version__}",
        "comment": "hbar = 1, energies in units of the model. README.md beside this file explains it.",
    }
    metrics = {name: entry.summary for name, entry in registry.entries["metrics"].items()}
    variables = write_curves(run, place / "curves.h5", metrics, about)
    if run.task.keep.trajectories:
        write_trajectories(run, place / "trajectories.h5", about)
    tables: dict[str, Callable[[Run, Path], None]] = {
        "cells.parquet": write_cells,
        "timings.parquet": write_timings,
        "results.parquet": write_results,
    }
    for name, make in tables.items():
        make(run, place / name)
    write_page([run], place / "page.html", summaries_of(registry))
    (place / "task.yaml").write_text(yaml.safe_dump(run.record.task, sort_keys=False))
    # In one line: indented, those of 10,000 cells have 170 MB and not 120, and take twice the memory to write.
    _json(place / "findings.json", as_json(found) | {"run": run.folder.name}, indent=None)
    _json(place / "provenance.json", _provenance(run))
    names = [name for name in FILES if name == "README.md" or (place / name).exists()]
    (place / "README.md").write_text(_readme(found, names, variables, metrics), encoding="utf-8")
    whole = {name: (FILES[name], (place / name).stat().st_size) for name in names}
    made = run.record.provenance
    described = (
        f"One run of the benchmark qdynbench: {', '.join(setting_of(run))}. Run on {', '.join(machine_of(run))}."
    )
    data = crate(
        title_of(run),
        described,
        whole,
        made=made,
        version=qdynbench.__version__,
        license=license,
        authors=authors,
    )
    _json(place / METADATA, data)


def _json(path: Path, data: Mapping[str, object], indent: int | None = 1) -> None:
    path.write_text(json.dumps(data, indent=indent, allow_nan=False))


def _provenance(run: Run) -> dict[str, object]:
    """Return all of `run.json` that is no result, without the places of files on the machine."""
    record: dict[str, Any] = json.loads(run.record.model_dump_json(exclude={"task", "cells"}))
    record["plugin_files"] = [Path(file).name for file in run.record.plugin_files]
    for fit in record["fits"].values():
        fit["folder"] = Path(fit["folder"]).name
    return record | {"exported_by": f"qdynbench {qdynbench.__version__}"}


def _readme(found: Answer, names: Sequence[str], variables: Sequence[Variable], metrics: Mapping[str, str]) -> str:
    import jinja2

    run = found.run
    # What is markup in Markdown is escaped; there is no HTML but this.
    rules = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701
    rules.filters["markdown"] = _markdown
    template = rules.from_string(resources.files(__package__).joinpath("README.md.j2").read_text(encoding="utf-8"))
    return template.render(
        title=title_of(run),
        version=qdynbench.__version__,
        setting=setting_of(run),
        machine=machine_of(run),
        answer=[write.plain(f"{heading}: {text}" if heading else text) for heading, text, _ in said(found)],
        files=[(name, FILES[name]) for name in names],
        tables=[
            ("cells.parquet", CELLS),
            ("timings.parquet", TIMINGS),
            ("results.parquet", RESULTS),
        ],
        metrics={name: COSTS.get(name) or metrics.get(name, "") for name in run.table["metric"].dropna().unique()},
        axes=[(name, *AXES[name]) for name in ("solver", "size", "seed", "sample", "time")],
        variables=variables,
        trajectories="trajectories.h5" in names,
        cells=len(run.cells),
        missing=run.missing,
        damaged=[write.plain(line) for line in run.damaged],
        plugin_files=[write.plain(Path(file).name) for file in run.record.plugin_files],
        command=command_of(run, "task.yaml"),
    )


def _markdown(text: str) -> str:
    """Return a text from outside for a line of Markdown or a cell of its tables."""
    text = re.sub(r"([\\`*\[|]|(?<!\w)_|_(?!\w))", r"\\\1", write.plain(text))
    return re.sub(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)", lambda found: html.escape(found[0]), text)
