"""Running a plan on this machine: one thing at a time, accuracy first, then timing rounds that alternate."""

from __future__ import annotations

from dataclasses import dataclass

from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.schema import CellRecord, FitRecord, RunRecord
from qdynbench.record.store import Store
from qdynbench.run.accuracy import CellRunner
from qdynbench.run.echo import echoes
from qdynbench.run.fits import Fits, training_of
from qdynbench.run.fleet import Fleet
from qdynbench.run.observer import Observer
from qdynbench.run.plan import Plan, cells_of, set_fingerprints
from qdynbench.run.race import time_case
from qdynbench.task.spec import Task
from qdynbench.workers.process import Environment


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        refit: solvers to be fitted anew, whatever weights there are.
        dry_run: stop once the plan stands.
    """

    refit: frozenset[str] = frozenset()
    dry_run: bool = False


def execute(
    task: Task, registry: Registry, environment: Environment, store: Store, observer: Observer, options: Options
) -> RunRecord | None:
    """Run a task to its end and return the record of the run, or None after a dry run.

    Every finished cell is on disk at once; cells of an earlier run in the same folder are taken over where their
    fingerprint agrees.

    Raises:
        InputError: the task cannot be run as it is written; nothing has run.
    """
    with Fleet(task, registry, environment) as fleet:
        observer.starting(len(task.solvers) + 1)
        plan = Plan(task, registry, environment, traits=fleet.start(), cells=cells_of(task))
        learned = [spec for spec in task.specs if plan.traits[str(spec)].learned]
        if learned:
            training_of(plan)
        fits = Fits(plan, fleet.scorer, observer)
        found = {str(spec): None if str(spec) in options.refit else fits.find(spec) for spec in learned}
        outlook = CellRunner(plan, fleet, store, observer)
        for cell in plan.cells:
            outlook.foresee(cell)
        observer.planned(plan, found, dry_run=options.dry_run)
        if options.dry_run:
            return None
        for spec in learned:
            fit = found[str(spec)] or fits.make(spec, fleet.solver(spec), refit=str(spec) in options.refit)
            found[str(spec)] = fit
            observer.fitted(fit)
            if fit.status.honest:
                fleet.restore(spec, fit)
        made = {name: fit for name, fit in found.items() if fit is not None}
        set_fingerprints(plan, {name: provenance.fingerprint([fit.folder, fit.made]) for name, fit in made.items()})
        record = _record(plan, store, made)
        store.write_run(record)
        _run_cells(plan, fleet, store, observer, made)
        record.provenance["finished"] = provenance.now()
        store.write_run(record)
        return record


def _run_cells(plan: Plan, fleet: Fleet, store: Store, observer: Observer, fits: dict[str, FitRecord]) -> None:
    runner = CellRunner(plan, fleet, store, observer, fits)
    for case in plan.cases:
        open_cells: list[tuple[CellRecord, bool]] = []
        for cell in plan.of_case(case):
            earlier = store.read_cell(cell.key)
            if earlier is not None and earlier.fingerprint == cell.fingerprint and _usable(earlier, store):
                cell.reused = earlier
            if cell.done:
                assert cell.reused is not None  # noqa: S101 - implied by `done`; this tells the type checker
                observer.finished(cell.reused, reused=True)
                continue
            record = runner.accuracy(cell)
            if record.complete:
                store.write_cell(record)
                observer.finished(record, reused=False)
            else:
                store.write_cell(record)
                open_cells.append((record, cell.reused is not None))
        time_case(plan, case, [record for record, _ in open_cells], fleet, observer)
        echoes(plan, case, [record for record, _ in open_cells], fleet, store, observer)
        for record, reused in open_cells:
            store.write_cell(record)
            observer.finished(record, reused=reused)


def _usable(record: CellRecord, store: Store) -> bool:
    # A fault may have been the machine's, or may have been mended: such a cell is tried again.
    return record.status.honest and (not record.scores or store.curves_of(record.key).is_file())


def _record(plan: Plan, store: Store, fits: dict[str, FitRecord]) -> RunRecord:
    environment = plan.environment
    return RunRecord(
        task=plan.task.model_dump(mode="json"),
        plugin_files=[str(path) for path in plan.registry.files],
        cells=[cell.key for cell in plan.cells],
        fits=fits,
        provenance=provenance.provenance(environment.threads, environment.device, environment.memory)
        | {"folder": store.folder.name},
    )
