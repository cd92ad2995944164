"""What tests of solvers with matrix product states share: truncation, observables alone, drives, long chains.

The functions run a class derived from `qdynbench.toolkit.matrix_product.MatrixProductSolver` and assert what holds for
all of them; they return what they found, for what a test knows beyond that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from qdynbench.contract.initial import Given, Initial
from qdynbench.physics.drive import Drive, Segment
from qdynbench.physics.operators import PauliSum
from qdynbench.testing import independent
from qdynbench.testing.exercise import graded_chain, product_initial
from qdynbench.testing.trajectories import blocks, errors, exact, posed, trajectory

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from qdynbench.contract.problem import Problem
    from qdynbench.contract.solver import Block
    from qdynbench.toolkit.matrix_product import MatrixProductSolver


class Truncated(NamedTuple):
    """One run.

    Attributes:
        states: shape `(B, T+1, 2**N)`.
        discarded: weight discarded up to each time, shape `(B, T+1)`.
        notes: what the solver remarked.
    """

    states: torch.Tensor
    discarded: torch.Tensor
    notes: list[str]


def joined(found: Sequence[Block]) -> dict[str, torch.Tensor]:
    """Return the observables of all blocks, each over the whole grid."""
    return {name: torch.cat([block.observables[name] for block in found], dim=1) for name in found[0].observables}


def truncated(solver: MatrixProductSolver, problem: Problem, initial: Initial) -> Truncated:
    """Run a solver that yields states, and collect what it says of its truncation."""
    given = Given(initial)
    found = blocks(solver, problem, initial, given=given)
    states = torch.cat([block.states for block in found if block.states is not None], dim=1)
    return Truncated(states, joined(found)["truncation"], given.notes)


def check_saturation(
    solver: type[MatrixProductSolver], problem: Problem, initial: Initial, **parameters: Any
) -> dict[int, Truncated]:
    """Six spins at bond dimensions 2, 4 and 8: the error falls, and a limit that was reached is noted with its cost."""
    wanted = exact(problem, initial.states)
    runs = {chi: truncated(solver(chi=chi, **parameters), problem, initial) for chi in (2, 4, 8)}
    for chi, (_, discarded, notes) in runs.items():
        assert (discarded.diff(dim=1) >= 0).all()
        assert float(discarded[:, 0].max()) == 0
        if chi < 8:
            assert float(discarded[:, -1].min()) > 1e-12
            assert len(notes) == 1
            assert notes[0].startswith(f"bond dimension reached its limit {chi} at step ")
            assert f"discarded weight {float(discarded.max()):.1e}" in notes[0]
        else:  # all that six spins can have
            assert float(discarded.max()) < 1e-12
            assert notes == []
    found = [float(errors(run.states, wanted).max()) for run in runs.values()]
    assert found[0] > 2 * found[1] > 4 * found[2]
    return runs


def check_cutoff(solver: type[MatrixProductSolver]) -> None:
    """`cutoff` is the weight that one truncation discards."""
    problem, initial = posed(graded_chain(6), 0.1, 4, batch=1), product_initial(6, 1, seed=6)
    weights = [
        float(joined(blocks(solver(cutoff=cutoff), problem, initial))["truncation"][:, -1].max())
        for cutoff in (1e-4, 1e-8, 0.0)
    ]
    assert weights[0] > 1e-5 > weights[1] > 1e-10 > weights[2]


def check_observables(
    solver: type[MatrixProductSolver],
    problem: Problem,
    initial: Initial,
    *,
    within: float,
    norm_within: float,
    entropy_within: float,
    **parameters: Any,
) -> None:
    """Observables from spinors alone agree with those of the states that the same solver yields.

    Args:
        solver: the class.
        problem: static.
        initial: product states.
        within: largest difference of a spin or the energy.
        norm_within: largest difference of a norm.
        entropy_within: largest difference of an entropy, whose slope grows where a Schmidt value vanishes.
        parameters: of the solver.
    """
    size, model = problem.size, problem.hamiltonians[0]
    states = trajectory(solver(yields="states", **parameters), problem, initial)
    found = blocks(solver(yields="observables", **parameters), problem, Initial(spinors=initial.spinors))
    assert all(block.states is None for block in found)
    values = joined(found)
    norm = states.norm(dim=-1)
    torch.testing.assert_close(values["norm"], norm, atol=norm_within, rtol=0)

    def expectation(operator: NDArray[np.complex128]) -> torch.Tensor:
        moved = states @ torch.from_numpy(operator).T
        values: torch.Tensor = torch.linalg.vecdot(states, moved).real / norm.square()
        return values

    for axis in "xyz":
        assert values[axis].shape == (*norm.shape, size)
        for site in range(size):
            wanted = expectation(independent.pauli_string(size, axis.upper(), [site]))
            torch.testing.assert_close(values[axis][..., site], wanted, atol=within, rtol=0)
    torch.testing.assert_close(values["energy"], expectation(independent.dense(model)), atol=within, rtol=0)
    entropies = [[independent.half_chain_entropy(state.numpy()) for state in row] for row in states]
    wanted = torch.tensor(entropies, dtype=torch.float64)
    assert float(wanted[:, 1:].min()) > 1e-3
    torch.testing.assert_close(values["entropy"], wanted, atol=entropy_within, rtol=0)


def check_kicks(solver: type[MatrixProductSolver], bonds: PauliSum, *, within: float) -> None:
    """Follow a drive of four spins on a grid finer than its period; a kick of strength 2 takes one exact step."""
    kick = PauliSum.from_terms(4, [(0.3 + 0.2 * site, "X", (site,)) for site in range(4)])
    drive = Drive((Segment(bonds, 0.2), Segment(kick, 0.0, 2.0), Segment(graded_chain(4), 0.1)))
    problem, initial = posed(drive, 0.1, 6, batch=2), product_initial(4, 2, seed=8)
    assert float(errors(trajectory(solver(), problem, initial), exact(problem, initial.states)).max()) < within
    # There is no one energy to speak of.
    assert "energy" not in blocks(solver(yields="observables"), problem, initial)[0].observables


def check_forty_spins(solver: type[MatrixProductSolver], model: PauliSum) -> torch.Tensor:
    """Evolve forty spins, of which no state vector exists, and return the energies `(1, T+1)`: they hardly move."""
    problem = posed(model, 0.05, 2, batch=1)
    spinors = product_initial(4, 1, seed=10).spinors
    assert spinors is not None
    built = solver()
    found = blocks(built, problem, Initial(spinors=spinors.repeat(1, 10, 1)))
    energy = joined(found)["energy"]
    assert energy.shape == (1, 3)
    assert float((energy - energy[:, :1]).abs().max()) > 0
    cost = built.estimate(problem)
    assert cost is not None
    assert 1e7 < cost.operations < 1e12
    assert cost.bytes < 1e9
    return energy
