"""The plan of a run: fits, then one cell per case and solver, with what each is predicted to cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qdynbench.contract.problem import Knowledge, Problem
from qdynbench.contract.spec import SolverSpec
from qdynbench.files import file_name
from qdynbench.plugins.distributions import hash_files, required
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.schema import PredictedCost
from qdynbench.task.case import Case, cases, track
from qdynbench.task.pose import pose
from qdynbench.task.spec import Task
from qdynbench.workers.process import Environment


@dataclass(frozen=True)
class Traits:
    """What a solver's worker said of it once it was built.

    Attributes:
        knowledge, label, accuracy, protocol: see `Solver`.
        learned: whether it has to be fitted first.
        shipped: folders of weights that came with it.
        foundation: weights that its fit starts from, see `qdynbench.record.manifest.foundation_of`; None from scratch.
    """

    knowledge: Knowledge
    learned: bool
    label: str
    accuracy: tuple[str, ...]
    protocol: tuple[str, ...]
    shipped: tuple[Path, ...]
    foundation: dict[str, Any] | None


@dataclass(frozen=True)
class Cell:
    """One cell of the plan.

    Attributes:
        case: its case.
        spec: its solver.
        key: name of its files.
        cost: predicted, or None.
        refusal: why it will end without being run, with its status; empty where it will be run.
    """

    case: Case
    spec: SolverSpec
    key: str
    cost: PredictedCost | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Plan:
    """All that a run will do.

    Attributes:
        task: the task.
        registry: plugins.
        environment: of the workers.
        traits: of each solver, by its text.
        cells: in running order, case by case.
    """

    task: Task
    registry: Registry
    environment: Environment
    traits: Mapping[str, Traits]
    cells: tuple[Cell, ...] = field(default=())

    def of_case(self, case: Case) -> list[Cell]:
        """Return the cells of one case."""
        return [cell for cell in self.cells if cell.case == case]

    @property
    def learned(self) -> list[SolverSpec]:
        """Return the solvers that have to be fitted first."""
        return [spec for spec in self.task.specs if self.traits[str(spec)].learned]

    @property
    def cases(self) -> list[Case]:
        """Return the cases in running order."""
        return cases(self.task)

    @property
    def batch(self) -> int:
        """Largest number of states that a solver is given at once: test states are scored in portions of this."""
        return max(self.task.timing.batch_sizes)

    def problem(self, case: Case) -> Problem:
        """Pose a case in full; `blinded` before it leaves for a solver's worker."""
        environment = self.environment
        return pose(
            self.task, self.registry, case, batch=self.batch, device=environment.device, threads=environment.threads
        )

    def foreseen(self, outlooks: Mapping[str, Cell]) -> Plan:
        """Return the plan with cells that know what they are predicted to cost, by their keys."""
        return replace(self, cells=tuple(outlooks[cell.key] for cell in self.cells))


def cells_of(task: Task) -> tuple[Cell, ...]:
    """Return one cell for each case and solver, in running order."""
    cells = []
    for case in cases(task):
        for spec in task.specs:
            digest = provenance.fingerprint([str(spec), case.size, case.seed])[:6]
            cells.append(Cell(case, spec, f"{file_name(str(spec))[:60]}-{case.key}-{digest}"))
    return tuple(cells)


def fingerprints(plan: Plan, fits: Mapping[str, str]) -> dict[str, str]:
    """Hash, for each cell by its key, all that its result depends on: task, solver, code, fit, libraries, hardware."""
    task, reference = plan.task, plan.task.reference_spec
    names = {spec.name for spec in task.specs} | ({reference.name} if reference else set())
    code = {name: code_of(plan.registry, name) for name in names}
    common = {
        "task": task.model_dump(
            mode="json", include={"model", "ensemble", "times", "states", "seed", "metrics", "keep"}
        ),
        "report": task.report_steps,
        "timing": task.timing.model_dump(mode="json"),
        "limits": task.limits.model_dump(mode="json"),
        "reference": [task.reference, code[reference.name] if reference else None],
        "core": provenance.core_code(),
        "hardware": provenance.hardware(),
        "threads": plan.environment.threads,
        "device": plan.environment.device,
    }
    found = {}
    for cell in plan.cells:
        own = {
            "case": [cell.case.size, cell.case.seed, track(task, cell.case)],
            "solver": [str(cell.spec), code[cell.spec.name], fits.get(str(cell.spec))],
        }
        found[cell.key] = provenance.fingerprint(common | own)
    return found


def code_of(registry: Registry, solver: str) -> str:
    """Hash the plugin that provides a solver: its code and weights, and every distribution that it requires."""
    files, distribution = (
        registry.code_of(registry.find("solvers", solver)),
        registry.distribution_of("solvers", solver),
    )
    return provenance.fingerprint([hash_files(files), required(distribution) if distribution else {}])
