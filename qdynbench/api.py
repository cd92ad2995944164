"""The Python interface: `load_task`, `plan`, `run`, `load_run`, `compare`, `draw`, `export`."""

from __future__ import annotations

import html
import json
import tempfile
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from qdynbench.analysis.comparison import contests
from qdynbench.analysis.findings import Comparison
from qdynbench.contract.solver import Solver
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError, suggestion
from qdynbench.files import file_name, short_name
from qdynbench.plugins.classes import plugin_of
from qdynbench.plugins.registry import Registry, plugin_files
from qdynbench.record import trust
from qdynbench.record.folders import RUNS, find_run, remember
from qdynbench.record.results import Run, warn
from qdynbench.record.store import Store
from qdynbench.report.archive.archive import write_archive
from qdynbench.report.figures.drawing import draw_figures
from qdynbench.report.page.page import summaries_of, write_page
from qdynbench.report.parts import Drawing
from qdynbench.runner.environment import environment_of
from qdynbench.runner.execute import execute, foresee
from qdynbench.runner.fits import Choice
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Plan
from qdynbench.task.load import load_task, with_solvers
from qdynbench.task.spec import Task
from qdynbench.text import SHOWN, plain

Asked = str | type[Solver] | Iterable[str | type[Solver]]
"""Solvers by name, or classes."""

__all__ = ["compare", "draw", "export", "load_run", "load_task", "plan", "run"]


def plan(
    task: str | Path | Mapping[str, Any] | Task,
    *,
    solvers: Asked = (),
    setting: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    plugins: Iterable[str | Path] = (),
    device: str = "cpu",
    threads: int | None = None,
    observer: Observer | None = None,
) -> Plan:
    """Return what `run` would do with the same arguments and what each cell is predicted to cost; run nothing.

    Raises:
        InputError: something asked for does not exist or cannot be run as written.
    """
    names, files = _asked(solvers)
    registry = Registry.discover([*plugins, *files])
    return predict(
        _task(task, registry, setting, overrides, names),
        registry,
        observer or Observer(),
        device=device,
        threads=threads,
    )


def predict(
    task: Task, registry: Registry, observer: Observer, *, device: str = "cpu", threads: int | None = None
) -> Plan:
    """Return the plan of a task that is loaded already, as `plan` does."""
    with tempfile.TemporaryDirectory() as logs:
        return foresee(task, registry, environment_of(task, device, threads, Path(logs)), observer)


def run(
    task: str | Path | Mapping[str, Any] | Task,
    *,
    solvers: Asked = (),
    setting: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    plugins: Iterable[str | Path] = (),
    out: str | Path | None = None,
    refit: bool | Iterable[str] = False,
    weights: Mapping[str, str | Path] | None = None,
    keep_fit: bool = False,
    fresh: bool = False,
    device: str = "cpu",
    threads: int | None = None,
    observer: Observer | None = None,
) -> Run:
    """Run a task and return what came of it; finished cells of an earlier run in the same folder are taken over.

    Results of the same task with other solvers, sizes or seeds stay in the run. Results that were made under other
    conditions are not replaced: such a run is refused. At the end the task's figures are drawn, see `draw`, and
    `page.html` is written.

    Args:
        task: path of a task file, name of a registered task, what a task file holds as a dict, or a task.
        solvers: run these and not the task's, such as `["sru", "ed[precision=single]"]`; a class of your own stands for
            itself with its defaults, also one from a notebook, and is named as it is.
        setting: one of the named sets of values in the task file, such as "full".
        overrides: values by dotted key, such as `{"times.steps": 500}`.
        plugins: single-file plugins.
        out: the run directory; default `runs/<task name>` with the setting and overrides that change results.
        refit: fit learned solvers anew, all or those named.
        weights: folders of weights by solver, each as the solver saves them, with what they had cost in a manifest.
        keep_fit: take weights that an earlier version of a solver's code has learned from the same training data.
        fresh: drop what an earlier run left in the folder.
        device: "cpu" or "cuda".
        threads: CPU threads of every solver; default: all cores.
        observer: is told of the progress.

    Raises:
        InputError: something asked for does not exist, cannot be run as written, or would replace results.
    """
    names, files = _asked(solvers)
    registry = Registry.discover([*plugins, *files])
    task = _task(task, registry, setting, overrides, names)
    folder = Path(out) if out is not None else default_folder(task, setting, overrides)
    observer = observer or Observer()
    again = frozenset((task.solvers if refit else ()) if isinstance(refit, bool) else refit)
    folders = {name: Path(folder) for name, folder in (weights or {}).items()}
    choice = Choice(again, folders, keep_fit)
    done = measure(*(task, registry, folder, observer), choice=choice, fresh=fresh, device=device, threads=threads)
    observer.drawing(done.task.figures)
    present(done, registry)
    return done


def present(run: Run, registry: Registry) -> list[Drawing]:
    """Draw the figures of a run and write its page, and return what came of them; the page only where it failed."""
    drawn = draw_figures(run, registry)
    try:
        write_page([run], run.page_file(), summaries_of(registry))
    except Exception as error:  # whatever it is, the results are there and have to be shown
        drawn.append(Drawing("page", reason=f"{type(error).__name__}: {error}", details=traceback.format_exc()))
    return drawn


def measure(
    task: Task,
    registry: Registry,
    folder: Path,
    observer: Observer,
    *,
    choice: Choice | None = None,
    fresh: bool = False,
    device: str = "cpu",
    threads: int | None = None,
    replace: bool = True,
) -> Run:
    """Run a task as `run` does, but for drawing its figures; without `replace` no result is measured again."""
    with Store.create(folder, task, fresh=fresh) as store:
        remember(folder)
        environment = environment_of(task, device, threads, store.logs, store.log)
        execute(task, registry, environment, store, observer, choice, replace=replace)
        done = Run(folder)
        done.write_table()
    return done


def _asked(solvers: Asked) -> tuple[list[str], list[Path]]:
    """Return the names of solvers, and plugin files for those that are classes."""
    listed = [solvers] if isinstance(solvers, str | type) else list(solvers)
    made = {one: plugin_of(one) for one in listed if isinstance(one, type)}
    return [made[one][0] if isinstance(one, type) else one for one in listed], [file for _, file in made.values()]


def _task(
    task: str | Path | Mapping[str, Any] | Task,
    registry: Registry,
    setting: str | None,
    overrides: Mapping[str, Any] | None,
    solvers: Iterable[str],
) -> Task:
    if not isinstance(task, Task):
        return load_task(task, registry, setting=setting, overrides=overrides, solvers=solvers)
    if setting is not None:
        raise InputError(f"setting {setting!r}: this task is loaded already; give the setting to load_task")
    return with_solvers(task, registry, solvers)


SAME_RESULTS = {"name", "title", "solvers", "sizes", "seeds", "tolerance", "limits", "figures", "settings"}
"""Keys of a task that say which cells there are and how they are shown, but change no result."""


def default_folder(task: Task, setting: str | None, overrides: Mapping[str, Any] | None = None) -> Path:
    """Return the folder of a run for which none was given: one of its own where `overrides` change results."""
    changed = sorted((key, value) for key, value in (overrides or {}).items() if key.split(".")[0] not in SAME_RESULTS)
    texts = [f"{key}={value if isinstance(value, str) else json.dumps(value, default=str)}" for key, value in changed]
    return RUNS / short_name("-".join([task.name, *([setting] if setting else []), *map(file_name, texts)]))


def draw(run: Run | str | Path, *, plugins: Iterable[str | Path] = ()) -> list[Drawing]:
    """Draw the figures of a run's task into `<run>/figures` and return what came of each.

    A run may come from a stranger, so its plugin files are used only if you have run them here as they are now; a
    warning names what is left out.

    Args:
        run: a run or its folder.
        plugins: single-file plugins to be used, whoever made them.
    """
    opened = run if isinstance(run, Run) else load_run(run)
    if not opened.task.figures:
        return []
    files, left_out = plugins_of(opened, plugins)
    warn(left_out)
    return draw_figures(opened, Registry.discover(files))


def export(
    run: Run | str | Path,
    folder: str | Path,
    *,
    license: str = "",  # noqa: A002 - its name in the metadata of archives
    authors: Iterable[str] = (),
) -> Path:
    """Write a run as a folder for an archive, which a reader opens without qdynbench, and return the folder.

    It holds tables as Parquet, curves as HDF5, the page, the task, and a README that says what each column is.

    Args:
        run: a run, its folder or its name; nothing that lies in it or that it names is executed.
        folder: a new folder.
        license: under which others may use it: an address or a name.
        authors: names of those who made it.

    Raises:
        InputError: the folder exists.
    """
    opened = run if isinstance(run, Run) else Run(find_run(run))
    written = write_archive(opened, Path(folder), Registry.discover(), license=license, authors=tuple(authors))
    warn(opened.damaged)
    return written


def plugins_of(run: Run, named: Iterable[str | Path] = ()) -> tuple[list[Path], list[str]]:
    """Return the plugin files that may be loaded for a run, and a line for each of its own that is left out.

    These are the `named` ones, and those of the run that this user has run here as they are now.
    """
    files, left_out = plugin_files(named), []
    for text in run.record.plugin_files:
        file = Path(text)
        if file in files:
            continue
        if trust.holds_file(file):
            files.append(file)
        else:
            left_out.append(
                f"the plugin file {plain(text, SHOWN)!r} of this run is left out: you have not run it here as it is "
                "now; --plugin FILE includes it"
            )
    return files, left_out


def load_run(run: str | Path | None = None) -> Run:
    """Read a run; nothing that lies in it or that it names is executed.

    A cell that cannot be read is left out with a warning, see `Run.damaged`.

    Args:
        run: its folder, or its name as in `qdynbench list runs`; default: the latest.

    Raises:
        InputError: there is none.
    """
    opened = Run(find_run(run))
    warn(opened.damaged)
    return opened


class Compared(Comparison):
    """One solver against others on a run; printed as sentences."""

    def __str__(self) -> str:
        from qdynbench.report.terminal.sentences import text_of

        return "\n".join(text_of(found) for found in self.findings.values())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def compare(run: Run | str | Path, *solvers: str) -> Compared:
    """Compare the first solver with each of the others on a run.

    Raises:
        InputError: fewer than two solvers, or one that the run does not have.
    """
    opened = run if isinstance(run, Run) else load_run(run)
    first, *others = dict.fromkeys(str(SolverSpec.parse(name)) for name in solvers) or [""]
    if not others:
        raise InputError("compare needs at least two different solvers")
    there = {cell.solver for cell in opened.cells}
    for name in (first, *others):
        if name not in there:
            raise InputError(f"the run {str(opened.folder)!r} has no solver {name!r}{suggestion(name, there)}")
    found = contests(opened, *((first, other) for other in others))
    return Compared(opened, first, dict(zip(others, found, strict=True)))
