"""`dynamiqs` against evolution by scipy's `expm`: errors, tolerances kept and not overdone, drives, refusals.

Every new shape is compiled for seconds, so the tests share few shapes, and compile quickly rather than well.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pytest
import torch
from qdynbench_dynamiqs.matching import smallest
from qdynbench_dynamiqs.solver import ABSENT, Dynamiqs, qarray

from qdynbench import Drive, Given, InputError, PauliSum, Problem, Segment, build
from qdynbench.testing import ConformanceTests, independent, trajectories
from qdynbench.testing.absence import refusal_without
from qdynbench.testing.trajectories import (
    errors,
    exact,
    graded_chain,
    product_initial,
    random_strings,
    trajectory,
    uniform_chain,
)

installed = pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
METHODS = ["dopri8", "tsit5", "expm", "propagator"]
STEPS, BATCH = 12, 3


@pytest.fixture(scope="module", autouse=True)
def quick_compilation() -> Iterator[None]:
    if ABSENT is None:
        import jax

        jax.config.update("jax_disable_most_optimizations", True)
        yield
        jax.config.update("jax_disable_most_optimizations", False)
    else:
        yield


def posed(model: PauliSum | Drive, dt: float, steps: int = STEPS) -> Problem:
    return trajectories.posed(model, dt, steps, BATCH)


def evolve(problem: Problem, states: torch.Tensor, **parameters: object) -> torch.Tensor:
    return trajectory(Dynamiqs(**parameters), problem, states)  # type: ignore[arg-type]  # parametrised


@installed
@pytest.mark.parametrize("method", METHODS)
def test_random_sums_of_strings(method: str) -> None:
    for seed in range(3):
        problem = posed(random_strings(3, 30, seed), 0.05)  # dense, so one compilation serves all
        states = product_initial(3, BATCH, seed=1).states
        found = evolve(problem, states, method=method)
        assert torch.equal(found[:, 0], states)
        wrong = errors(found, exact(problem, states))
        assert wrong[:, -1].max() < 1e-10
        assert wrong.max() < 1e-8  # dynamiqs interpolates between its own steps


@installed
@pytest.mark.parametrize(
    "operator", [graded_chain(4), random_strings(4, 9, seed=2), random_strings(2, 1, 0), PauliSum(2, ())]
)
@pytest.mark.parametrize("dense", [True, False])
def test_the_operator_of_dynamiqs_is_the_matrix(operator: PauliSum, dense: bool) -> None:
    import jax

    jax.config.update("jax_enable_x64", True)
    found = np.asarray(qarray(operator, dense=dense).to_jax())
    assert found.dtype == np.complex128
    np.testing.assert_allclose(found, independent.dense(operator), atol=1e-14)


@installed
@pytest.mark.parametrize("method", ["dopri8", "tsit5"])
def test_the_tolerance_is_met_and_not_overdone(method: str) -> None:
    """At the last time, which is where solvers are compared. Tolerances, couplings and times are not compiled in."""
    states = product_initial(5, BATCH, seed=2).states
    for dt in (0.02, 0.1, 1.0):
        problem = posed(uniform_chain(5), dt)
        wanted = exact(problem, states)
        for tolerance in (1e-5, 1e-8, 1e-11):
            found = errors(evolve(problem, states, method=method, tolerance=tolerance), wanted)[:, -1]
            assert found.max() < tolerance, (dt, tolerance)
            # A grid that takes one step or two leaves no choice of their length.
            assert found.max() > tolerance / (1000 if dt == 0.02 else 100), (dt, tolerance)


@installed
def test_drives_and_kicks_of_either_sign() -> None:
    """Segments that end between the times of the grid, a kick forwards and a kick backwards."""
    bonds, fields = uniform_chain(3), random_strings(3, 4, seed=6)
    segments = (Segment(bonds, 0.35), Segment(fields, 0, kick=0.7), Segment(bonds, 0.1), Segment(bonds, 0, kick=-0.4))
    problem = posed(Drive(segments), 0.06)
    states = product_initial(3, BATCH, seed=3).states
    assert errors(evolve(problem, states, method="expm"), exact(problem, states)).max() < 1e-10


@installed
@pytest.mark.parametrize("method", ["expm", "propagator"])
def test_the_last_of_several_blocks_ends_with_the_grid(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qdynbench_dynamiqs.solver.block_length", lambda *_, **__: 5)
    problem = posed(graded_chain(3), 0.1, steps=13)  # blocks of 5, 5 and 3 of 5
    states = product_initial(3, BATCH, seed=7).states
    assert errors(evolve(problem, states, method=method), exact(problem, states)).max() < 1e-10


@installed
@pytest.mark.parametrize("method", METHODS)
def test_only_the_first_call_of_a_shape_is_compiled(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does a call go through the checks of dynamiqs, which are Python."""
    import jax

    problem = posed(graded_chain(3), 0.1)
    initial = product_initial(3, BATCH, seed=7)
    solver = Dynamiqs(method=method)  # type: ignore[arg-type]  # parametrised
    solver.prepare(problem)
    list(solver.solve(Given(initial)))
    monkeypatch.setattr("dynamiqs.sesolve", None)
    with jax.log_compiles():
        list(solver.solve(Given(initial)))
        solver.prepare(posed(graded_chain(3), 0.2))
        list(solver.solve(Given(initial)))
    compiled = [record.getMessage() for record in caplog.records]
    assert not [text for text in compiled if "evolve" in text or "repeated" in text]


@installed
@pytest.mark.parametrize("method", METHODS)
def test_states_come_as_jax_has_them(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No copy is made for the core: blocks are views of the arrays that compiled functions return."""
    import jax

    held = []
    wait = jax.block_until_ready
    monkeypatch.setattr(jax, "block_until_ready", lambda array: held.append(array) or wait(array))
    solver = Dynamiqs(method=method)  # type: ignore[arg-type]  # parametrised
    solver.prepare(posed(graded_chain(3), 0.1))
    _, *blocks = solver.solve(Given(product_initial(3, BATCH, seed=7)))
    assert [block.states.data_ptr() for block in blocks] == [array.unsafe_buffer_pointer() for array in held]


@installed
def test_what_dynamiqs_raises_while_it_computes_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qdynbench_dynamiqs.solver.LARGEST_NUMBER_OF_STEPS", 1)
    with pytest.raises(Exception, match="maximum number of solver steps"):
        evolve(posed(graded_chain(3), 1.0), product_initial(3, BATCH, seed=7).states)


@installed
@pytest.mark.parametrize("method", ["dopri8", "tsit5"])
def test_a_tolerance_beyond_double_precision_is_refused_with_the_least(method: str) -> None:
    problem = posed(uniform_chain(6), 10.0)
    least = smallest(problem)
    small, enough = (Dynamiqs(method=method, tolerance=t) for t in (least / 2, least))  # type: ignore[arg-type]  # as above
    assert f"at least {least:.2g}" in (small.supports(problem) or "")
    assert enough.supports(problem) is None
    assert Dynamiqs(method="expm", tolerance=least / 2).supports(problem) is None


@installed
def test_a_propagator_of_one_step_follows_no_drive() -> None:
    problem = posed(Drive((Segment(uniform_chain(3), 0.35),)), 0.06)
    assert "one Hamiltonian" in (Dynamiqs(method="propagator").supports(problem) or "")
    assert Dynamiqs(method="expm").supports(problem) is None


def test_the_row_says_what_handicaps_it() -> None:
    assert "CPU" in Dynamiqs(method="propagator").label
    assert "new array" in Dynamiqs().label


@pytest.mark.parametrize("tolerance", [0.0, 2.0])
def test_senseless_tolerances_are_refused(tolerance: float) -> None:
    with pytest.raises(InputError, match="tolerance"):
        build(Dynamiqs, "dynamiqs", {"tolerance": tolerance})


@pytest.mark.parametrize("method", METHODS)
def test_the_estimate_is_finite_and_grows(method: str) -> None:
    small, large = (
        Dynamiqs(method=method).estimate(posed(uniform_chain(size), 0.02))  # type: ignore[arg-type]  # parametrised
        for size in (6, 60)
    )
    assert 1e4 < small.bytes < 1e9
    assert 1e5 < small.operations < 1e10
    assert 1e19 < large.bytes < math.inf
    assert 2.0**54 < large.operations / small.operations < math.inf


def test_without_dynamiqs_the_solver_says_how_to_install_it() -> None:
    said = refusal_without("dynamiqs", "dynamiqs", "qdynbench_dynamiqs.solver:Dynamiqs")
    assert said == 'needs dynamiqs >=0.3.7,<0.4: pip install "qdynbench-dynamiqs[peer]"'


def test_a_gpu_is_refused() -> None:
    problem = dataclasses.replace(posed(uniform_chain(2), 0.1), device="cuda")
    assert Dynamiqs().supports(problem) is not None


@installed
class TestConformance(ConformanceTests):
    """With the method that compiles in the least time: the kit poses some twenty shapes."""

    solver = Dynamiqs
    parameters: ClassVar = {"method": "expm"}
    # No dense matrix of 16 spins, no state vector of 40.
    skips = ConformanceTests.skips | {"oracle_tfim_2d_quench", "oracle_xx_neel_40"}


@installed
class TestPropagatorConformance(TestConformance):
    """The one method with products of its own."""

    parameters: ClassVar = {"method": "propagator"}
