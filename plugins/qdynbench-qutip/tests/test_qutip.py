"""`qutip` against evolution by scipy's `expm`: errors, tolerances kept and not overdone, drives, refusals."""

import dataclasses
import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from qdynbench_qutip.matching import smallest
from qdynbench_qutip.solver import ABSENT, LARGEST_DENSE, QuTiP

from qdynbench import Drive, Given, Initial, InputError, PauliSum, Problem, Segment, build
from qdynbench.testing import ConformanceTests
from qdynbench.testing.absence import refusal_without
from qdynbench.testing.trajectories import (
    errors,
    exact,
    graded_chain,
    posed,
    product_initial,
    random_strings,
    trajectory,
    uniform_chain,
)

installed = pytest.mark.skipif(ABSENT is not None, reason=str(ABSENT))
METHODS = ["vern9", "adams", "krylov", "diag"]


def evolve(problem: Problem, states: torch.Tensor, **parameters: object) -> torch.Tensor:
    return trajectory(QuTiP(**parameters), problem, states)  # type: ignore[arg-type]  # parametrised


@installed
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_random_sums_of_strings(size: int, method: str) -> None:
    problem = posed(random_strings(size, 8, seed=size), 0.1, 12)
    states = product_initial(size, 3, seed=1).states
    found = evolve(problem, states, method=method)
    assert torch.equal(found[:, 0], states)
    assert errors(found, exact(problem, states)).max() < 2e-10


@installed
@pytest.mark.parametrize("tolerance", [1e-5, 1e-8, 1e-11])
@pytest.mark.parametrize(("size", "steps", "dt"), [(2, 50, 0.02), (4, 40, 0.5), (7, 100, 0.01)])
@pytest.mark.parametrize("method", ["vern9", "adams", "krylov"])
def test_the_tolerance_is_met_and_not_overdone(method: str, size: int, steps: int, dt: float, tolerance: float) -> None:
    problem = posed(uniform_chain(size), dt, steps, batch=8)
    states = product_initial(size, 8, seed=2).states
    solver = QuTiP(method=method, tolerance=tolerance, krylov_dim=16)  # type: ignore[arg-type]  # parametrised
    promised = solver.estimate(problem).error
    assert promised is not None
    found = errors(trajectory(solver, problem, states), exact(problem, states))
    typical = found.square().mean(dim=0).sqrt()
    assert found.max() < promised
    assert typical.max() < tolerance
    if method != "krylov":
        assert typical[-1] > tolerance / 100
    elif problem.dimension > 16:  # else the Krylov space is the whole space, and there is no error at all
        assert typical[-1] > tolerance / 1000


@installed
@pytest.mark.parametrize("method", ["vern9", "adams", "diag"])
def test_large_states_are_handed_over_as_qutip_holds_them(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, states = posed(graded_chain(4), 0.1, 7), product_initial(4, 3, seed=4).states
    copied = evolve(problem, states, method=method)
    monkeypatch.setattr("qdynbench_qutip.solver.LARGE_BYTES", 0)
    assert torch.equal(evolve(problem, states, method=method), copied)
    solver = QuTiP(method=method)  # type: ignore[arg-type]  # parametrised
    solver.prepare(problem)
    shapes = [block.states.shape for block in solver.solve(Given(Initial(states))) if block.states is not None]
    assert shapes == [(3, 1, 16)] * 8


@installed
@pytest.mark.parametrize("method", ["vern9", "adams"])
def test_a_lone_moving_state_stays_within_the_promise(method: str) -> None:
    """The other states of the batch are one eigenstate near E = 0, which hides the error of the outermost one."""
    problem = posed(uniform_chain(5), 1.0, 10, batch=64)
    energies, vectors = np.linalg.eigh(problem.hamiltonians[0].to_dense())
    chosen = np.full(64, np.abs(energies).argmin())
    chosen[10] = np.abs(energies).argmax()
    states = torch.from_numpy(np.ascontiguousarray(vectors[:, chosen].T.astype(np.complex128)))
    promised = QuTiP(method=method).estimate(problem).error  # type: ignore[arg-type]  # parametrised
    assert promised is not None
    found = errors(trajectory(QuTiP(method=method), problem, states), exact(problem, states)).max()
    assert 1e-10 < found < promised < 1e-9


@installed
def test_a_batch_of_as_many_states_as_dimensions_is_no_operator() -> None:
    """QuTiP treats square matrices in a way of its own (traces, density matrices)."""
    problem = posed(random_strings(3, 8, seed=9), 0.1, 10, batch=8)
    states = product_initial(3, 8, seed=4).states
    for method in METHODS:
        assert errors(evolve(problem, states, method=method), exact(problem, states)).max() < 2e-10


@installed
@pytest.mark.parametrize("method", METHODS)
def test_drives_and_kicks_of_either_sign(method: str) -> None:
    """Segments that end between the times of the grid, a kick forwards, a kick backwards, and many steps in one."""
    bonds, fields = random_strings(4, 6, seed=5), random_strings(4, 6, seed=6)
    segments = (Segment(bonds, 0.35), Segment(fields, 0, kick=0.7), Segment(fields, 0.1), Segment(bonds, 0, kick=-0.4))
    problem = posed(Drive(segments), 0.04, 30)
    states = product_initial(4, 3, seed=3).states
    assert errors(evolve(problem, states, method=method), exact(problem, states)).max() < 2e-10


@installed
@pytest.mark.parametrize("method", ["vern9", "krylov"])
def test_sparse_hamiltonians_and_several_blocks(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qdynbench_qutip.solver.block_length", lambda *_, **__: 7)
    problem = posed(graded_chain(7), 0.05, 20)
    assert problem.dimension > LARGEST_DENSE
    states = product_initial(7, 3, seed=7).states
    assert errors(evolve(problem, states, method=method), exact(problem, states)).max() < 1e-10


@installed
@pytest.mark.parametrize("method", METHODS)
def test_nothing_moves_without_a_hamiltonian(method: str) -> None:
    states = product_initial(2, 2, seed=1).states
    found = evolve(posed(PauliSum(2, ()), 0.1, 5), states, method=method)
    assert errors(found, states[:, None].expand(-1, 6, -1)).max() < 1e-12


@installed
def test_a_tolerance_beyond_double_precision_is_refused_with_the_least() -> None:
    problem = posed(uniform_chain(6), 1.0, 100)
    least = smallest(problem)
    assert f"at least {least:.2g}" in (QuTiP(tolerance=least / 2).supports(problem) or "")
    assert QuTiP(tolerance=least).supports(problem) is None
    assert QuTiP(method="diag", tolerance=least / 2).supports(problem) is None


@installed
@pytest.mark.parametrize("method", ["vern9", "adams", "krylov"])
def test_the_least_tolerance_is_reached(method: str) -> None:
    problem = posed(uniform_chain(4), 0.5, 20)
    states = product_initial(4, 3, seed=8).states
    tolerance = 3 * smallest(problem)
    assert errors(evolve(problem, states, method=method, tolerance=tolerance), exact(problem, states)).max() < tolerance


@pytest.mark.parametrize("wrong", [{"tolerance": 0.0}, {"tolerance": 2.0}, {"krylov_dim": 1}])
def test_senseless_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        build(QuTiP, "qutip", wrong)


def test_the_protocol_is_named() -> None:
    assert QuTiP(method="krylov").label == "state by state"
    assert QuTiP().label == ""


@pytest.mark.parametrize("method", METHODS)
def test_the_estimate_is_finite_and_grows(method: str) -> None:
    small, large = (
        QuTiP(method=method).estimate(posed(uniform_chain(n), 0.02, 50, batch=64))  # type: ignore[arg-type]  # parametrised
        for n in (6, 60)
    )
    assert 1e5 < small.bytes < 1e9
    assert 1e6 < small.operations < 1e10
    assert math.isfinite(large.bytes)
    assert large.bytes > 1e19
    assert 2.0**54 < large.operations / small.operations < math.inf


def test_without_qutip_the_solver_says_how_to_install_it() -> None:
    said = refusal_without("qutip", "qutip", "qdynbench_qutip.solver:QuTiP")
    assert said == 'needs qutip >=5.1,<6: pip install "qdynbench-qutip[peer]"'


def test_a_gpu_is_refused() -> None:
    problem = dataclasses.replace(posed(uniform_chain(2), 0.1, 2), device="cuda")
    assert QuTiP().supports(problem) is not None


@installed
class TestVern9(ConformanceTests):
    solver = QuTiP
    skips = ConformanceTests.skips | {"oracle_xx_neel_40"}  # it needs state vectors


@installed
class TestKrylov(ConformanceTests):
    solver = QuTiP
    parameters: ClassVar = {"method": "krylov"}
    skips = TestVern9.skips


@installed
class TestDiag(ConformanceTests):
    solver = QuTiP
    parameters: ClassVar = {"method": "diag"}
    skips = TestVern9.skips | {"oracle_tfim_2d_quench"}  # no dense matrix of 16 spins
