"""quimb's TEBD against evolution by scipy's `expm`, on states without any symmetry."""

from __future__ import annotations

import dataclasses
import itertools
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from qdynbench_quimb.tebd import INSTALL, QuimbTebd
from scipy.linalg import expm

from qdynbench.physics.drive import Drive, Segment
from qdynbench.physics.operators import PauliSum
from qdynbench.solver import Block, Initial, Problem
from qdynbench.testing import ConformanceTests, independent
from qdynbench.testing.exercise import graded_chain, product_initial

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


def posed(model: PauliSum | Drive, stop: float = 0.4, steps: int = 4) -> Problem:
    times = np.linspace(0, stop, steps + 1)
    if isinstance(model, Drive):
        return Problem(model.size, times, drive=model)
    return Problem(model.size, times, model)


def blocks(problem: Problem, initial: Initial, **parameters: object) -> tuple[list[Block], list[str]]:
    """Solve, and copy each block before the next one is asked for."""
    solver = QuimbTebd(**parameters)  # type: ignore[arg-type]  # parametrised
    solver.problem = problem
    assert solver.supports(problem) is None
    solver.prepare(problem)
    found = []
    for block in solver.solve(initial):
        observables = {name: tensor.clone() for name, tensor in block.observables.items()}
        found.append(Block(block.start, None if block.states is None else block.states.clone(), observables))
    return found, solver.notes


def trajectory(problem: Problem, initial: Initial, **parameters: object) -> torch.Tensor:
    columns = [block.states for block in blocks(problem, initial, **parameters)[0]]
    return torch.cat([column for column in columns if column is not None], dim=1)


def exact(model: PauliSum, initial: Initial, problem: Problem) -> torch.Tensor:
    return torch.from_numpy(independent.evolve(model, initial.states.numpy(), problem.times))


def error(actual: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((actual - wanted).norm(dim=-1).max())


@pytest.mark.parametrize("model", [graded_chain(7), xyz(6), graded_chain(2)], ids=["ising", "xyz", "two spins"])
def test_agrees_with_expm(model: PauliSum) -> None:
    problem, initial = posed(model), product_initial(model.size, 2, seed=3)
    found = trajectory(problem, initial)
    assert torch.equal(found[:, 0], initial.states)
    assert error(found, exact(model, initial, problem)) < 1e-5


@pytest.mark.parametrize("order", [2, 4])
def test_error_falls_with_the_step_as_the_order_says(order: int) -> None:
    model = xyz(6)
    problem, initial = posed(model, stop=0.8, steps=1), product_initial(6, 1, seed=4)
    wanted = exact(model, initial, problem)
    errors = [error(trajectory(problem, initial, step=step, order=order), wanted) for step in (0.1, 0.05)]
    assert 0.5 ** (order + 0.4) < errors[1] / errors[0] < 0.5 ** (order - 0.4)


def test_error_falls_with_the_bond_dimension_and_saturation_is_noted() -> None:
    model = graded_chain(6)
    problem, initial = posed(model, stop=1.0), product_initial(6, 2, seed=5)
    wanted = exact(model, initial, problem)
    errors = []
    for chi in (2, 4, 8):
        found, notes = blocks(problem, initial, chi=chi)
        states = torch.cat([block.states for block in found if block.states is not None], dim=1)
        discarded = torch.cat([block.observables["truncation"] for block in found], dim=1)
        errors.append(error(states, wanted))
        assert (discarded.diff(dim=1) >= 0).all()
        assert float(discarded[:, 0].max()) == 0
        if chi < 8:
            # What was discarded is what the norm lacks.
            torch.testing.assert_close(1 - states.norm(dim=-1) ** 2, discarded, atol=1e-13, rtol=0)
            assert float(discarded[:, -1].min()) > 1e-12
            assert len(notes) == 1
            assert notes[0].startswith(f"bond dimension reached its limit {chi} at step ")
            assert f"discarded weight {float(discarded.max()):.1e}" in notes[0]
        else:
            assert float(discarded.max()) < 1e-12
            assert notes == []
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_what_is_cut_are_schmidt_values() -> None:
    """Cutting at chi from the exact state at every time discards about what the solver does, and not a hundredfold."""
    size, chi = 8, 4
    model = graded_chain(size)
    problem, initial = posed(model, stop=0.6), product_initial(size, 1, seed=6)
    discarded = float(blocks(problem, initial, chi=chi, step=0.1)[0][-1].observables["truncation"].max())
    last = exact(model, initial, problem)[0, -1].numpy()
    cuts = [np.linalg.svd(last.reshape(2**left, -1), compute_uv=False)[chi:] for left in range(1, size)]
    assert 0.1 < discarded / sum(float((values**2).sum()) for values in cuts) < 10


def test_cutoff_is_the_weight_that_one_truncation_discards() -> None:
    problem, initial = posed(graded_chain(6)), product_initial(6, 1, seed=6)
    weights = []
    for cutoff in (1e-4, 1e-8, 0.0):
        found, _ = blocks(problem, initial, cutoff=cutoff)
        weights.append(float(found[-1].observables["truncation"].max()))
    assert weights[0] > 1e-5 > weights[1] > 1e-10 > weights[2]


def entropy(state: NDArray[np.complex128], size: int) -> float:
    values = np.linalg.svd(state.reshape(2 ** (size // 2), -1), compute_uv=False) ** 2
    values = values[values > 1e-20] / values.sum()
    return float(-(values * np.log(values)).sum())


@pytest.mark.parametrize("size", [5, 6])
@pytest.mark.parametrize("chi", [3, 64])
def test_observables_from_spinors_alone_agree_with_the_states(size: int, chi: int) -> None:
    model = xyz(size)
    problem, initial = posed(model), product_initial(size, 2, seed=7)
    states = trajectory(problem, initial, yields="states", chi=chi)
    alone = Initial(torch.empty(2, 0, dtype=torch.complex128), initial.spinors)
    found, _ = blocks(problem, alone, yields="observables", chi=chi)
    assert all(block.states is None for block in found)
    values = {name: torch.cat([block.observables[name] for block in found], dim=1) for name in found[0].observables}
    assert values["x"].shape == (2, 5, size)
    norm = states.norm(dim=-1)
    torch.testing.assert_close(values["norm"], norm, atol=1e-12, rtol=0)

    def expectation(operator: NDArray[np.complex128]) -> torch.Tensor:
        return torch.einsum("bka,ac,bkc->bk", states.conj(), torch.from_numpy(operator), states).real / norm**2

    for axis, site in itertools.product("xyz", range(size)):
        wanted = expectation(independent.pauli_string(size, axis.upper(), [site]))
        torch.testing.assert_close(values[axis][..., site], wanted, atol=1e-11, rtol=0)
    torch.testing.assert_close(values["energy"], expectation(independent.dense(model)), atol=1e-11, rtol=0)
    wanted = torch.tensor([[entropy(state.numpy(), size) for state in row] for row in states], dtype=torch.float64)
    assert float(wanted[:, 1:].min()) > 1e-3
    torch.testing.assert_close(values["entropy"], wanted, atol=1e-11, rtol=0)


def test_states_that_are_no_product_come_from_their_amplitudes() -> None:
    model = graded_chain(6)
    generator = torch.Generator().manual_seed(1)
    states = torch.nn.functional.normalize(torch.randn(2, 64, dtype=torch.complex128, generator=generator))
    problem = posed(model)
    assert error(trajectory(problem, Initial(states)), exact(model, Initial(states), problem)) < 1e-5


def test_a_drive_with_kicks() -> None:
    """The grid is finer than the period, and a kick of strength 2 takes one exact step."""
    bonds, kick = xyz(4), PauliSum.from_terms(4, [(0.3 + 0.2 * site, "X", (site,)) for site in range(4)])
    drive = Drive((Segment(bonds, 0.2), Segment(kick, 0.0, 2.0), Segment(graded_chain(4), 0.1)))
    problem, initial = posed(drive, stop=0.6, steps=6), product_initial(4, 2, seed=8)
    state, columns = initial.states.numpy(), [initial.states.numpy()]
    for step in range(problem.steps):
        for index, action in problem.pieces(step):
            state = state @ expm(-1j * action * independent.dense(problem.hamiltonians[index])).T
        columns.append(state)
    wanted = torch.from_numpy(np.stack(columns, axis=1))
    assert error(trajectory(problem, initial), wanted) < 3e-6
    found, _ = blocks(problem, initial, yields="observables")
    assert "energy" not in found[0].observables


def test_nothing_moves_without_a_hamiltonian() -> None:
    problem, initial = posed(PauliSum(3, ())), product_initial(3, 1, seed=9)
    assert error(trajectory(problem, initial), initial.states[:, None]) < 1e-13


def test_forty_spins_yield_observables_and_conserve_energy() -> None:
    problem = posed(xyz(40), stop=0.1, steps=2)
    spinors = product_initial(4, 1, seed=10).spinors
    assert spinors is not None
    initial = Initial(torch.empty(1, 0, dtype=torch.complex128), spinors.repeat(1, 10, 1))
    found, _ = blocks(problem, initial)
    energy = torch.cat([block.observables["energy"] for block in found], dim=1)
    assert energy.shape == (1, 3)
    assert 0 < float((energy - energy[:, :1]).abs().max()) < 1e-5
    cost = QuimbTebd().estimate(problem)
    assert 0.1 < cost.seconds < 60
    assert cost.bytes < 1e9


def test_refusals() -> None:
    solver, problem = QuimbTebd(), posed(graded_chain(3))
    assert "CPU" in (solver.supports(dataclasses.replace(problem, device="cuda")) or "")
    assert "no bond" in (solver.supports(posed(PauliSum.from_terms(1, [(1.0, "X", (0,))]))) or "")
    far = PauliSum.from_terms(3, [(0.7, "XZ", (0, 2))])
    refusal = solver.supports(posed(far))
    assert refusal == "0.7 XZ [0, 2] is no term on one site or two neighbouring ones, tenpy-tdvp takes it"
    assert QuimbTebd(chi=8, cutoff=1e-10).label == "bond dimension 8, cutoff 1e-10"
