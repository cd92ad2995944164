"""Checks on what a solver declares: cost of import, frozen parameters, answers before any work is done."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from qdynbench.contract.build import parameters_of
from qdynbench.contract.hookspecs import PROJECT
from qdynbench.contract.initial import Given
from qdynbench.contract.problem import Knowledge, Problem
from qdynbench.contract.solver import Cost
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.testing.check import Check
from qdynbench.testing.outcome import Failure, Skip

if TYPE_CHECKING:
    from qdynbench.contract.solver import Solver
    from qdynbench.testing.subject import Subject

HEAVY = ("torch", "quspin", "jax", "tensorflow")

_IMPORT = """
import importlib, sys, time
start = time.perf_counter()
importlib.import_module(sys.argv[1])
print(time.perf_counter() - start, *[name for name in sys.argv[2:] if name in sys.modules])
"""


def import_cost(subject: Subject) -> str:
    """The package that registers the solver is imported by every command, so it must not import a heavy library."""
    package = subject.solver_class.__module__.partition(".")[0]
    module = sys.modules.get(package)
    found = getattr(module, "__spec__", None)
    if package == "__main__" or found is None or found.origin is None:
        raise Skip(f"{package} cannot be imported by its name")
    registering = {point.module.partition(".")[0] for point in importlib.metadata.entry_points(group=PROJECT)}
    if not hasattr(module, "__path__") and package not in registering:
        raise Skip("a single file is imported only where it is named")
    search = os.pathsep.join(filter(None, sys.path))
    answer = subprocess.run(
        [sys.executable, "-c", _IMPORT, package, *HEAVY],
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if answer.returncode != 0:
        raise Failure(f"importing {package} fails: {answer.stderr.strip().splitlines()[-1]}")
    seconds, *heavy = answer.stdout.split()
    if heavy:
        raise Failure(f"importing {package} imports {', '.join(heavy)}: import it where it is used")
    return f"{package} in {float(seconds):.2f} s"


def parameters_frozen(subject: Subject) -> str:
    """Parameters cannot change, and can be written as `name[key=value]`."""
    solver = subject.blank()
    names = parameters_of(solver)
    for name in names:
        value = getattr(solver, name)
        try:
            setattr(solver, name, value)
        except dataclasses.FrozenInstanceError:
            pass
        else:
            raise Failure(f"parameter {name!r} can be set after the solver is built")
        text = str(SolverSpec(subject.name, {name: value}))
        try:
            same = SolverSpec.parse(text).parameters[name] == value
        except InputError:
            same = False
        if not same:
            raise Failure(
                f"parameter {name}={value!r} cannot be written on the command line: {text} does not read back"
            )
    return ", ".join(names) if names else "no parameters"


def supports_and_estimate(subject: Subject) -> str:
    """What is asked before any work is done is answered, also about a chain far too long, and with sane values."""
    from qdynbench.testing.exercise import UNIFORM_PARAMETERS, uniform_chain

    if not isinstance(subject.solver_class.knowledge, Knowledge):
        raise Failure(f"knowledge is {subject.solver_class.knowledge!r}, not a qdynbench.Knowledge")
    solver, said = subject.new(), []
    exercise = subject.exercise
    long = Problem(40, exercise.problem.times, uniform_chain(40), UNIFORM_PARAMETERS, batch=64)
    for problem in (exercise.problem, long):
        blinded = problem.blinded(solver.knowledge)
        refusal = solver.supports(blinded)
        if not (refusal is None or (isinstance(refusal, str) and refusal.strip())):
            raise Failure(f"supports must return None or a reason, it returned {refusal!r}")
        cost = solver.estimate(blinded)
        if cost is None:
            continue
        if not isinstance(cost, Cost):
            raise Failure(f"estimate must return None or a qdynbench.Cost, it returned {cost!r}")
        for name in ("bytes", "operations"):
            value = getattr(cost, name)
            if not (math.isfinite(value) and value >= 0):
                raise Failure(f"estimate of {problem.size} spins: {name} = {value}")
        promised = cost.error
        if promised is not None and not (math.isfinite(promised) and promised > 0):
            raise Failure(f"estimate of {problem.size} spins: error is None or a positive number, not {promised!r}")
        said.append("no promised error" if promised is None else f"promised error {promised:.1e}")
    return said[0] if said else "no promised error"


def not_blind(solver_class: type[Solver]) -> str | None:
    """Exempt solvers that may see the Hamiltonian."""
    return "it may see the Hamiltonian" if solver_class.knowledge is Knowledge.HAMILTONIAN else None


def blindness(subject: Subject) -> str:
    """The solver works on a problem from which the core has taken what the solver may not see."""
    exercise = subject.exercise
    withheld = exercise.problem.blinded(subject.solver_class.knowledge)
    try:
        solver = subject.prepared(exercise)
        for _ in solver.solve(Given(exercise.fresh())):
            pass
    except Exception as error:
        raise Failure(f"fails on a problem without a Hamiltonian: {type(error).__name__}: {error}") from error
    kept = "its parameters" if withheld.parameters is not None else "times and size alone"
    return f"no Hamiltonian, {kept}"


CHECKS = (
    Check("import_cost", import_cost),
    Check("parameters_frozen", parameters_frozen),
)
AFTER_FIT = (
    Check("supports_and_estimate", supports_and_estimate, needs=("fit",)),
    Check("blindness", blindness, applies=not_blind, needs=("fit",)),
)
