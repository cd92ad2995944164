"""TeNPy's TEBD and TDVP against evolution by scipy's `expm`, on states without any symmetry."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from qdynbench_tenpy.solvers import INSTALL, TenpyTdvp, TenpyTebd
from scipy.linalg import expm

from qdynbench.matrix_product import MatrixProductSolver
from qdynbench.physics.drive import Drive, Segment
from qdynbench.physics.operators import PauliSum
from qdynbench.solver import Block, Initial, Problem
from qdynbench.testing import ConformanceTests, independent
from qdynbench.testing.exercise import graded_chain, product_initial

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


def posed(model: PauliSum | Drive, stop: float = 0.4, steps: int = 4) -> Problem:
    times = np.linspace(0, stop, steps + 1)
    if isinstance(model, Drive):
        return Problem(model.size, times, drive=model)
    return Problem(model.size, times, model)


def blocks(problem: Problem, initial: Initial, solver: Solver, **parameters: object) -> tuple[list[Block], list[str]]:
    """Solve, and copy each block before the next one is asked for."""
    built = solver(**parameters)  # type: ignore[arg-type]  # parametrised
    built.problem = problem
    assert built.supports(problem) is None
    built.prepare(problem)
    found = []
    for block in built.solve(initial):
        observables = {name: tensor.clone() for name, tensor in block.observables.items()}
        found.append(Block(block.start, None if block.states is None else block.states.clone(), observables))
    return found, built.notes


def trajectory(problem: Problem, initial: Initial, solver: Solver, **parameters: object) -> torch.Tensor:
    columns = [block.states for block in blocks(problem, initial, solver, **parameters)[0]]
    return torch.cat([column for column in columns if column is not None], dim=1)


def exact(model: PauliSum, initial: Initial, problem: Problem) -> torch.Tensor:
    return torch.from_numpy(independent.evolve(model, initial.states.numpy(), problem.times))


def error(actual: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((actual - wanted).norm(dim=-1).max())


@BOTH
@pytest.mark.parametrize("model", [graded_chain(6), xxz(6), graded_chain(2)], ids=["ising", "xxz", "two spins"])
def test_agrees_with_expm(solver: Solver, model: PauliSum) -> None:
    problem, initial = posed(model, stop=0.2, steps=2), product_initial(model.size, 2, seed=3)
    found = trajectory(problem, initial, solver)
    assert torch.equal(found[:, 0], initial.states)
    # TDVP loses most in its first steps, where a product state leaves the projection little room.
    assert error(found, exact(model, initial, problem)) < (3e-6 if solver is TenpyTebd else 3e-4)


@pytest.mark.parametrize(
    ("solver", "parameters", "order"), [(TenpyTebd, {"order": 2}, 2), (TenpyTebd, {"order": 4}, 4), (TenpyTdvp, {}, 2)]
)
def test_error_falls_with_the_step(solver: Solver, parameters: dict[str, object], order: int) -> None:
    model = xxz(5)
    problem, initial = posed(model, stop=0.8, steps=1), product_initial(5, 1, seed=4)
    wanted = exact(model, initial, problem)
    errors = [error(trajectory(problem, initial, solver, step=step, **parameters), wanted) for step in (0.2, 0.1)]
    assert errors[1] < errors[0] * 0.5 ** (order - 0.4)


@BOTH
def test_error_falls_with_the_bond_dimension_and_saturation_is_noted(solver: Solver) -> None:
    model = graded_chain(6)
    problem, initial = posed(model, stop=0.75, steps=3), product_initial(6, 1, seed=5)
    wanted = exact(model, initial, problem)
    errors = []
    for chi in (2, 4, 8):
        found, notes = blocks(problem, initial, solver, chi=chi, step=0.125)
        states = torch.cat([block.states for block in found if block.states is not None], dim=1)
        discarded = torch.cat([block.observables["truncation"] for block in found], dim=1)
        errors.append(error(states, wanted))
        assert (discarded.diff(dim=1) >= 0).all()
        assert float(discarded[:, 0].max()) == 0
        if chi < 8:
            assert float(discarded[:, -1].min()) > 1e-12
            assert len(notes) == 1
            assert notes[0].startswith(f"bond dimension reached its limit {chi} at step ")
            assert f"discarded weight {float(discarded.max()):.1e}" in notes[0]
        else:
            assert float(discarded.max()) < 1e-12
            assert notes == []
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_cutoff_is_the_weight_that_one_truncation_discards() -> None:
    problem, initial = posed(graded_chain(6)), product_initial(6, 1, seed=6)
    weights = []
    for cutoff in (1e-4, 1e-8, 0.0):
        found, _ = blocks(problem, initial, TenpyTebd, cutoff=cutoff)
        weights.append(float(found[-1].observables["truncation"].max()))
    assert weights[0] > 1e-5 > weights[1] > 1e-10 > weights[2]


def entropy(state: NDArray[np.complex128], size: int) -> float:
    values = np.linalg.svd(state.reshape(2 ** (size // 2), -1), compute_uv=False) ** 2
    values = values[values > 1e-20] / values.sum()
    return float(-(values * np.log(values)).sum())


@pytest.mark.parametrize(("solver", "size"), [(TenpyTebd, 4), (TenpyTebd, 5), (TenpyTdvp, 5)])
def test_observables_from_spinors_alone_agree_with_the_states(solver: Solver, size: int) -> None:
    model = graded_chain(size)
    problem, initial = posed(model, stop=0.2, steps=2), product_initial(size, 2, seed=7)
    states = trajectory(problem, initial, solver, yields="states")
    alone = Initial(torch.empty(2, 0, dtype=torch.complex128), initial.spinors)
    found, _ = blocks(problem, alone, solver, yields="observables")
    assert all(block.states is None for block in found)
    matrices = {axis: independent.PAULI[axis.upper()] for axis in "xyz"}
    values = {name: torch.cat([block.observables[name] for block in found], dim=1) for name in found[0].observables}
    assert values["x"].shape == (2, 3, size)
    for axis in matrices:
        for site in range(size):
            operator = torch.from_numpy(independent.pauli_string(size, axis.upper(), [site]))
            wanted = torch.einsum("bka,ac,bkc->bk", states.conj(), operator, states).real
            torch.testing.assert_close(values[axis][..., site], wanted, atol=1e-7, rtol=0)
    matrix = torch.from_numpy(independent.dense(model))
    energy = torch.einsum("bka,ac,bkc->bk", states.conj(), matrix, states).real
    torch.testing.assert_close(values["energy"], energy, atol=1e-7, rtol=0)
    torch.testing.assert_close(values["norm"], states.norm(dim=-1), atol=1e-10, rtol=0)
    wanted = torch.tensor([[entropy(state.numpy(), size) for state in row] for row in states], dtype=torch.float64)
    assert float(wanted[:, 1:].min()) > 1e-3
    torch.testing.assert_close(values["entropy"], wanted, atol=1e-6, rtol=0)


@BOTH
def test_states_that_are_no_product_come_from_their_amplitudes(solver: Solver) -> None:
    model = graded_chain(5)
    generator = torch.Generator().manual_seed(1)
    states = torch.nn.functional.normalize(torch.randn(2, 32, dtype=torch.complex128, generator=generator))
    problem = posed(model, stop=0.2, steps=2)
    assert error(trajectory(problem, Initial(states), solver), exact(model, Initial(states), problem)) < 3e-6


def test_tdvp_takes_strings_of_any_length_on_any_sites() -> None:
    model = PauliSum.from_terms(
        4, [(0.7, "XYZ", (0, 3, 1)), (0.4, "ZZ", (3, 0)), (0.5, "Y", (2,)), (0.3, "XX", (1, 2))]
    )
    generator = torch.Generator().manual_seed(2)
    # With bonds of the full dimension the projection is exact.
    states = torch.nn.functional.normalize(torch.randn(1, 16, dtype=torch.complex128, generator=generator))
    problem = posed(model)
    assert error(trajectory(problem, Initial(states), TenpyTdvp), exact(model, Initial(states), problem)) < 1e-5
    notes = blocks(problem, Initial(states), TenpyTdvp)[1]
    assert len(notes) == 1
    assert notes[0].startswith("0.7 XYZ [0, 3, 1] reaches beyond neighbours: ")
    refusal = TenpyTebd().supports(problem)
    assert refusal == "0.7 XYZ [0, 3, 1] is no term on one site or two neighbouring ones, tenpy-tdvp takes it"


def test_tebd_follows_a_drive_with_kicks() -> None:
    """The grid is finer than the period, and a kick of strength 2 takes one exact step."""
    bonds, kick = xxz(4), PauliSum.from_terms(4, [(0.3 + 0.2 * site, "X", (site,)) for site in range(4)])
    drive = Drive((Segment(bonds, 0.2), Segment(kick, 0.0, 2.0), Segment(graded_chain(4), 0.1)))
    problem, initial = posed(drive, stop=0.6, steps=6), product_initial(4, 2, seed=8)
    state, columns = initial.states.numpy(), [initial.states.numpy()]
    for step in range(problem.steps):
        for index, action in problem.pieces(step):
            state = state @ expm(-1j * action * independent.dense(problem.hamiltonians[index])).T
        columns.append(state)
    wanted = torch.from_numpy(np.stack(columns, axis=1))
    assert error(trajectory(problem, initial, TenpyTebd), wanted) < 1e-6
    found, _ = blocks(problem, initial, TenpyTebd, yields="observables")
    assert "energy" not in found[0].observables


@BOTH
def test_nothing_moves_without_a_hamiltonian(solver: Solver) -> None:
    problem, initial = posed(PauliSum(3, ())), product_initial(3, 1, seed=9)
    assert error(trajectory(problem, initial, solver), initial.states[:, None]) < 1e-13


def test_forty_spins_yield_observables_and_conserve_energy() -> None:
    problem = posed(graded_chain(40), stop=0.1, steps=2)
    spinors = product_initial(4, 1, seed=10).spinors
    assert spinors is not None
    initial = Initial(torch.empty(1, 0, dtype=torch.complex128), spinors.repeat(1, 10, 1))
    found, _ = blocks(problem, initial, TenpyTebd)
    energy = torch.cat([block.observables["energy"] for block in found], dim=1)
    assert energy.shape == (1, 3)
    # Fields grow along this chain up to g = 7: hence the large error of a step.
    assert 0 < float((energy - energy[:, :1]).abs().max()) < 1e-3 * float(energy[0, 0].abs())
    cost = TenpyTebd().estimate(problem)
    assert 0.1 < cost.seconds < 60
    assert cost.bytes < 1e9


@BOTH
def test_refusals(solver: Solver) -> None:
    built = solver()
    problem = posed(graded_chain(3))
    assert "CPU" in (built.supports(dataclasses.replace(problem, device="cuda")) or "")
    assert "no bond" in (built.supports(posed(PauliSum.from_terms(1, [(1.0, "X", (0,))]))) or "")
    assert built.label == "bond dimension 64, cutoff 1e-16"


@pytest.mark.parametrize("wrong", [{"chi": 0}, {"cutoff": 1.0}, {"cutoff": -1e-3}, {"step": 0.0}, {"step": np.inf}])
def test_parameters_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
        TenpyTdvp(**wrong)  # type: ignore[arg-type]  # parametrised
