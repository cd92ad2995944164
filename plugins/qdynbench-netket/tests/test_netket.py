"""`netket-tvmc` against evolution by scipy's `expm`, on states without any symmetry, and what it refuses and notes.

Every new shape is compiled for seconds, so the tests share few shapes, and compile quickly rather than well.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from qdynbench_netket.solver import ABSENT, NetketTvmc

from qdynbench import Given, Initial, InputError, PauliSum, Problem, basis, build
from qdynbench.testing import ConformanceTests, independent, trajectories
from qdynbench.testing.absence import refusal_without
from qdynbench.testing.exercise import initial_of
from qdynbench.testing.trajectories import (
    blocks,
    exact,
    graded_chain,
    product_initial,
    random_states,
    random_strings,
    uniform_chain,
)

installed = pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))


@pytest.fixture(scope="module", autouse=True)
def quick_compilation() -> Iterator[None]:
    if ABSENT is None:
        import jax

        jax.config.update("jax_disable_most_optimizations", True)
        yield
        jax.config.update("jax_disable_most_optimizations", False)
    else:
        yield


def posed(operator: PauliSum, dt: float = 0.02, steps: int = 10, batch: int = 1) -> Problem:
    return trajectories.posed(operator, dt, steps, batch)


def evolve(problem: Problem, initial: Initial, **parameters: object) -> tuple[torch.Tensor, list[str]]:
    """Return the whole trajectory and the notes."""
    given = Given(initial)
    found = blocks(NetketTvmc(**parameters), problem, initial, given=given)  # type: ignore[arg-type]  # parametrised
    trajectory = torch.cat([block.states for block in found if block.states is not None], dim=1)
    assert torch.equal(trajectory[:, 0], initial.states)
    torch.testing.assert_close(trajectory.norm(dim=-1), torch.ones(trajectory.shape[:2], dtype=torch.float64))
    return trajectory, given.notes


def infidelity(actual: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the largest infidelity; it does not see the global phase, which t-VMC leaves open."""
    return float((1 - (actual.conj() * wanted).sum(dim=-1).abs() ** 2).max())


def poles() -> NDArray[np.complex128]:
    """Spinors of three spins, one up, one down and one almost down, whose product has no logarithm."""
    return np.array([[[1, 0], [0, 1j], [1e-5, 1]]], dtype=np.complex128) / np.array([[[1], [1], [math.hypot(1e-5, 1)]]])


@installed
def test_the_operator_of_netket_is_the_matrix() -> None:
    import netket
    from qdynbench_netket.evolution import pauli_strings

    strings = [(0.7, "XYZ", (0, 2, 1)), (0.4, "YZ", (2, 0)), (0.5, "Y", (1,)), (0.3, "XX", (1, 2)), (-0.2, "Z", (0,))]
    operator, hilbert = PauliSum.from_terms(3, strings), netket.hilbert.Spin(0.5, 3)
    order = hilbert.states_to_numbers(basis.spins(3))  # NetKet's numbers of the basis states
    found = np.asarray(pauli_strings(hilbert, operator).to_dense())[np.ix_(order, order)]
    np.testing.assert_allclose(found, independent.dense(operator), atol=1e-14)


@installed
@pytest.mark.parametrize("seed", range(3))
def test_any_strings_are_followed_where_the_wave_function_is_general(seed: int) -> None:
    """`order=N` is any state, so that what remains is the integrator's error: bit order, signs and Y are right."""
    problem, initial = posed(random_strings(3, 8, seed)), product_initial(3, 2, seed=seed)
    trajectory, notes = evolve(problem, initial, order=3)
    assert infidelity(trajectory, exact(problem, initial.states)) < 1e-7
    assert not [note for note in notes if "R^2" in note]


@installed
def test_states_along_z_start_in_turned_bases() -> None:
    problem, initial = posed(graded_chain(3)), initial_of(poles())
    trajectory, _ = evolve(problem, initial, order=3)
    wanted = exact(problem, initial.states)
    assert infidelity(trajectory, wanted) < 1e-8
    # No component was cut off or filled in: the first step is as near as the last.
    assert infidelity(trajectory[:, 1], wanted[:, 1]) < 1e-10


@installed
def test_the_infidelity_falls_with_the_order_and_notes_say_what_is_left_out() -> None:
    problem, initial = posed(uniform_chain(5), dt=0.04), product_initial(5, 2, seed=2)
    wanted, found, notes = exact(problem, initial.states), [], []
    for order in (1, 2, 3):
        trajectory, said = evolve(problem, initial, order=order, step=0.04)
        found.append(infidelity(trajectory, wanted))
        notes.append([note for note in said if "R^2" in note])
    assert found[0] > 10 * found[1] > 100 * found[2]
    assert found[0] > 0.05
    assert notes[0]
    assert not notes[2]


@installed
def test_grids_finer_than_the_step_are_interpolated() -> None:
    fine, coarse = posed(uniform_chain(3), dt=0.002, steps=25), posed(uniform_chain(3), dt=0.05, steps=1)
    initial = product_initial(3, 2, seed=4)
    trajectory, _ = evolve(fine, initial, order=3)
    assert infidelity(trajectory, exact(fine, initial.states)) < 1e-8
    assert infidelity(evolve(coarse, initial, order=3)[0][:, 1], trajectory[:, -1]) < 1e-8


@installed
def test_the_phase_follows_the_energy() -> None:
    """Its error falls with the square of the grid's spacing."""
    initial, errors = product_initial(3, 1, seed=5), []
    for steps in (5, 10):
        problem = posed(graded_chain(3), dt=0.2 / steps, steps=steps)
        errors.append(float((evolve(problem, initial, order=3)[0] - exact(problem, initial.states)).norm(dim=-1).max()))
    assert errors[0] < 0.05
    assert errors[1] < 0.3 * errors[0]


@installed
def test_a_drifting_energy_shortens_the_step() -> None:
    problem, initial = posed(uniform_chain(3), dt=0.2, steps=2), product_initial(3, 2, seed=6)
    rough, silent = evolve(problem, initial, order=3, step=0.2, tolerance=0.9)
    finer, notes = evolve(problem, initial, order=3, step=0.2, tolerance=1e-6)
    wanted = exact(problem, initial.states)
    assert infidelity(finer, wanted) < 0.1 * infidelity(rough, wanted)
    assert silent == []
    assert notes == ["a state took a shorter step, since its energy drifted or its couplings diverged"]


@installed
def test_sampling_tends_to_the_sum_and_repeats_itself() -> None:
    """With `order=N` a sample would give the exact motion: what is averaged then has no variance."""
    problem, initial = posed(uniform_chain(3), steps=5), product_initial(3, 1, seed=7)
    summed, _ = evolve(problem, initial, method="heun", order=2)
    first, again = (evolve(problem, initial, method="heun", order=2, samples=1024)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert 1e-12 < infidelity(first, summed) < 1e-3


@installed
def test_entangled_states_need_a_general_wave_function() -> None:
    problem, states = posed(graded_chain(3)), random_states(3, 1, seed=1)
    assert infidelity(evolve(problem, Initial(states), order=3)[0], exact(problem, states)) < 1e-7
    with pytest.raises(ValueError, match="entangled initial state is no correlator wave function of order=2"):
        evolve(problem, Initial(states), order=2)
    bell = torch.tensor([[1, 0, 0, 0, 0, 0, 0, 1]], dtype=torch.complex128) / math.sqrt(2)
    with pytest.raises(ValueError, match="vanishing amplitude"):
        evolve(problem, Initial(bell), order=3)


@installed
def test_nothing_moves_without_a_hamiltonian() -> None:
    initial = product_initial(2, 2, seed=8)
    trajectory, _ = evolve(posed(PauliSum(2, ())), initial)
    assert torch.equal(trajectory, initial.states[:, None].expand(-1, 11, -1))


@pytest.mark.parametrize(
    "wrong", [{"order": 0}, {"samples": -1}, {"step": 0.0}, {"tolerance": 0.0}, {"cutoff": 1.0}, {"seed": -1}]
)
def test_senseless_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        build(NetketTvmc, "netket-tvmc", wrong)


@pytest.mark.parametrize("samples", [0, 1024])
def test_the_estimate_is_finite_and_grows(samples: int) -> None:
    small, long, large = (
        NetketTvmc(samples=samples).estimate(posed(uniform_chain(size), 0.02, steps, batch))
        for size, steps, batch in ((4, 50, 1), (7, 500, 256), (60, 50, 1))
    )
    assert 1e8 < small.bytes < 1e9
    assert 1e6 < small.operations < 1e10
    assert 2500 < long.operations / small.operations < 1e6  # ten times the steps, 256 times the states
    assert 1e19 < large.bytes < math.inf
    assert small.operations < large.operations < math.inf


def test_without_netket_the_solver_says_how_to_install_it() -> None:
    said = refusal_without("netket", "netket", "qdynbench_netket.solver:NetketTvmc")
    assert said == 'needs netket >=3.23,<3.24: pip install "qdynbench-netket[peer]"'


def test_a_gpu_is_refused() -> None:
    problem = dataclasses.replace(posed(uniform_chain(2)), device="cuda")
    assert NetketTvmc().supports(problem) is not None


@installed
def test_entangled_ensembles_are_refused_unless_the_wave_function_is_general() -> None:
    problem = dataclasses.replace(posed(uniform_chain(3)), entangled=True)
    assert (
        NetketTvmc(order=2).supports(problem) == "order=2 holds product states alone: order=3 can begin with any other"
    )
    assert NetketTvmc(order=3).supports(problem) is None


@installed
class TestConformance(ConformanceTests):
    """At the kit's four spins `order=4` is any state, so that even the way back from an entangled one can be posed."""

    solver = NetketTvmc
    parameters: ClassVar = {"order": 4, "step": 0.05, "tolerance": 1e-3}
    # It promises no error that an oracle could hold it to, sums over all states, and 256 states over 200 steps would
    # take minutes.
    skips = ConformanceTests.skips | ConformanceTests.oracles | {"oracle_xx_neel_40", "many_blocks"}
