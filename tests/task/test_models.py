from __future__ import annotations

import itertools
import math
from functools import reduce
from typing import Literal

import numpy as np
import pytest
import scipy.linalg

from qdynbench.errors import InputError
from qdynbench.physics.drive import Drive
from qdynbench.physics.operators import PauliSum
from qdynbench.plugins.registry import Registry
from qdynbench.task import families
from qdynbench.task.case import Case, cases
from qdynbench.task.load import load_task
from qdynbench.task.models import MixedFieldIsing, WeightedPauliStrings
from qdynbench.task.pose import pose
from qdynbench.testing import independent

LETTERS = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1.0, -1.0]),
    "P": np.diag([1.0, 0.0]),
    "n": np.diag([0.0, 1.0]),
}


def kron(size: int, letters: dict[int, str]) -> np.ndarray:
    return reduce(np.kron, [LETTERS[letters.get(site, "I")] for site in range(size)])


def matrix(operator: object) -> np.ndarray:
    assert isinstance(operator, PauliSum)
    return independent.dense(operator)


@pytest.mark.parametrize("boundary", ["open", "periodic"])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_ising_is_the_sum_of_the_papers_equation_1(boundary: Literal["open", "periodic"], size: int) -> None:
    model = MixedFieldIsing(J=1.5, g=-1.05, h=0.5, boundary=boundary)
    bonds = [(i, i + 1) for i in range(size - 1)]
    if boundary == "periodic" and size > 2:
        bonds.append((size - 1, 0))
    expected = np.zeros((2**size, 2**size))
    for i, j in bonds:
        expected += 1.5 * kron(size, {i: "Z", j: "Z"})
    for i in range(size):
        expected += -1.05 * kron(size, {i: "X"}) + 0.5 * kron(size, {i: "Z"})
    np.testing.assert_allclose(model.hamiltonian(size).to_dense(), expected, atol=1e-15)


def test_fields_may_differ_from_site_to_site() -> None:
    model = MixedFieldIsing(J=[1.0, 2.0], g=[0.1, 0.2, 0.3], h=[1.0, 0.0, -1.0])
    expected = kron(3, {0: "Z", 1: "Z"}) + 2 * kron(3, {1: "Z", 2: "Z"})
    for site, (g, h) in enumerate([(0.1, 1.0), (0.2, 0.0), (0.3, -1.0)]):
        expected = expected + g * kron(3, {site: "X"}) + h * kron(3, {site: "Z"})
    np.testing.assert_allclose(model.hamiltonian(3).to_dense(), expected, atol=1e-15)
    with pytest.raises(InputError, match="J lists 2 values where this size needs 3"):
        model.hamiltonian(4)


def test_strings_may_be_given_one_by_one() -> None:
    model = WeightedPauliStrings(terms=[(-1.05, "X", [2]), (0.5, "ZY", [2, 0])])
    expected = -1.05 * kron(3, {2: "X"}) + 0.5 * kron(3, {2: "Z", 0: "Y"})
    np.testing.assert_allclose(model.hamiltonian(3).to_dense(), expected, atol=1e-15)
    with pytest.raises(InputError, match="run from 0 to 1"):
        model.hamiltonian(2)


@pytest.mark.parametrize("boundary", ["open", "periodic"])
def test_heisenberg_is_made_of_spin_halves(boundary: str) -> None:
    size, coupling, delta, h = 4, 1.3, 0.4, 0.7
    bonds = [(0, 1), (1, 2), (2, 3), *([(3, 0)] if boundary == "periodic" else [])]
    expected = sum(h / 2 * kron(size, {i: "Z"}) for i in range(size))
    for i, j in bonds:
        expected = expected + coupling / 4 * (kron(size, {i: "X", j: "X"}) + kron(size, {i: "Y", j: "Y"}))
        expected = expected + coupling * delta / 4 * kron(size, {i: "Z", j: "Z"})
    model = families.HeisenbergChain(J=coupling, delta=delta, h=h, boundary=boundary)  # type: ignore[arg-type]  # parametrised
    np.testing.assert_allclose(matrix(model.hamiltonian(size)), expected, atol=1e-15)


def test_pxp_turns_a_spin_only_between_neighbours_that_are_up() -> None:
    size = 4
    expected = sum(1.5 * kron(size, {i: "X"} | {j: "P" for j in (i - 1, i + 1) if 0 <= j < size}) for i in range(size))
    np.testing.assert_allclose(matrix(families.ConstrainedChain(Omega=1.5).hamiltonian(size)), expected, atol=1e-15)
    ring = sum(kron(size, {i: "X", (i - 1) % size: "P", (i + 1) % size: "P"}) for i in range(size))
    closed = families.ConstrainedChain(boundary="periodic")
    np.testing.assert_allclose(matrix(closed.hamiltonian(size)), ring, atol=1e-15)
    with pytest.raises(InputError, match="at least 3 spins"):
        closed.hamiltonian(2)


def test_rydberg_atoms_repel_with_the_sixth_power() -> None:
    size, rabi, detuning, repulsion = 4, 1.1, 0.7, 5.0
    expected = sum(rabi / 2 * kron(size, {i: "X"}) - detuning * kron(size, {i: "n"}) for i in range(size))
    for i, j in itertools.combinations(range(size), 2):
        if j - i <= 2:
            expected = expected + repulsion / (j - i) ** 6 * kron(size, {i: "n", j: "n"})
    found = matrix(families.RydbergChain(Omega=rabi, Delta=detuning, V=repulsion, reach=2).hamiltonian(size))
    constant = (expected - found)[0, 0]
    np.testing.assert_allclose(found + constant * np.eye(2**size), expected, atol=1e-14)


def test_ions_interact_with_a_power_of_their_distance() -> None:
    size, coupling, field, alpha = 4, -0.8, 0.3, 1.2
    expected = sum(field * kron(size, {i: "X"}) for i in range(size))
    for i, j in itertools.combinations(range(size), 2):
        expected = expected + coupling / (j - i) ** alpha * kron(size, {i: "Z", j: "Z"})
    model = families.LongRangeIsing(J=coupling, g=field, alpha=alpha)
    np.testing.assert_allclose(matrix(model.hamiltonian(size)), expected, atol=1e-15)


def test_the_square_lattice_has_two_bonds_a_site() -> None:
    operator = families.SquareLatticeIsing(J=-1.0, g=-0.3).hamiltonian(16)
    assert isinstance(operator, PauliSum)
    bonds = [frozenset(term.sites) for term in operator.terms if term.paulis == "ZZ"]
    assert len(bonds) == len(set(bonds)) == 32
    assert {frozenset((0, 1)), frozenset((0, 4)), frozenset((0, 3)), frozenset((0, 12))} <= set(bonds)
    ladder = families.SquareLatticeIsing(g=1.0, width=2, boundary="open").hamiltonian(6)
    assert isinstance(ladder, PauliSum)
    assert sum(term.paulis == "ZZ" for term in ladder.terms) == 7
    for wrong in (families.SquareLatticeIsing(g=1.0), families.SquareLatticeIsing(g=1.0, width=4)):
        with pytest.raises(InputError, match="do not fill"):
            wrong.hamiltonian(6)


def test_a_kick_belongs_to_the_step_that_ends_at_it() -> None:
    drive = families.KickedIsing(J=0.3, b=0.7, h=0.2).hamiltonian(3)
    assert isinstance(drive, Drive)
    assert drive.pieces(0.0, 1.0) == ((0, 1.0), (1, 1.0))
    assert drive.pieces(0.0, 0.5) == ((0, 0.5),)
    assert drive.pieces(0.5, 1.5) == ((0, 0.5), (1, 1.0), (0, 0.5))
    times = np.arange(1001) * 0.1
    steps = [drive.pieces(a, b) for a, b in itertools.pairwise(times)]
    assert sum(piece == (1, 1.0) for step in steps for piece in step) == 100
    assert sum(action for step in steps for index, action in step if index == 0) == pytest.approx(100)


def test_segments_follow_each_other_and_begin_anew() -> None:
    segments = [{"duration": 0.5, "J": 1.0, "g": 0.3}, {"duration": 0.25, "J": 0.0, "g": -2.0}]
    drive = families.DrivenIsing.model_validate({"segments": segments}).hamiltonian(2)
    assert isinstance(drive, Drive)
    assert drive.period == 0.75
    which, actions = zip(*drive.pieces(0.4, 0.9), strict=True)
    assert which == (0, 1, 0)
    assert actions == pytest.approx((0.1, 0.25, 0.15))
    with pytest.raises(ValueError, match="either a duration or a kick"):
        families.DrivenPauliStrings.model_validate({"segments": [{"terms": [[1.0, "X", [0]]]}]})
    only_kicks = families.DrivenPauliStrings.model_validate({"segments": [{"terms": [[1.0, "X", [0]]], "kick": 1}]})
    with pytest.raises(InputError, match="needs a segment that lasts"):
        only_kicks.hamiltonian(2)


def test_the_kicked_chain_is_its_floquet_operator() -> None:
    model = families.KickedIsing(J=math.pi / 4, b=math.pi / 4, h=0.6)
    drive = model.hamiltonian(3)
    assert isinstance(drive, Drive)
    floquet = np.eye(8)
    for index, action in drive.pieces(0.0, 1.0):
        floquet = scipy.linalg.expm(-1j * action * independent.dense(drive.segments[index].hamiltonian)) @ floquet
    ising = scipy.linalg.expm(-1j * matrix(families.IsingSegment(duration=1, J=math.pi / 4, h=0.6).hamiltonian(3)))
    kick = reduce(np.kron, [scipy.linalg.expm(-1j * math.pi / 4 * LETTERS["X"])] * 3)
    np.testing.assert_allclose(floquet, kick @ ising, atol=1e-14)


def test_every_case_of_a_disordered_chain_has_fields_of_its_own() -> None:
    registry = Registry.discover()
    task = load_task("heisenberg_disordered", registry)
    posed = {case: pose(task, registry, case, batch=1, device="cpu", threads=1) for case in cases(task)}
    seen = {case: tuple(problem.parameters["h"]) for case, problem in posed.items() if problem.parameters}
    assert len(set(seen.values())) == len(seen) == len(task.sizes) * len(task.seeds)
    case = Case(task.sizes[0], task.seeds[0])
    again = pose(task, registry, case, batch=1, device="cpu", threads=1)
    assert again.hamiltonian == posed[case].hamiltonian
    width = task.model["disorder"]
    assert all(abs(field) <= width for fields in seen.values() for field in fields)
    assert max(abs(field) for fields in seen.values() for field in fields) > 0.7 * width
    with pytest.raises(InputError, match="once its fields are drawn"):
        families.HeisenbergChain(disorder=1.0).hamiltonian(3)
