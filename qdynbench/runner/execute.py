"""Running a plan on this machine: one thing at a time, accuracy first, then timing rounds that alternate."""

from __future__ import annotations

from collections.abc import Mapping

from qdynbench.contract.spec import SolverSpec
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.schema import CellRecord, FitRecord, RunRecord
from qdynbench.record.store import Store
from qdynbench.runner.accuracy import CellRunner
from qdynbench.runner.echo import echoes
from qdynbench.runner.fits import Fits, training_of
from qdynbench.runner.fleet import Fleet
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Plan, cells_of, fingerprints
from qdynbench.runner.race import time_case
from qdynbench.task.spec import Task
from qdynbench.workers.process import Environment


def foresee(task: Task, registry: Registry, environment: Environment, observer: Observer) -> Plan:
    """Return the plan of a task, each cell with its predicted cost, and run nothing of it.

    Raises:
        InputError: the task cannot be run as it is written.
    """
    with Fleet(task, registry, environment) as fleet:
        plan, _ = _planned(task, registry, environment, fleet, observer)
        return plan


def execute(
    task: Task,
    registry: Registry,
    environment: Environment,
    store: Store,
    observer: Observer,
    refit: frozenset[str] = frozenset(),
) -> None:
    """Run a task to its end.

    Every finished cell is on disk at once; cells of an earlier run in the same folder are taken over where their
    fingerprint agrees.

    Args:
        task: the task.
        registry: plugins.
        environment: of the workers.
        store: the run directory.
        observer: is told of the progress.
        refit: solvers to be fitted anew, whatever weights there are.

    Raises:
        InputError: the task cannot be run as it is written; nothing has run.
    """
    with Fleet(task, registry, environment) as fleet:
        plan, found = _planned(task, registry, environment, fleet, observer, refit)
        fits = _fitted(plan, fleet, observer, found, refit)
        record = RunRecord(
            task=task.model_dump(mode="json"),
            plugin_files=[str(path) for path in registry.files],
            cells=[cell.key for cell in plan.cells],
            fits=fits,
            provenance=_provenance(plan) | {"folder": store.folder.name},
        )
        store.write_run(record)
        _run_cells(plan, fleet, store, observer, fits)
        record.provenance["finished"] = provenance.now()
        store.write_run(record)


def _planned(
    task: Task,
    registry: Registry,
    environment: Environment,
    fleet: Fleet,
    observer: Observer,
    refit: frozenset[str] = frozenset(),
) -> tuple[Plan, dict[str, FitRecord | None]]:
    """Return the plan, and the fits that there are already; None for those that have to be made."""
    observer.starting(len(task.solvers) + 1)
    plan = Plan(task, registry, environment, fleet.start(), cells_of(task))
    if plan.learned:
        training_of(task, registry)  # refuses a task without training data before anything runs
    fits = Fits(plan, fleet.scorer, observer)
    found = {str(spec): None if str(spec) in refit else fits.find(spec) for spec in plan.learned}
    runner = CellRunner(plan, fleet, observer)
    plan = plan.foreseen({cell.key: runner.foresee(cell) for cell in plan.cells})
    observer.planned(plan, found)
    return plan, found


def _fitted(
    plan: Plan, fleet: Fleet, observer: Observer, found: Mapping[str, FitRecord | None], refit: frozenset[str]
) -> dict[str, FitRecord]:
    """Make the fits that are missing, and give every solver what it learned."""
    fits, made = Fits(plan, fleet.scorer, observer), {}
    for name, known in found.items():
        spec = SolverSpec.parse(name)
        fit = known or fits.make(spec, fleet.solver(spec), refit=name in refit)
        made[name] = fit
        observer.fitted(fit)
        if fit.status.honest:
            fleet.restore(spec, fit)
    return made


def _run_cells(plan: Plan, fleet: Fleet, store: Store, observer: Observer, fits: Mapping[str, FitRecord]) -> None:
    runner = CellRunner(plan, fleet, observer)
    prints = fingerprints(plan, {name: provenance.fingerprint([fit.folder, fit.made]) for name, fit in fits.items()})
    for case in plan.cases:
        to_be_timed: list[tuple[CellRecord, bool]] = []
        for cell in plan.of_case(case):
            earlier = _earlier(store, cell.key, prints[cell.key])
            if earlier is not None and earlier.complete:
                runner.learn(earlier)
                observer.finished(earlier, reused=True)
                continue
            record = runner.accuracy(cell, store, fits, prints[cell.key], earlier)
            store.write_cell(record)
            if record.complete:
                observer.finished(record, reused=False)
            else:
                to_be_timed.append((record, earlier is not None))
        records = [record for record, _ in to_be_timed]
        time_case(plan, case, records, fleet, observer)
        echoes(plan, case, records, fleet, store, observer)
        for record, reused in to_be_timed:
            runner.learn(record)
            store.write_cell(record)
            observer.finished(record, reused=reused)


def _earlier(store: Store, key: str, fingerprint: str) -> CellRecord | None:
    """Return a cell of an earlier run that still holds, complete or with its accuracy alone.

    A fault may have been the machine's, or may have been mended: such a cell is tried again.
    """
    record = store.read_cell(key)
    if record is None or record.fingerprint != fingerprint or not record.status.honest:
        return None
    return record if not record.scores or store.curves_of(key).is_file() else None


def _provenance(plan: Plan) -> dict[str, object]:
    named = [spec.name for spec in (*plan.task.specs, plan.task.reference_spec) if spec is not None]
    distributions = filter(None, dict.fromkeys(plan.registry.distribution_of("solvers", name) for name in named))
    environment = plan.environment
    return provenance.provenance(distributions, environment.threads, environment.device, environment.memory)
