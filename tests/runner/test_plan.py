"""A plan: which cells there are, what their results depend on, and that planning runs nothing."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import qdynbench as package
from qdynbench.contract.problem import Knowledge
from qdynbench.plugins.distributions import required
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.runner.plan import Plan, cells_of, code_of, fingerprints
from qdynbench.task.spec import Task
from qdynbench.workers.process import Environment
from qdynbench.workers.protocol import Loaded

PLUGIN = """\
from pathlib import Path
from qdynbench import Block, Knowledge, Solver, hookimpl

class Marking(Solver):
    knowledge = Knowledge.TRAJECTORIES
    def prepare(self, problem):
        Path(__file__).with_name("prepared").touch()
    def solve(self, given):
        Path(__file__).with_name("solved").touch()
        yield Block(0, given.states)

@hookimpl
def register_solvers(register):
    register("marking", Marking, summary="leaves marks")
"""
DATA = {
    "name": "small",
    "model": {"family": "ising", "J": 1.0, "g": -1.05, "h": 0.5},
    "sizes": [2, 3],
    "times": {"dt": 0.01, "steps": 5},
    "solvers": ["ed", "chebyshev"],
}


def planned(registry: Registry, **changes: object) -> Plan:
    task = Task.model_validate(DATA | changes)
    traits = Loaded(0.1, Knowledge.HAMILTONIAN, False, "", (), (), (), None)
    environment = Environment(threads=1, device="cpu", memory=10**9, logs=Path("logs"))
    return Plan(task, registry, environment, {str(spec): traits for spec in task.specs}, cells_of(task))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What is installed changes here, which no process sees otherwise."""
    required.cache_clear()
    yield
    required.cache_clear()


def test_planning_runs_nothing_and_leaves_nothing(
    small_task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "marking.py").write_text(PLUGIN)
    before = set(tmp_path.rglob("*"))
    plan = package.plan(
        small_task, solvers=["ed", "marking"], plugins=["marking.py"], overrides={"sizes": [2, 40], "seeds": [0, 1]}
    )
    assert {path for path in set(tmp_path.rglob("*")) - before if "__pycache__" not in path.parts} == set()
    found = [(str(cell.spec), cell.case.size, cell.case.seed) for cell in plan.cells]
    assert found == [
        (solver, size, seed) for size in (2, 40) for seed in (0, 1) for solver in ("ed", "marking", "persistence")
    ]
    small, large = plan.cells[0], plan.cells[6]
    assert small.refusal == ""
    assert small.cost is not None
    assert 0 < small.cost.bytes < 1e9
    assert large.refusal.startswith("infeasible: predicted memory")
    assert plan.cells[1].cost is None


def test_cells_have_names_of_their_own() -> None:
    long = [f"ed[{'x' * 70}={number}]" for number in range(2)]
    task = Task.model_validate(DATA | {"solvers": ["ed", "ed[mode=batched]", *long], "seeds": [0, 1]})
    keys = [cell.key for cell in cells_of(task)]
    assert len(set(keys)) == len(keys) == 2 * 2 * len(task.specs)
    assert all(set("/[],") & set(key) == set() for key in keys)
    assert max(map(len, keys)) < 90


@pytest.mark.parametrize(
    "change",
    [
        {"model": {**DATA["model"], "g": -1.0}},  # type: ignore[dict-item]  # a mapping
        {"times": {"dt": 0.01, "steps": 6}},
        {"states": 7},
        {"seed": 1},
        {"metrics": ["infidelity"]},
        {"reference": "chebyshev"},
        {"keep": {"trajectories": 1}},
        {"timing": {"batch_sizes": [1, 3]}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_task_changes_every_fingerprint(registry: Registry, change: dict[str, object]) -> None:
    before, after = fingerprints(planned(registry), {}), fingerprints(planned(registry, **change), {})
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


def test_what_only_shows_or_limits_results_changes_none(registry: Registry) -> None:
    before = fingerprints(planned(registry), {})
    assert fingerprints(planned(registry, title="A short chain", figures=["scaling"]), {}) == before
    assert fingerprints(planned(registry, limits={"seconds": 7}), {}) == before


def test_a_subset_changes_the_fingerprints_of_its_solver_alone(registry: Registry) -> None:
    plan = planned(registry)
    before, after = fingerprints(plan, {}), fingerprints(planned(registry, timing={"subset": {"chebyshev": 1}}), {})
    changed = {cell.key for cell in plan.cells if before[cell.key] != after[cell.key]}
    assert changed == {cell.key for cell in plan.cells if cell.spec.name == "chebyshev"}


def test_circumstances_change_every_fingerprint(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(registry)
    seen = [fingerprints(plan, {})]
    environment = dataclasses.replace(plan.environment, threads=2)
    seen.append(fingerprints(dataclasses.replace(plan, environment=environment), {}))
    for name, value in (("core_code", "other code"), ("hardware", {"processor": "another one"})):
        with monkeypatch.context() as here:
            here.setattr(provenance, name, lambda value=value: value)
            seen.append(fingerprints(plan, {}))
    values = [value for found in seen for value in found.values()]
    assert len(set(values)) == len(values) == 4 * len(plan.cells)


def test_a_fit_changes_the_fingerprints_of_its_solver_alone(registry: Registry) -> None:
    plan = planned(registry)
    before, after = fingerprints(plan, {}), fingerprints(plan, {"chebyshev": "weights"})
    changed = {cell.key for cell in plan.cells if before[cell.key] != after[cell.key]}
    assert changed == {cell.key for cell in plan.cells if cell.spec.name == "chebyshev"}


def test_the_code_of_a_single_file_counts(tmp_path: Path) -> None:
    plugin = tmp_path / "marking.py"
    plugin.write_text(PLUGIN)
    before = code_of(Registry.discover([plugin]), "solvers", "marking")
    plugin.write_text(PLUGIN + "# changed\n")
    assert code_of(Registry.discover([plugin]), "solvers", "marking") != before


def test_the_modules_that_a_single_file_imports_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A changed neighbour went on with the results of code that no longer existed.
    monkeypatch.setattr(sys, "path", [*sys.path])
    plugin, neighbour = tmp_path / "beside.py", tmp_path / "qdtest_neighbour.py"
    plugin.write_text("import qdtest_neighbour\n" + PLUGIN)
    neighbour.write_text("x = 1\n")
    before = code_of(Registry.discover([plugin]), "solvers", "marking")
    neighbour.write_text("x = 22\n")
    assert code_of(Registry.discover([plugin]), "solvers", "marking") != before


def test_the_version_of_what_a_plugin_requires_counts_for_its_solvers_alone(
    registry: Registry, forgotten: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert registry.distribution_of(registry.find("solvers", "qutip")) == "qdynbench-qutip"
    before = {solver: code_of(registry, "solvers", solver) for solver in ("qutip", "persistence")}
    info = tmp_path / "qutip-99.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: qutip\nVersion: 99.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert metadata.version("qutip") == "99.0"
    required.cache_clear()
    assert provenance.versions(["qdynbench-qutip"])["qutip"] == "99.0"
    assert code_of(registry, "solvers", "qutip") != before["qutip"]
    assert code_of(registry, "solvers", "persistence") == before["persistence"]


DRAWING = """\
import numpy as np
from qdynbench import ProductEnsemble, hookimpl

class Tilted(ProductEnsemble):
    single = True
    def spinors(self, size, count, generator):
        return np.broadcast_to(np.array([1.0, 0.0], complex), (count, size, 2)).copy()

@hookimpl
def register_ensembles(register):
    register("tilted", Tilted, summary="every spin up")
"""


def test_the_code_of_an_ensemble_and_the_names_of_metrics_count(tmp_path: Path) -> None:
    # Only plugins of solvers were looked at: a changed ensemble went on with the accuracy of the one before.
    plugin = tmp_path / "drawing.py"
    found = []
    for text in (DRAWING, DRAWING.replace("1.0, 0.0", "0.0, 1.0")):
        plugin.write_text(text)
        found.append(fingerprints(planned(Registry.discover([plugin]), ensemble="tilted"), {}))
    assert not set(found[0].values()) & set(found[1].values())
    registry = Registry.discover()
    before = fingerprints(planned(registry), {})
    del registry.entries["metrics"]["truncation"]
    assert not set(before.values()) & set(fingerprints(planned(registry), {}).values())
