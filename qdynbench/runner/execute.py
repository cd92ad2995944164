"""Run a plan on this machine: the accuracy of all cells of a case, then their timing in alternating rounds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping

from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.plugins.registry import Registry
from qdynbench.record import calibration, provenance, trust
from qdynbench.record.schema import CellRecord, FitRecord, RunRecord, Status
from qdynbench.record.store import Store
from qdynbench.runner.accuracy import CellRunner
from qdynbench.runner.earlier import earlier_run, is_result, joined
from qdynbench.runner.echo import echoes
from qdynbench.runner.fits import Choice, Fits, training_of
from qdynbench.runner.fleet import Fleet
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Plan, cells_of, conditions, fingerprints
from qdynbench.runner.race import time_case
from qdynbench.task.spec import Task
from qdynbench.text import count
from qdynbench.workers.process import Environment


def foresee(task: Task, registry: Registry, environment: Environment, observer: Observer) -> Plan:
    """Return the plan of a task, each cell with its predicted cost, without running it.

    Raises:
        InputError: the task cannot be run as it is written.
    """
    with Fleet(task, registry, environment) as fleet:
        return _Execution(task, registry, environment, fleet, observer, Choice(), None).plan


def execute(
    task: Task,
    registry: Registry,
    environment: Environment,
    store: Store,
    observer: Observer,
    choice: Choice | None = None,
    *,
    replace: bool = True,
) -> None:
    """Run a task to its end.

    Every finished cell is written at once. Cells of an earlier run in the same folder are reused if their fingerprint
    is the same; those of other solvers, sizes and seeds stay.

    Args:
        task: the task.
        registry: the plugins.
        environment: the environment of the workers.
        store: the run directory.
        observer: receives the progress.
        choice: what the user says of the weights of learned solvers.
        replace: whether results of a solver are measured again where its own code or fit is another one.

    Raises:
        InputError: the task cannot be run as it is written, or would replace results; nothing has run.
    """
    load = os.getloadavg()[0]  # before the workers of this run are part of it
    now = conditions(task, registry, environment)
    earlier = earlier_run(store, now)
    with Fleet(task, registry, environment) as fleet:
        execution = _Execution(task, registry, environment, fleet, observer, choice or Choice(), earlier)
        if not replace:
            execution.refuse_to_replace(store)
        fits = execution.fit()
        whole, cells = joined(task, store, earlier)
        for file in registry.files:
            trust.remember(file, registry.contents[file])
        files = dict.fromkeys([*(earlier.plugin_files if earlier else []), *map(str, registry.files)])
        record = RunRecord(
            task=whole.model_dump(mode="json"),
            plugin_files=list(files),
            cells=cells,
            fits={**(earlier.fits if earlier else {}), **fits},
            conditions=now,
            provenance=_provenance(execution.plan) | {"folder": store.folder.name, "load": load},
        )
        store.write_run(record)
        execution.run_cells(store, fits)
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
        choice: Choice,
        earlier: RunRecord | None,
    ) -> None:
        self._fleet, self._observer = fleet, observer
        observer.starting(len(task.solvers) + 1)
        plan = Plan(task, registry, environment, fleet.start(), cells_of(task))
        if plan.learned:
            training_of(task, registry)  # refuses a task without training data before anything runs
        self._fits = Fits(plan, fleet, observer, choice, {} if earlier is None else earlier.fits)
        self._runner = CellRunner(plan, fleet, observer)
        self._found = {str(spec): self._fits.find(spec) for spec in plan.learned}
        self._other_limits = earlier is not None and earlier.task["limits"] != task.limits.model_dump(mode="json")
        self.plan = plan.foreseen({cell.key: self._runner.foresee(cell) for cell in plan.cells})
        observer.planned(self.plan, self._found)

    def fit(self) -> dict[str, FitRecord]:
        """Make the missing fits, and load the weights of all fits into their solvers."""
        made = {}
        for name, known in self._found.items():
            spec = SolverSpec.parse(name)
            fit = known or self._fits.make(spec)
            made[name] = fit
            self._observer.fitted(fit)
            if fit.status is Status.OK:
                self._fleet.restore(spec, fit)
        return made

    def refuse_to_replace(self, store: Store) -> None:
        """Raise an `InputError` where results of a solver are there that another code or fit of it would replace."""
        known = {name: fit for name, fit in self._found.items() if fit is not None}
        for solver, cells in self._outdated(store, self._fingerprints(known)).items():
            raise InputError(
                f"{solver}: {count(cells, 'result')} in {str(store.folder)!r} were made with {self._own(solver)}, and "
                "are not measured again by a comparison; `qdynbench run` measures them again"
            )

    def _fingerprints(self, fits: Mapping[str, FitRecord]) -> dict[str, str]:
        return fingerprints(self.plan, {name: fit.fingerprint for name, fit in fits.items()})

    def _outdated(self, store: Store, prints: Mapping[str, str]) -> Counter[str]:
        """Return the number of results of each solver whose fingerprint is another one: its code or fit has changed."""
        records = [store.read_cell(cell.key) for cell in self.plan.cells]
        return Counter(one.solver for one in records if one and is_result(one) and one.fingerprint != prints[one.key])

    def _own(self, solver: str) -> str:
        return "other code or another fit" if solver in self._found else "other code"

    def run_cells(self, store: Store, fits: dict[str, FitRecord]) -> None:
        """Score and time all cells, case by case, and write their records."""
        plan, fleet, observer = self.plan, self._fleet, self._observer
        prints = self._fingerprints(fits)
        for solver, cells in self._outdated(store, prints).items():
            observer.remarked(f"{solver}: {count(cells, 'result')} of {self._own(solver)} will be measured again")
        for case in plan.cases:
            to_be_timed: list[tuple[CellRecord, bool]] = []
            ended: list[CellRecord] = []
            for cell in plan.of_case(case):
                earlier = self._earlier(store, cell.key, prints[cell.key])
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
            time_case(plan, case, records, self._runner.answers, fleet, observer)
            echoes(plan, case, records, fleet, store, observer)
            for record, reused in to_be_timed:
                store.write_cell(record)
                observer.finished(record, reused=reused)
            for record in [*ended, *records]:  # after the case: a resumed run predicts as an unbroken one does
                self._runner.learn(record)

    def _earlier(self, store: Store, key: str, fingerprint: str) -> CellRecord | None:
        """Return the record of a cell of an earlier run that is still valid, complete or with its accuracy alone.

        A failed cell is run again, since the cause may have been the machine or may have been removed; so is an
        infeasible one, which costs nothing to refuse again, and one whose reference may fit into other limits.
        """
        record = store.read_cell(key)
        if record is None or not is_result(record) or record.fingerprint != fingerprint:
            return None
        if self._other_limits and record.reference is not None and record.reference.missing:
            return None
        if record.scores and not store.has_curves(
            key, states=self.plan.task.states, times=self.plan.task.times.steps + 1
        ):
            return None
        return record


def _provenance(plan: Plan) -> dict[str, object]:
    named = [spec.name for spec in (*plan.task.specs, plan.task.reference_spec) if spec is not None]
    registry = plan.registry
    entries = [registry.find("solvers", name) for name in named]
    distributions = filter(None, dict.fromkeys(map(registry.distribution_of, entries)))
    environment = plan.environment
    found = provenance.provenance(distributions, environment.threads, environment.device, environment.memory)
    return {**found, "calibration": calibration.kept()}
