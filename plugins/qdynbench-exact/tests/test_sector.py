"""`ed` in symmetry sectors and on driven models, against the full space and scipy's `expm`."""

from __future__ import annotations

import statistics
import time
from typing import ClassVar

import numpy as np
import pytest
import torch
from qdynbench_exact.ed.driven import grid_steps
from qdynbench_exact.ed.solver import ExactDiagonalization
from qdynbench_exact.ed.symmetry import SYMMETRIES, breaking_term, symmetries_of

from qdynbench import Drive, InputError, PauliSum, Segment, SolverSpec, build
from qdynbench.testing import ConformanceTests, independent
from qdynbench.testing.exercise import graded_chain


class TestConformance(ConformanceTests):
    solver = ExactDiagonalization
    parameters: ClassVar = {"sector": "auto"}
    # Sectors are for static models; the 4x4 lattice has none that is small enough.
    skips = ConformanceTests.skips | {"oracle_kicked_ising_selfdual", "oracle_tfim_2d_quench"}


def ising(size: int, h: float = 0.5, *, periodic: bool = True) -> PauliSum:
    bonds = [(1.0, "ZZ", (i, (i + 1) % size)) for i in range(size if periodic else size - 1)]
    fields = [(-1.05, "X", (i,)) for i in range(size)] + [(h, "Z", (i,)) for i in range(size) if h]
    return PauliSum.from_terms(size, bonds + fields)


def xxz(size: int, *, periodic: bool = False) -> PauliSum:
    bonds = [(i, (i + 1) % size) for i in range(size if periodic else size - 1)]
    return PauliSum.from_terms(size, [(c, p, b) for b in bonds for c, p in ((1, "XX"), (1, "YY"), (0.7, "ZZ"))])


def chiral(size: int) -> PauliSum:
    """A complex Hamiltonian that keeps the magnetization and is translation invariant, but not symmetric."""
    terms = []
    for i in range(size):
        bond = (i, (i + 1) % size)
        terms += [(0.8, "XY", bond), (-0.8, "YX", bond), (0.5, "XX", bond), (0.5, "YY", bond)]
    return PauliSum.from_terms(size, terms)


MODELS = {
    "xxz": (xxz(6), {"magnetization", "parity", "inversion"}),
    "xxz, odd": (xxz(5), {"magnetization", "parity", "inversion"}),
    "xxz ring": (xxz(6, periodic=True), set(SYMMETRIES)),
    "mixed ising": (ising(5, periodic=False), {"parity"}),
    "mixed ising ring": (ising(6), {"momentum", "parity"}),
    "transverse ising ring": (ising(6, 0), {"momentum", "parity", "inversion"}),
    "chiral ring": (chiral(5), {"magnetization", "momentum"}),
    "graded": (graded_chain(4), set()),
}


def neel(size: int) -> torch.Tensor:
    state = torch.zeros(1, 2**size, dtype=torch.complex128)
    state[0, int(("01" * size)[:size], 2)] = 1
    return state


@pytest.mark.parametrize("name", MODELS)
def test_symmetries_are_those_of_the_matrix(name) -> None:
    operator, expected = MODELS[name]
    assert set(symmetries_of(operator)) == expected
    size, dim = operator.size, 2**operator.size
    matrix = independent.dense(operator)
    total_z = sum(independent.pauli_string(size, "Z", [site]) for site in range(size))
    labels = [f"{index:0{size}b}" for index in range(dim)]
    moved = {
        "momentum": [int(label[-1] + label[:-1], 2) for label in labels],
        "parity": [int(label[::-1], 2) for label in labels],
        "inversion": list(range(dim))[::-1],
    }
    unitaries = {"magnetization": total_z, **{key: np.eye(dim)[order] for key, order in moved.items()}}
    for symmetry, unitary in unitaries.items():
        commutes = np.abs(matrix @ unitary - unitary @ matrix).max() < 1e-12
        assert commutes == (breaking_term(operator, symmetry) is None), symmetry


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", MODELS)
def test_every_sector_agrees_with_the_full_space(name, precision, posed, product, evolve, exact, error) -> None:
    operator, symmetries = MODELS[name]
    size = operator.size
    plus = torch.full((1, 2**size), 2 ** (-size / 2), dtype=torch.complex128)
    # In one sector, in a few, and in all of them; together, and alone.
    states = torch.cat([plus, neel(size), product(size, 1)])
    problem = posed(operator, 0.15, 12)
    wanted = exact(problem, states)
    bound = 1e-12 if precision == "double" else 1e-5
    for sector in ("auto", *symmetries):
        solver = ExactDiagonalization(sector=sector, precision=precision)
        found = evolve(solver, problem, states)
        assert error(found, wanted) < bound
        assert error(evolve(solver, problem, states[1:2]), wanted[1:2]) < bound


def test_a_sector_that_the_hamiltonian_leaves_is_refused_with_the_term(posed) -> None:
    def said(operator: PauliSum, sector: str) -> str:
        return ExactDiagonalization(sector=sector).supports(posed(operator, 0.1, 2)) or ""  # type: ignore[arg-type]

    assert "breaks it is -1.05 X [0]" in said(ising(5), "magnetization")
    assert "breaks it is 0.5 Z [0]" in said(ising(5), "inversion")
    assert "breaks it is 1 XX [4, 5]" in said(xxz(6), "momentum")
    assert "breaks it is 1 ZZ [0, 1]" in said(graded_chain(4), "parity")
    for sector in ("auto", "parity"):
        assert said(ising(5), sector) == ""
    # XX alone moves magnetization by two; YY of another strength does not make up for it.
    assert "XX" in said(PauliSum.from_terms(2, [(1.0, "XX", (0, 1)), (0.9, "YY", (0, 1))]), "magnetization")
    with pytest.raises(InputError, match="sector=charge"):
        build(ExactDiagonalization, "ed", SolverSpec.parse("ed[sector=charge]").parameters)


def test_sectors_are_not_for_drives_and_not_state_by_state(models, posed) -> None:
    assert "static" in (ExactDiagonalization(sector="auto").supports(posed(models["kicked"](3), 0.1, 2)) or "")
    assert "batched" in (ExactDiagonalization(sector="auto", mode="per_state").supports(posed(xxz(4), 0.1, 2)) or "")


def test_sectors_are_faster_than_the_full_space(posed, evolve) -> None:
    """10 spins of XXZ from the Neel state; the ratio is far from 1, so that a busy machine does not turn it."""
    problem, states = posed(xxz(10), 0.05, 20, batch=1), neel(10)
    seconds = {"none": [], "auto": []}
    for _ in range(3):
        for sector, measured in seconds.items():
            start = time.perf_counter()
            evolve(ExactDiagonalization(sector=sector), problem, states)
            measured.append(time.perf_counter() - start)
    assert statistics.median(seconds["none"]) > 1.5 * statistics.median(seconds["auto"])


def test_the_estimate_in_sectors_is_smaller(posed) -> None:
    problem = posed(xxz(14), 0.05, 20, batch=1)
    full, split = (ExactDiagonalization(sector=sector).estimate(problem) for sector in ("none", "auto"))
    assert split.bytes < full.bytes / 5
    assert 0 < split.operations < full.operations / 50


@pytest.mark.parametrize("dt", [0.17, 0.25])
@pytest.mark.parametrize("batch", [1, 20])
def test_a_driven_model(dt, batch, models, posed, product, evolve, exact, error) -> None:
    """Steps that repeat are multiplied out for many states, the others go by their eigenbases: both are exact."""
    problem, states = posed(models["kicked"](4), dt, 40, batch=batch), product(4, batch)
    wanted = exact(problem, states)
    found = evolve(ExactDiagonalization(), problem, states)
    assert error(found, wanted) < 1e-12
    assert error(evolve(ExactDiagonalization(precision="single"), problem, states), wanted) < 1e-5


def test_steps_of_a_drive_that_repeat_are_found(models, posed) -> None:
    # The period is 0.5: at dt = 0.25 there are two kinds of steps, whatever the rounding of the grid.
    assert len(set(grid_steps(posed(models["kicked"](3), 0.25, 400)))) == 2


def test_a_long_drive_keeps_its_promise(posed, product, evolve, exact, error) -> None:
    """Kicks of X on a chain of Z alone, over 1000 periods."""
    bonds = PauliSum.from_terms(4, [(0.7, "ZZ", (i, i + 1)) for i in range(3)] + [(0.4, "Z", (0,))])
    flips = PauliSum.from_terms(4, [(1.0, "X", (i,)) for i in range(4)])
    problem = posed(Drive((Segment(bonds, 1.0), Segment(flips, 0.0, 0.6))), 1.0, 1000)
    states, solver = product(4), ExactDiagonalization()
    found = evolve(solver, problem, states)
    promised = solver.estimate(problem).error
    assert promised is not None
    assert error(found, exact(problem, states)) < promised < 1e-9


def test_a_driven_estimate_is_finite_and_grows_with_the_hamiltonians(models, posed) -> None:
    drive = models["kicked"](8)
    short = Drive(drive.segments[:2])
    several, few = (ExactDiagonalization().estimate(posed(model, 0.5, 20)) for model in (drive, short))
    assert 1.5 * few.operations < several.operations < 3 * few.operations
    assert several.bytes > few.bytes
    assert "static" in (ExactDiagonalization(mode="per_state").supports(posed(drive, 0.5, 20)) or "")
