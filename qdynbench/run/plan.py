"""The plan of a run: fits, then one cell per case and solver, with what each is predicted to cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qdynbench.contract.solver import Cost, Knowledge, Problem
from qdynbench.contract.spec import SolverSpec
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.schema import CellRecord
from qdynbench.task.case import Case, cases, track
from qdynbench.task.pose import pose
from qdynbench.task.spec import Task
from qdynbench.workers.process import Environment


@dataclass(frozen=True)
class Traits:
    """What a solver's worker said of it once it was built.

    Attributes:
        knowledge, learned, label: see `Solver`.
        shipped: folders of weights that came with it.
        foundation: weights that its fit starts from, see `qdynbench.record.manifest.foundation_of`; None from scratch.
    """

    knowledge: Knowledge
    learned: bool
    label: str
    shipped: tuple[Path, ...]
    foundation: dict[str, Any] | None


@dataclass
class Cell:
    """One cell of the plan.

    Attributes:
        case: its case.
        spec: its solver.
        key: name of its files.
        fingerprint: of all that its result depends on; known once the fits are.
        cost: predicted, or None.
        refusal: why it will end without being run, or nothing.
        vectors: whether its solver has to be given state vectors, even of product states; known once it was asked.
        reused: an earlier record that still holds, complete or with its accuracy alone.
    """

    case: Case
    spec: SolverSpec
    key: str
    fingerprint: str = ""
    cost: Cost | None = None
    refusal: str = ""
    vectors: bool = True
    reused: CellRecord | None = None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.reused is not None and self.reused.complete


@dataclass
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
    traits: dict[str, Traits] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    def of_case(self, case: Case) -> list[Cell]:
        """Return the cells of one case."""
        return [cell for cell in self.cells if cell.case == case]

    @property
    def cases(self) -> list[Case]:
        """Return the cases in running order."""
        return cases(self.task)

    @property
    def batch(self) -> int:
        """Largest number of states that a solver is given at once: test states are scored in portions of this."""
        return max(self.task.timing.batch_sizes)


def problem(plan: Plan, case: Case) -> Problem:
    """Pose a case in full; `blinded` before it leaves for a solver's worker."""
    environment = plan.environment
    return pose(
        plan.task, plan.registry, case, batch=plan.batch, device=environment.device, threads=environment.threads
    )


def problem_message(posed: Problem) -> dict[str, Any]:
    """Return the JSON fields of a problem; its times travel as an array beside them."""
    return {
        "size": posed.size,
        "hamiltonian": None if posed.hamiltonian is None else posed.hamiltonian.to_json(),
        "drive": None if posed.drive is None else posed.drive.to_json(),
        "parameters": None if posed.parameters is None else dict(posed.parameters),
        "batch": posed.batch,
        "device": posed.device,
        "threads": posed.threads,
        "entangled": posed.entangled,
    }


def cells_of(task: Task) -> list[Cell]:
    """Return one cell for each case and solver, in running order."""
    cells = []
    for case in cases(task):
        for spec in task.specs:
            slug = re.sub(r"[^A-Za-z0-9.=-]+", "_", str(spec)).strip("_")
            digest = provenance.fingerprint([str(spec), case.size, case.seed])[:6]
            key = f"{slug[:60]}-{case.key}-{digest}"
            cells.append(Cell(case, spec, key))
    return cells


def set_fingerprints(plan: Plan, fits: Mapping[str, str]) -> None:
    """Hash all that each cell's result depends on: task, solver, plugin code, fit, libraries, hardware."""
    task = plan.task
    reference = task.reference_spec
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
        "libraries": provenance.versions(),
        "hardware": provenance.hardware(),
        "threads": plan.environment.threads,
        "device": plan.environment.device,
    }
    for cell in plan.cells:
        own = {
            "case": [cell.case.size, cell.case.seed, track(task, cell.case)],
            "solver": [str(cell.spec), code[cell.spec.name], fits.get(str(cell.spec))],
        }
        cell.fingerprint = provenance.fingerprint(common | own)


def code_of(registry: Registry, solver: str) -> str:
    """Hash the code and weights of the plugin that provides a solver."""
    return provenance.hash_files(registry.code_of(registry.find("solvers", solver)))
