"""TeNPy's TEBD and TDVP against evolution by scipy's `expm`, on states without any symmetry."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch
from qdynbench_tenpy.solvers import INSTALL, TenpyTdvp, TenpyTebd

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
from qdynbench.toolkit.matrix_product import MatrixProductSolver

pytest.importorskip("tenpy", reason=INSTALL)

Solver = type[MatrixProductSolver]
BOTH = pytest.mark.parametrize("solver", [TenpyTebd, TenpyTdvp])


class TestTebdConforms(ConformanceTests):
    solver = TenpyTebd
    parameters: ClassVar = {"order": 2}
    # It promises no error, takes open chains alone, and 256 states over 200 steps would take minutes.
    skips = ConformanceTests.skips | ConformanceTests.oracles | {"many_blocks"}


def xxz(size: int) -> PauliSum:
    pairs = [(site, site + 1) for site in range(size - 1)]
    return PauliSum.from_terms(
        size, [(c, letters, pair) for pair in pairs for c, letters in ((1.0, "XX"), (1.0, "YY"), (0.6, "ZZ"))]
    )


def evolve(problem: Problem, initial: Initial, solver: Solver, **parameters: object) -> torch.Tensor:
    return trajectory(solver(**parameters), problem, initial)  # type: ignore[arg-type]  # parametrised


def error(found: torch.Tensor, problem: Problem, initial: Initial) -> float:
    return float(errors(found, exact(problem, initial.states)).max())


@BOTH
@pytest.mark.parametrize("model", [graded_chain(6), xxz(6), graded_chain(2)], ids=["ising", "xxz", "two spins"])
def test_agrees_with_expm(solver: Solver, model: PauliSum) -> None:
    problem, initial = posed(model, 0.1, 2, batch=2), product_initial(model.size, 2, seed=3)
    found = evolve(problem, initial, solver)
    assert torch.equal(found[:, 0], initial.states)
    # TDVP loses most in its first steps, where a product state leaves the projection little room.
    assert error(found, problem, initial) < (3e-6 if solver is TenpyTebd else 3e-4)


@pytest.mark.parametrize(
    ("solver", "parameters", "order"), [(TenpyTebd, {"order": 2}, 2), (TenpyTebd, {"order": 4}, 4), (TenpyTdvp, {}, 2)]
)
def test_error_falls_with_the_step(solver: Solver, parameters: dict[str, object], order: int) -> None:
    problem, initial = posed(xxz(5), 0.8, 1, batch=1), product_initial(5, 1, seed=4)
    coarse, fine = (
        error(evolve(problem, initial, solver, step=step, **parameters), problem, initial) for step in (0.2, 0.1)
    )
    assert fine < coarse * 0.5 ** (order - 0.4)


@BOTH
def test_error_falls_with_the_bond_dimension_and_saturation_is_noted(solver: Solver) -> None:
    problem = posed(graded_chain(6), 0.25, 3, batch=1)
    check_saturation(solver, problem, product_initial(6, 1, seed=5), step=0.125)


def test_cutoff_is_the_weight_that_one_truncation_discards() -> None:
    check_cutoff(TenpyTebd)


@pytest.mark.parametrize(("solver", "size"), [(TenpyTebd, 4), (TenpyTebd, 5), (TenpyTdvp, 5)])
def test_observables_from_spinors_alone_agree_with_the_states(solver: Solver, size: int) -> None:
    problem, initial = posed(graded_chain(size), 0.1, 2, batch=2), product_initial(size, 2, seed=7)
    check_observables(solver, problem, initial, within=1e-7, norm_within=1e-10, entropy_within=1e-6)


@BOTH
def test_states_that_are_no_product_come_from_their_amplitudes(solver: Solver) -> None:
    problem, initial = posed(graded_chain(5), 0.1, 2, batch=2), Initial(random_states(5, 2, seed=1))
    assert error(evolve(problem, initial, solver), problem, initial) < 3e-6


def test_tdvp_takes_strings_of_any_length_on_any_sites() -> None:
    model = PauliSum.from_terms(
        4, [(0.7, "XYZ", (0, 3, 1)), (0.4, "ZZ", (3, 0)), (0.5, "Y", (2,)), (0.3, "XX", (1, 2))]
    )
    # With bonds of the full dimension the projection is exact.
    problem, initial = posed(model, 0.1, 4, batch=1), Initial(random_states(4, 1, seed=2))
    found, _, notes = truncated(TenpyTdvp(), problem, initial)
    assert error(found, problem, initial) < 1e-5
    assert len(notes) == 1
    assert notes[0].startswith("0.7 XYZ [0, 3, 1] reaches beyond neighbours: ")
    refusal = TenpyTebd().supports(problem)
    assert refusal == "0.7 XYZ [0, 3, 1] is no term on one site or two neighbouring ones, tenpy-tdvp takes it"


def test_tebd_follows_a_drive_with_kicks() -> None:
    check_kicks(TenpyTebd, xxz(4), within=1e-6)


@BOTH
def test_nothing_moves_without_a_hamiltonian(solver: Solver) -> None:
    problem, initial = posed(PauliSum(3, ()), 0.1, 4, batch=1), product_initial(3, 1, seed=9)
    assert float(errors(evolve(problem, initial, solver), initial.states[:, None]).max()) < 1e-13


def test_forty_spins_yield_observables_and_conserve_energy() -> None:
    energy = check_forty_spins(TenpyTebd, graded_chain(40))
    # Fields grow along this chain up to g = 7: hence the large error of a step.
    assert float((energy - energy[:, :1]).abs().max()) < 1e-3 * float(energy[0, 0].abs())


@BOTH
def test_refusals(solver: Solver) -> None:
    built = solver()
    problem = posed(graded_chain(3), 0.1, 4)
    assert "CPU" in (built.supports(dataclasses.replace(problem, device="cuda")) or "")
    assert "no bond" in (built.supports(posed(PauliSum.from_terms(1, [(1.0, "X", (0,))]), 0.1, 4)) or "")
    assert built.label == "bond dimension 64, cutoff 1e-16"


@pytest.mark.parametrize("wrong", [{"chi": 0}, {"cutoff": 1.0}, {"cutoff": -1e-3}, {"step": 0.0}, {"step": np.inf}])
def test_parameters_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
        TenpyTdvp(**wrong)  # type: ignore[arg-type]  # parametrised
