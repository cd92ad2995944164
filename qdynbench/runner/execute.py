"""Run a plan on this machine: the accuracy of all cells of a case, then their timing in alternating rounds."""

from __future__ import annotations

import os

from qdynbench.contract.spec import SolverSpec
from qdynbench.plugins.registry import Registry
from qdynbench.record import calibration, provenance
from qdynbench.record.schema import CellRecord, FitRecord, RunRecord, Status
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
    """Return the plan of a task, each cell with its predicted cost, without running it.

    Raises:
        InputError: the task cannot be run as it is written.
    """
    with Fleet(task, registry, environment) as fleet:
        return _Execution(task, registry, environment, fleet, observer).plan


def execute(
    task: Task,
    registry: Registry,
    environment: Environment,
    store: Store,
    observer: Observer,
    refit: frozenset[str] = frozenset(),
) -> None:
    """Run a task to its end.

    Every finished cell is written at once. Cells of an earlier run in the same folder are reused if their fingerprint
    is the same.

    Args:
        task: the task.
        registry: the plugins.
        environment: the environment of the workers.
        store: the run directory.
        observer: receives the progress.
        refit: solvers to be fitted again, even if there are weights.

    Raises:
        InputError: the task cannot be run as it is written; nothing has run.
    """
    with Fleet(task, registry, environment) as fleet:
        execution = _Execution(task, registry, environment, fleet, observer, refit)
        record = RunRecord(
            task=task.model_dump(mode="json"),
            plugin_files=[str(path) for path in registry.files],
            cells=[cell.key for cell in execution.plan.cells],
            fits=execution.fit(),
            provenance=_provenance(execution.plan) | {"folder": store.folder.name},
        )
        store.write_run(record)
        execution.run_cells(store, record.fits)
        record.provenance["finished"] = provenance.now()
        store.write_run(record)


class _Execution:
    """The steps of a run, which begins with its plan and with the fits that exist (None for those to be made)."""

    def __init__(
        self,
        task: Task,
        registry: Registry,
        environment: Environment,
        fleet: Fleet,
        observer: Observer,
        refit: frozenset[str] = frozenset(),
    ) -> None:
        self._fleet, self._observer, self._refit = fleet, observer, refit
        observer.starting(len(task.solvers) + 1)
        plan = Plan(task, registry, environment, fleet.start(), cells_of(task))
        if plan.learned:
            training_of(task, registry)  # refuses a task without training data before anything runs
        self._fits, self._runner = Fits(plan, fleet, observer), CellRunner(plan, fleet, observer)
        self._found = {str(spec): None if str(spec) in refit else self._fits.find(spec) for spec in plan.learned}
        self.plan = plan.foreseen({cell.key: self._runner.foresee(cell) for cell in plan.cells})
        observer.planned(self.plan, self._found)

    def fit(self) -> dict[str, FitRecord]:
        """Make the missing fits, and load the weights of all fits into their solvers."""
        made = {}
        for name, known in self._found.items():
            spec = SolverSpec.parse(name)
            fit = known or self._fits.make(spec, self._fleet.solver(spec), refit=name in self._refit)
            made[name] = fit
            self._observer.fitted(fit)
            if fit.status is Status.OK:
                self._fleet.restore(spec, fit)
        return made

    def run_cells(self, store: Store, fits: dict[str, FitRecord]) -> None:
        """Score and time all cells, case by case, and write their records."""
        plan, fleet, observer = self.plan, self._fleet, self._observer
        weights = {name: provenance.fingerprint([fit.folder, fit.made]) for name, fit in fits.items()}
        prints = fingerprints(plan, weights)
        for case in plan.cases:
            to_be_timed: list[tuple[CellRecord, bool]] = []
            ended: list[CellRecord] = []
            for cell in plan.of_case(case):
                earlier = _earlier(store, cell.key, prints[cell.key])
                if earlier is not None and earlier.complete:
                    ended.append(earlier)
                    observer.finished(earlier, reused=True)
                    continue
                record = self._runner.accuracy(cell, store, fits, prints[cell.key], earlier)
                store.write_cell(record)
                if record.complete:
                    ended.append(record)
                    observer.finished(record, reused=False)
                else:
                    to_be_timed.append((record, earlier is not None))
            records = [record for record, _ in to_be_timed]
            time_case(plan, case, records, fleet, observer)
            echoes(plan, case, records, fleet, store, observer)
            for record, reused in to_be_timed:
                store.write_cell(record)
                observer.finished(record, reused=reused)
            for record in [*ended, *records]:  # after the case: a resumed run predicts as an unbroken one does
                self._runner.learn(record)


def _earlier(store: Store, key: str, fingerprint: str) -> CellRecord | None:
    """Return the record of a cell of an earlier run that is still valid, complete or with its accuracy alone.

    A failed cell is run again, since the cause may have been the machine or may have been removed; so is an infeasible
    one, which costs nothing to refuse again.
    """
    record = store.read_cell(key)
    kept = {Status.OK, Status.UNSUPPORTED}
    if record is None or record.fingerprint != fingerprint or record.status not in kept:
        return None
    return record if not record.scores or store.curves_of(key).is_file() else None


def _provenance(plan: Plan) -> dict[str, object]:
    named = [spec.name for spec in (*plan.task.specs, plan.task.reference_spec) if spec is not None]
    registry = plan.registry
    entries = [registry.find("solvers", name) for name in named]
    distributions = filter(None, dict.fromkeys(map(registry.distribution_of, entries)))
    environment = plan.environment
    found = provenance.provenance(distributions, environment.threads, environment.device, environment.memory)
    return {**found, "load": os.getloadavg()[0], "calibration": calibration.kept()}
