"""How far the reference itself is judged: by a second method, where it reaches."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from qdynbench import PauliSum, Problem
from qdynbench.plugins.registry import Registry
from qdynbench.scoring import certify
from qdynbench.scoring.metrics.infidelity import Infidelity
from qdynbench.scoring.source import CaseSource
from qdynbench.task.case import Case, Purpose
from qdynbench.task.load import load_task


def chain(size: int, dt: float = 0.002, steps: int = 100) -> Problem:
    terms = [(1.0, "ZZ", (i, i + 1)) for i in range(size - 1)]
    terms += [(g, pauli, (i,)) for pauli, g in (("X", -1.05), ("Z", 0.5)) for i in range(size)]
    return Problem(size, np.arange(steps + 1) * dt, PauliSum.from_terms(size, terms))


def test_as_many_states_are_evolved_as_a_second_affords_and_at_least_two() -> None:
    taken = {size: certify.states_for(chain(size), 200) for size in (2, 6, 8, 10, 12, 14, 21)}
    assert taken[2] == taken[6] == 200
    assert 200 > taken[8] > taken[10] > taken[12] >= 2
    assert taken[14] >= 1
    assert taken[21] == 0
    assert certify.states_for(chain(12, steps=10_000), 200) == 2
    assert certify.states_for(chain(16, dt=1.0), 200) == 1
    assert certify.states_for(chain(2), 1) == 1


@pytest.mark.parametrize("reference", ["trotter[order=2]", "ed[precision=single]"])
def test_the_resolution_holds_on_states_that_it_was_not_taken_from(reference: str) -> None:
    """An exact solver is found as far from a wrong reference as that is from the exact states, on other states too."""
    overrides = {"sizes": [8], "states": 200, "reference": reference, "times.dt": 0.01}
    task = load_task("ising_mixed", solvers=["ed"], overrides=overrides)
    source = CaseSource(task, Registry.discover(), device="cpu", threads=1, memory=1e9)
    case = Case(8, 0)
    taken = certify.states_for(source.problem(case, 1), 200)
    assert 2 <= taken <= 100
    errors = certify.reference_errors(source, case)
    others = source.draw(case, Purpose.TEST, taken, 200)
    problem = source.problem(case, len(others))
    exact = scipy.linalg.expm(-1j * problem.times[-1] * problem.hamiltonian.to_dense())
    true = others.states.numpy() @ exact.T
    found = source.reference(case).trajectories(others)[:, -1]
    overlap = np.abs(np.einsum("bi,bi->b", true.conj(), found)) / np.linalg.norm(found, axis=1)
    infidelity = 1 - overlap**2
    assert 1e-16 < infidelity.max() <= 2**Infidelity.order * errors["infidelity"][-1]
    assert np.mean(infidelity <= errors["infidelity"][-1]) > 0.9


@pytest.mark.parametrize("size", [6, 13, 20, 21])
def test_says_how_a_reference_is_certified_or_why_it_is_not(size: int) -> None:
    problem = Problem(size, np.linspace(0, 1, 9), PauliSum.from_terms(size, [(1.0, "X", (0,))]))
    how, why = certify.method(problem), certify.why_not(problem)
    assert bool(how) != bool(why)
    assert ("every step" in how) == (size <= certify.STEPWISE)
    assert ("at steps 2, 4, 6, 8" in how) == (certify.STEPWISE < size <= certify.LARGEST)
    assert ("too large" in why) == (size > certify.LARGEST)
