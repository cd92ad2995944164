"""Stretches cover the grid once, in order, and hold what `Problem.pieces` says."""

import dataclasses

import numpy as np
import pytest

from qdynbench.contract.problem import Problem
from qdynbench.physics.drive import Drive, Segment
from qdynbench.physics.operators import PauliSum
from qdynbench.toolkit.schedule import piece_count, stretches, total_action
from qdynbench.toolkit.strings import norm_bound

BONDS = PauliSum.from_terms(2, [(1.5, "ZZ", (0, 1))])
FIELDS = PauliSum.from_terms(2, [(-0.5, "X", (0,)), (0.25, "Y", (1,))])


def static(steps: int) -> Problem:
    return Problem(2, np.linspace(0, 0.1 * steps, steps + 1), BONDS)


def driven(steps: int, *segments: Segment) -> Problem:
    return dataclasses.replace(static(steps), dynamics=Drive(segments))


def test_a_static_grid_is_cut_by_length_alone() -> None:
    found = list(stretches(static(10), 4))
    assert [(s.start, s.count) for s in found] == [(1, 4), (5, 4), (9, 2)]
    assert all(s.pieces == ((0, pytest.approx(0.1)),) for s in found)


def test_neighbouring_steps_of_a_segment_belong_together() -> None:
    problem = driven(10, Segment(BONDS, 0.3), Segment(FIELDS, 0.25))
    found = list(stretches(problem, 100))
    # 3 steps of bonds, 2 of fields, one of half of each, and on with bonds
    assert [(s.start, s.count, [index for index, _ in s.pieces]) for s in found] == [
        (1, 3, [0]),
        (4, 2, [1]),
        (6, 1, [1, 0]),
        (7, 2, [0]),
        (9, 1, [0, 1]),
        (10, 1, [1]),
    ]


def test_a_kick_ends_a_stretch() -> None:
    problem = driven(7, Segment(BONDS, 0.3), Segment(FIELDS, 0, kick=-0.8))
    assert [(s.start, s.count, len(s.pieces)) for s in stretches(problem, 100)] == [
        (1, 2, 1),
        (3, 1, 2),
        (4, 2, 1),
        (6, 1, 2),
        (7, 1, 1),
    ]


@pytest.mark.parametrize("longest", [1, 2, 3, 50])
def test_every_step_is_covered_once_by_its_own_pieces(longest: int) -> None:
    segments = (Segment(BONDS, 0.37), Segment(FIELDS, 0, kick=0.3), Segment(FIELDS, 0.14))
    problem = driven(40, *segments)
    reached = 1
    for stretch in stretches(problem, longest):
        assert stretch.start == reached
        assert 1 <= stretch.count <= longest
        for step in range(stretch.start - 1, stretch.start - 1 + stretch.count):
            assert [k for k, _ in problem.pieces(step)] == [k for k, _ in stretch.pieces]
            assert [s for _, s in problem.pieces(step)] == pytest.approx([s for _, s in stretch.pieces], abs=1e-12)
        reached += stretch.count
    assert reached == problem.steps + 1


def test_the_action_bounds_the_phase() -> None:
    assert norm_bound(FIELDS) == 0.75
    assert np.abs(np.linalg.eigvalsh(FIELDS.to_dense())).max() < norm_bound(FIELDS) + 1e-12
    assert total_action(static(10)) == pytest.approx(1.5)
    problem = driven(6, Segment(BONDS, 0.3), Segment(FIELDS, 0, kick=-0.8))
    assert total_action(problem) == pytest.approx(0.6 * 1.5 + 2 * 0.8 * 0.75)


def test_the_pieces_are_counted() -> None:
    assert piece_count(static(10)) == 10
    problem = driven(10, Segment(BONDS, 0.3), Segment(FIELDS, 0.25))
    assert piece_count(problem) == sum(len(problem.pieces(step)) for step in range(10)) > 10
