"""The plan of a run: one cell for each case and solver, with its predicted cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from qdynbench.contract.problem import Problem
from qdynbench.contract.spec import SolverSpec
from qdynbench.files import file_name
from qdynbench.plugins.distributions import hash_files, required
from qdynbench.plugins.registry import Kind, Registry
from qdynbench.record import provenance
from qdynbench.record.manifest import foundation_of
from qdynbench.record.schema import PredictedCost
from qdynbench.task.case import Case, cases
from qdynbench.task.pose import pose, track
from qdynbench.task.spec import Task
from qdynbench.workers.process import Environment
from qdynbench.workers.protocol import Json, Loaded


@dataclass(frozen=True)
class Cell:
    """One cell of the plan.

    Attributes:
        case, spec: the case and the solver.
        key: name of the files of the cell.
        cost: the predicted cost, or None.
        refusal: why the cell will not be run, with its status; empty if it will be run.
    """

    case: Case
    spec: SolverSpec
    key: str
    cost: PredictedCost | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Plan:
    """The plan of a run.

    Attributes:
        task, registry, environment: the task, the plugins, and the environment of the workers.
        traits: properties of each solver, by the text of its spec.
        cells: the cells in running order, case by case.
    """

    task: Task
    registry: Registry
    environment: Environment
    traits: Mapping[str, Loaded]
    cells: tuple[Cell, ...] = field(default=())

    def of_case(self, case: Case) -> list[Cell]:
        """Return the cells of one case."""
        return [cell for cell in self.cells if cell.case == case]

    def foundation(self, spec: SolverSpec) -> Json | None:
        """Return what is to be known of the weights from which the fit of a solver starts, or None.

        Raises:
            InputError: their manifest does not tell their cost.
        """
        start = self.traits[str(spec)].starts_from
        return None if start is None else foundation_of(Path(start))

    @property
    def learned(self) -> list[SolverSpec]:
        """The solvers that have to be fitted."""
        return [spec for spec in self.task.specs if self.traits[str(spec)].learned]

    @property
    def cases(self) -> list[Case]:
        """The cases in running order."""
        return cases(self.task)

    @property
    def batch(self) -> int:
        """Largest number of states in one call; test states are scored in portions of this size."""
        return max(self.task.timing.batch_sizes)

    def problem(self, case: Case, threads: int | None = None) -> Problem:
        """Return the full problem of a case, to be `blinded` before it is sent to the worker of a solver.

        Args:
            case: the case.
            threads: CPU threads of the worker; default: those of the run.
        """
        threads = threads or self.environment.threads
        return pose(self.task, self.registry, case, batch=self.batch, device=self.environment.device, threads=threads)

    def foreseen(self, outlooks: Mapping[str, Cell]) -> Plan:
        """Return the plan with the predicted costs of `outlooks`, which holds the cells by their keys."""
        return replace(self, cells=tuple(outlooks[cell.key] for cell in self.cells))


def cells_of(task: Task) -> tuple[Cell, ...]:
    """Return one cell for each case and solver, in running order."""
    cells = []
    for case in cases(task):
        for spec in task.specs:
            digest = provenance.fingerprint([str(spec), case.size, case.seed])[:6]
            cells.append(Cell(case, spec, f"{file_name(str(spec))[:60]}-{case.key}-{digest}"))
    return tuple(cells)


def asked(task: Task) -> Json:
    """Return the part of a task that decides about results, whatever the solver, size and seed.

    Limits are not part of it: what ended within them ends within others as well.
    """
    kept = {"model", "ensemble", "times", "states", "seed", "training", "metrics", "keep", "reference"}
    return {
        **task.model_dump(mode="json", include=kept),
        "report": {"steps": task.report_steps},
        "timing": task.timing.model_dump(mode="json", exclude={"subset"}),
    }


def conditions(task: Task, registry: Registry, environment: Environment) -> Json:
    """Return everything on which the results of all solvers depend: task, machine, versions and shared code."""
    code = {f"{kind[:-1]} {name}": code_of(registry, kind, name) for kind, name in task.named(registry)}
    if task.reference_spec is not None:
        code[f"reference {task.reference}"] = code_of(registry, "solvers", task.reference_spec.name)
    found = {
        **asked(task),
        "threads": environment.threads,
        "device": environment.device,
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "code": {"qdynbench": provenance.core_code(), **code},
    }
    return dict(json.loads(json.dumps(found)))  # as it is read back


def fingerprints(plan: Plan, fits: Mapping[str, str]) -> dict[str, str]:
    """Return a hash of everything on which the result of each cell depends; `fits` are the fingerprints of fits."""
    task, registry = plan.task, plan.registry
    common = conditions(task, registry, plan.environment)
    code = {spec.name: code_of(registry, "solvers", spec.name) for spec in task.specs}
    found = {}
    for cell in plan.cells:
        solver = str(cell.spec)
        own = {
            "case": [cell.case.size, cell.case.seed, track(task, registry, cell.case)],
            "solver": [solver, code[cell.spec.name], fits.get(solver), task.timing.subset.get(solver)],
        }
        found[cell.key] = provenance.fingerprint(common | own)
    return found


def code_of(registry: Registry, kind: Kind, name: str) -> str:
    """Return a hash of the plugin that provides a name: its code and weights, what they import and what it requires."""
    entry = registry.find(kind, name)
    distribution = registry.distribution_of(entry)
    versions = required(distribution) if distribution else provenance.versions()
    return provenance.fingerprint([hash_files(registry.code_of(entry)), versions])
