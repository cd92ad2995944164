"""`numpy` against evolution by scipy's `expm`, and what it refuses."""

from __future__ import annotations

import dataclasses

import pytest
from qdynbench_exact.numpy_diagonalization import NumpyDiagonalization

from qdynbench import Drive, Given, Segment, Unsupported
from qdynbench.testing import ConformanceTests
from qdynbench.testing.trajectories import (
    errors,
    exact,
    graded_chain,
    posed,
    product_initial,
    random_states,
    random_strings,
    trajectory,
)


@pytest.mark.parametrize("letters", ["XZ", "XYZ"])  # real and complex
@pytest.mark.parametrize("size", [1, 2, 5])
def test_agrees_with_expm(size: int, letters: str) -> None:
    problem = posed(random_strings(size, 8, seed=size, letters=letters), 0.1, 40)
    states = random_states(size, 3, seed=1)
    found = trajectory(NumpyDiagonalization(), problem, states, contiguous=True)
    assert errors(found, exact(problem, states)).max() < 1e-12


def test_a_call_is_one_block_in_a_new_array() -> None:
    solver, initial = NumpyDiagonalization(), product_initial(3, 2, seed=0)
    solver.prepare(posed(graded_chain(3), 0.1, 5))
    (one,), (other,) = (list(solver.solve(Given(initial))) for _ in range(2))
    assert one.states is not None
    assert other.states is not None
    assert one.states.shape == (2, 6, 8)
    assert one.states.data_ptr() != other.states.data_ptr()


def test_drives_and_gpus_are_refused() -> None:
    problem = posed(graded_chain(2), 0.1, 3)
    assert "CPU" in (NumpyDiagonalization().supports(dataclasses.replace(problem, device="cuda")) or "")
    with pytest.raises(Unsupported):
        NumpyDiagonalization().prepare(posed(Drive((Segment(graded_chain(2), 0.35),)), 0.1, 3))


def test_the_estimate_counts_the_whole_trajectory_twice() -> None:
    cost = NumpyDiagonalization().estimate(posed(graded_chain(7), 0.002, 500, batch=256))
    assert cost.bytes == pytest.approx(2 * 262.7e6, rel=0.01)
    assert cost.operations == pytest.approx(8 * 128**2 * 501 * 256, rel=0.01)


class TestConformance(ConformanceTests):
    """The kit, with its answers known in closed form."""

    solver = NumpyDiagonalization
    skips = ConformanceTests.skips | {"oracle_tfim_2d_quench", "oracle_xx_neel_40"}  # no dense matrix of 16 spins
