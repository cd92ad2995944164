"""quimb's TEBD against evolution by scipy's `expm`, on states without any symmetry."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch
from qdynbench_quimb.tebd import INSTALL, QuimbTebd

from qdynbench import Initial, PauliSum, Problem
from qdynbench.testing import ConformanceTests
from qdynbench.testing.matrix_product import (
    check_cutoff,
    check_forty_spins,
    check_kicks,
    check_observables,
    check_saturation,
    truncated,
)
from qdynbench.testing.trajectories import (
    errors,
    exact,
    graded_chain,
    posed,
    product_initial,
    random_states,
    trajectory,
)

pytest.importorskip("quimb", reason=INSTALL)


class TestConforms(ConformanceTests):
    solver = QuimbTebd
    parameters: ClassVar = {"order": 2}
    # It promises no error, takes open chains alone, and 256 states over 200 steps would take minutes.
    skips = ConformanceTests.skips | ConformanceTests.oracles | {"many_blocks"}


def xyz(size: int) -> PauliSum:
    """Return a chain with strings of two unlike letters, in both orders of their sites, here and there."""
    pairs = [(site, site + 1) for site in range(size - 1)]
    terms = [(c, letters, pair) for pair in pairs for c, letters in ((1.0, "XX"), (0.8, "YY"), (0.6, "ZZ"))]
    return PauliSum.from_terms(size, [*terms, (0.4, "XY", (2, 1)), (0.3, "XZ", (0, 1)), (0.5, "Y", (2,))])


def evolve(problem: Problem, initial: Initial, **parameters: object) -> torch.Tensor:
    return trajectory(QuimbTebd(**parameters), problem, initial)  # type: ignore[arg-type]  # parametrised


def error(found: torch.Tensor, problem: Problem, initial: Initial) -> float:
    return float(errors(found, exact(problem, initial.states)).max())


@pytest.mark.parametrize("model", [graded_chain(7), xyz(6), graded_chain(2)], ids=["ising", "xyz", "two spins"])
def test_agrees_with_expm(model: PauliSum) -> None:
    problem, initial = posed(model, 0.1, 4, batch=2), product_initial(model.size, 2, seed=3)
    found = evolve(problem, initial)
    assert torch.equal(found[:, 0], initial.states)
    assert error(found, problem, initial) < 1e-5


@pytest.mark.parametrize("order", [2, 4])
def test_error_falls_with_the_step_as_the_order_says(order: int) -> None:
    problem, initial = posed(xyz(6), 0.8, 1, batch=1), product_initial(6, 1, seed=4)
    coarse, fine = (error(evolve(problem, initial, step=step, order=order), problem, initial) for step in (0.1, 0.05))
    assert 0.5 ** (order + 0.4) < fine / coarse < 0.5 ** (order - 0.4)


def test_error_falls_with_the_bond_dimension_and_saturation_is_noted() -> None:
    runs = check_saturation(QuimbTebd, posed(graded_chain(6), 0.25, 4, batch=2), product_initial(6, 2, seed=5))
    for chi in (2, 4):
        # What was discarded is what the norm lacks.
        states, discarded, _ = runs[chi]
        torch.testing.assert_close(1 - states.norm(dim=-1) ** 2, discarded, atol=1e-13, rtol=0)


def test_what_is_cut_are_schmidt_values() -> None:
    """Cutting at chi from the exact state at every time discards about what the solver does, and not a hundredfold."""
    size, chi = 8, 4
    problem, initial = posed(graded_chain(size), 0.15, 4, batch=1), product_initial(size, 1, seed=6)
    discarded = float(truncated(QuimbTebd(chi=chi, step=0.1), problem, initial).discarded[:, -1].max())
    last = exact(problem, initial.states)[0, -1].numpy()
    cuts = [np.linalg.svd(last.reshape(2**left, -1), compute_uv=False)[chi:] for left in range(1, size)]
    assert 0.1 < discarded / sum(float((values**2).sum()) for values in cuts) < 10


def test_cutoff_is_the_weight_that_one_truncation_discards() -> None:
    check_cutoff(QuimbTebd)


@pytest.mark.parametrize("size", [5, 6])
@pytest.mark.parametrize("chi", [3, 64])
def test_observables_from_spinors_alone_agree_with_the_states(size: int, chi: int) -> None:
    problem, initial = posed(xyz(size), 0.1, 4, batch=2), product_initial(size, 2, seed=7)
    check_observables(QuimbTebd, problem, initial, within=1e-11, norm_within=1e-12, entropy_within=1e-11, chi=chi)


def test_states_that_are_no_product_come_from_their_amplitudes() -> None:
    problem, initial = posed(graded_chain(6), 0.1, 4, batch=2), Initial(random_states(6, 2, seed=1))
    assert error(evolve(problem, initial), problem, initial) < 1e-5


def test_a_drive_with_kicks() -> None:
    check_kicks(QuimbTebd, xyz(4), within=3e-6)


def test_nothing_moves_without_a_hamiltonian() -> None:
    problem, initial = posed(PauliSum(3, ()), 0.1, 4, batch=1), product_initial(3, 1, seed=9)
    assert float(errors(evolve(problem, initial), initial.states[:, None]).max()) < 1e-13


def test_forty_spins_yield_observables_and_conserve_energy() -> None:
    energy = check_forty_spins(QuimbTebd, xyz(40))
    assert float((energy - energy[:, :1]).abs().max()) < 1e-5


def test_refusals() -> None:
    solver, problem = QuimbTebd(), posed(graded_chain(3), 0.1, 4)
    assert "CPU" in (solver.supports(dataclasses.replace(problem, device="cuda")) or "")
    assert "no bond" in (solver.supports(posed(PauliSum.from_terms(1, [(1.0, "X", (0,))]), 0.1, 4)) or "")
    far = PauliSum.from_terms(3, [(0.7, "XZ", (0, 2))])
    refusal = solver.supports(posed(far, 0.1, 4))
    assert refusal == "0.7 XZ [0, 2] is no term on one site or two neighbouring ones, tenpy-tdvp takes it"
    assert QuimbTebd(chi=8, cutoff=1e-10).label == "bond dimension 8, cutoff 1e-10"
