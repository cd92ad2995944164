"""Render runs as one HTML file: the findings as text, the numbers as data, and the script that draws them."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.text import Text

from qdynbench import text as write
from qdynbench.analysis.answer import Answer, answer
from qdynbench.analysis.comparison import Contest
from qdynbench.analysis.findings import Finding, Outcome, PaysOff, findings, outcomes
from qdynbench.analysis.resolution import recorded
from qdynbench.analysis.selection import cells_by_solver, label_of
from qdynbench.contract.spec import SolverSpec
from qdynbench.files import written_whole
from qdynbench.record.results import ERROR_METRIC, Run
from qdynbench.record.schema import CellRecord, Status
from qdynbench.record.store import PAGE
from qdynbench.report.page.data import MOST_ROUNDS, data_of, families, packed
from qdynbench.report.page.overview import overview_of
from qdynbench.report.parts import Span, Table
from qdynbench.report.terminal.heading import machine_of, setting_of
from qdynbench.report.terminal.notes import metrics_named
from qdynbench.report.terminal.sentences import machine_resolves, sentence, text_of, words
from qdynbench.report.terminal.summary import comparison_table, said
from qdynbench.report.terminal.tables import KNOWLEDGE, fit_line

if TYPE_CHECKING:
    import jinja2

    from qdynbench.plugins.registry import Registry

SCRIPTS = ("parts.js", "parquet.js", "run.js", "together.js", "start.js")
"""Joined into one."""
STYLES = {"green", "red", "yellow", "dim", "bold"}
"""Styles of a text that the page knows."""
LONGEST_NAME = 1000
MOST_DETAILS, LONGEST_DETAILS = 20, 4000
"""Different tracebacks and logs of a solver that are kept, and the characters at the end of each."""


def write_page(runs: Sequence[Run], path: Path, summaries: Mapping[str, str] | None = None) -> Path:
    """Write the page of one run or of several, whole or not at all, and return its path.

    Args:
        runs: in the order of the page.
        path: of the file.
        summaries: what solvers are, by name without parameters.
    """
    content = render(runs, summaries)
    with written_whole(path) as stream:
        stream.write(content.encode())
    return path


def render(runs: Sequence[Run], summaries: Mapping[str, str] | None = None) -> str:
    """Return the page of one run or of several as HTML."""
    style = _asset("page.css")
    script = '"use strict";\n(async () => {\n' + "\n".join(map(_asset, SCRIPTS)) + "})();\n"
    answers = [answer(run) for run in runs]
    together = overview_of(runs)
    return _template().render(
        title=" · ".join(dict.fromkeys(title_of(run) for run in runs)),
        style=style,
        script=script,
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        data=packed((data_of(found, MOST_ROUNDS // len(runs)) for found in answers), together),
        command=_again(runs),
        together=_together(runs, together),
        runs=[_section(found, summaries or {}) for found in answers],
    )


@functools.cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _template() -> jinja2.Template:
    import jinja2

    rules = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return rules.from_string(_asset("page.html.j2"))


def _hash(content: str) -> str:
    """Return the hash by which a browser knows that a style or script is the page's own."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def title_of(run: Run) -> str:
    """Return the title of a run's task, or its name."""
    return write.plain(run.task.title or run.task.name)


def summaries_of(registry: Registry) -> dict[str, str]:
    """Return what each solver is, as its plugin says, by its name without parameters."""
    return {name: entry.summary for name, entry in registry.entries["solvers"].items()}


def _together(runs: Sequence[Run], found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what stands beside the numbers of all runs together."""
    if found is None:
        return None
    return {
        "batches": sorted(set(found["cases"]["batch_size"])),
        "groups": [name for name, _ in found["groups"]],
        "enough": [
            f"{words(run.metric)} within {run.tolerance:g}"
            if run.tolerance
            else f"{words(run.metric)} not larger than that of {write.plain(run.task.reference)}"
            for run in runs
        ],
    }


def _section(found: Answer, summaries: Mapping[str, str]) -> dict[str, Any]:
    run = found.run
    table = comparison_table(found, LONGEST_NAME, [name for name in metrics_named(run) if name != run.metric])
    return {
        "title": title_of(run),
        "name": write.plain(run.folder.resolve().name),
        "setting": setting_of(run),
        "machine": machine_of(run),
        "answer": list(said(found)),
        "table": _table(table),
        "sizes": sorted({cell.size for cell in run.cells}),
        "seeds": sorted({cell.seed for cell in run.cells}),
        "batches": sorted({timing.batch_size for cell in run.cells for timing in cell.ledger.solve}),
        "families": list(dict.fromkeys(SolverSpec.parse(cell.solver).name for cell in run.cells)),
        "tracks": list(dict.fromkeys(filter(None, (write.plain(cell.track) for cell in run.cells)))),
        "statuses": [status.value for status in Status if any(cell.status is status for cell in run.cells)],
        "cells": len(run.cells),
        "missing": run.missing,
        "solvers": list(_solvers(found, summaries)),
        "versions": {str(key): str(value) for key, value in run.record.provenance.get("versions", {}).items()},
        "resolution": _resolution(run),
        "task": yaml.safe_dump(run.record.task, sort_keys=False, allow_unicode=True),
        "file": f"{write.plain(run.task.name)}.yaml",
        "command": command_of(run, f"{run.task.name}.yaml"),
        "numbers": {
            "table": _python(run, "print({}.table.to_string())"),
            "curves": _python(run, "print({}.curves)"),
            "rounds": _python(
                run, "print([(c.solver, c.size, t.batch_size, t.launches) for c in {}.cells for t in c.ledger.solve])"
            ),
        },
    }


def _table(table: Table) -> dict[str, Any]:
    """Return a table of the terminal as text with the styles that the page knows."""
    rows = [
        {"span": str(row.text)} if isinstance(row, Span) else {"cells": [(str(entry), _style(entry)) for entry in row]}
        for row in table.rows
    ]
    return {"columns": [write.plain(column.heading) for column in table.columns], "rows": rows, "notes": table.notes}


def _style(entry: str | Text) -> str:
    style = str(entry.style) if isinstance(entry, Text) else ""
    return style if style in STYLES else ""


def _solvers(found: Answer, summaries: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    run, listed = found.run, cells_by_solver(found.run)
    colours = families(listed)
    # How it stands to the reference is said below by the contests of the answer, and where.
    others: dict[str, list[Finding]] = {}
    for one in findings(run):
        if not isinstance(one, Outcome | PaysOff):
            others.setdefault(one.subject, []).append(one)
    for solver, cells in listed.items():
        contests = [one for row in found.rows if row.solver == solver for many in row.contests.values() for one in many]
        fit = run.record.fits.get(solver)
        knowledge = next((cell.knowledge for cell in cells if cell.knowledge), "")
        facts = {
            "knows": KNOWLEDGE.get(knowledge, "").removeprefix("knows "),
            "assumes": label_of(run, solver),
            "states": next((f"{cell.precision} precision" for cell in cells if cell.precision), ""),
            "weights": "" if fit is None else str(fit_line(fit)).partition(": ")[2],
            **_costs(cells),
        }
        yield {
            "name": write.plain(solver),
            "key": solver,
            "family": colours[solver],
            "summary": write.plain(summaries.get(solver.partition("[")[0], "")),
            "role": "reference" if solver == run.task.reference else "learned" if fit is not None else "",
            "facts": {name: text for name, text in facts.items() if text},
            "verdict": text_of(others.get(solver, ())),
            "outcomes": [
                (sentence(one), _where(one.contests) if isinstance(one, Outcome) else "")
                for one in outcomes(contests)
                if isinstance(one, Outcome | PaysOff)
            ],
            "notes": list(dict.fromkeys(write.plain(note) for one in [fit, *cells] if one for note in one.notes)),
            "ends": _ends(cells),
            "trained": _python(run, f"print({{}}.record.fits[{json.dumps(solver)}].curve)")
            if fit and len(fit.curve) > 2
            else "",
            "details": _details([*cells, *([fit] if fit else [])]),
        }


def _costs(cells: Sequence[CellRecord]) -> dict[str, str]:
    ledgers = [cell.ledger for cell in cells]
    kinds = {
        "start-up of a process": [ledger.start_up_time for ledger in ledgers],
        "prepare": [ledger.prepare_time for ledger in ledgers],
        "first call": [ledger.first_call_time for ledger in ledgers],
    }
    costs = {name: _range([one for one in found if one is not None]) for name, found in kinds.items()}
    peaks = [ledger.peak_memory_host for ledger in ledgers if ledger.peak_memory_host is not None]
    costs["peak memory"] = _between(write.memory(min(peaks)), write.memory(max(peaks))) if peaks else ""
    return costs


def _range(seconds: Sequence[float]) -> str:
    return _between(write.duration(min(seconds)), write.duration(max(seconds))) if seconds else ""


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _where(found: Iterable[Contest]) -> str:
    """Write the sizes of each batch size: `N = 2..4 with 64 states a call`."""
    sizes: dict[int, set[int]] = {}
    for one in found:
        sizes.setdefault(one.batch_size or 0, set()).add(one.size)
    grouped: dict[str, list[int]] = {}
    for batch, here in sorted(sizes.items()):
        grouped.setdefault(write.spans(here), []).append(batch)
    return "; ".join(f"N = {where} with {_listed(batches)} a call" for where, batches in grouped.items())


def _listed(batches: Sequence[int]) -> str:
    return write.count(batches[0], "state") if len(batches) == 1 else f"{', '.join(map(str, batches))} states"


def _ends(cells: Sequence[CellRecord]) -> list[tuple[str, str, str]]:
    """Return each way in which cells ended but well: status, sizes, reason."""
    found: dict[tuple[Status, str], set[int]] = {}
    for cell in cells:
        if cell.status is not Status.OK:
            found.setdefault((cell.status, write.without_size(cell.reason, cell.size)), set()).add(cell.size)
    return [(status.value, write.spans(sizes), reason) for (status, reason), sizes in found.items()]


def _details(records: Iterable[Any]) -> list[str]:
    found = dict.fromkeys(one.details[-LONGEST_DETAILS:] for one in records if one.details)
    return list(found)[:MOST_DETAILS]


def _resolution(run: Run) -> list[str]:
    kept = run.record.provenance.get("calibration") or {}
    found = recorded(kept)
    if found is None:
        return []
    return [f"Measured by qdynbench calibrate on {str(kept['date'])[:10]}:", *machine_resolves(found)]


def _again(runs: Sequence[Run]) -> str:
    """Return the command that writes this page again, where the runs lie below the working folder or below `runs/`."""
    options = []
    if metric := next((run.metric for run in runs if run.metric != ERROR_METRIC), None):
        options = ["--metric", metric, *_plugins(runs)]
    usual = [run.task.tolerance if run.metric == ERROR_METRIC else 0.0 for run in runs]
    if asked := next((run.tolerance for run, own in zip(runs, usual, strict=True) if run.tolerance != own), None):
        options += ["--tolerance", f"{asked:g}"]
    names = [run.folder.resolve().name for run in runs]
    return shlex.join(map(write.plain, ["qdynbench", "page", *names, *options, "--out", PAGE]))


def _python(run: Run, code: str) -> str:
    """Return the command that prints numbers of a run, of which `{}` stands for the run."""
    opened = f"load_run({json.dumps(run.folder.resolve().name)})"
    return write.plain(shlex.join(["python", "-c", f"from qdynbench import load_run; {code.replace('{}', opened, 1)}"]))


def _plugins(runs: Iterable[Run]) -> list[str]:
    files = dict.fromkeys(Path(file).name for run in runs for file in run.record.plugin_files)
    return [part for file in files for part in ("--plugin", file)]


def command_of(run: Run, task: str) -> str:
    """Return the command that repeats a run from the file of its task."""
    made = run.record.provenance
    options = [task]
    for name in ("threads", "device"):
        if name in made:
            options += [f"--{name}", str(made[name])]
    return shlex.join(["qdynbench", "run", *map(write.plain, [*options, *_plugins([run])])])
