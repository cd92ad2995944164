"""What a solver is told, and what is withheld from it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qdynbench import Drive, Knowledge, PauliSum, Problem, Segment, Unsupported

FIELD, KICK = (PauliSum.from_terms(1, [(c, "X", (0,))]) for c in (0.5, 0.7))
DRIVE = Drive((Segment(FIELD, 0.5), Segment(KICK, 0.0, kick=0.3), Segment(KICK, 0.25)))
TIMES = np.linspace(0, 1.5, 7)


def test_a_static_model_has_a_hamiltonian_and_one_piece_a_step() -> None:
    problem = Problem(1, TIMES, FIELD)
    assert problem.hamiltonian is FIELD
    assert problem.drive is None
    assert problem.hamiltonians == (FIELD,)
    assert problem.pieces(3) == ((0, 0.25),)


def test_a_driven_model_has_no_one_hamiltonian() -> None:
    problem = Problem(1, TIMES, DRIVE)
    with pytest.raises(Unsupported, match="the model is driven, and this solver evolves under one Hamiltonian"):
        problem.hamiltonian  # noqa: B018 - refused
    assert problem.drive is DRIVE
    assert problem.hamiltonians == (FIELD, KICK, KICK)
    assert problem.pieces(1) == ((0, pytest.approx(0.25)), (1, 0.3))


@pytest.mark.parametrize("dynamics", [FIELD, DRIVE])
def test_a_blind_solver_is_told_of_no_dynamics(dynamics: PauliSum | Drive) -> None:
    whole = Problem(1, TIMES, dynamics, {"g": 0.5})
    assert whole.blinded(Knowledge.HAMILTONIAN) is whole
    for knowledge in (Knowledge.PARAMETERS, Knowledge.TRAJECTORIES):
        blind = whole.blinded(knowledge)
        assert blind.dynamics is blind.drive is None
        assert blind.hamiltonians == ()
        assert blind.parameters == ({"g": 0.5} if knowledge is Knowledge.PARAMETERS else None)
        with pytest.raises(TypeError, match=r"only Knowledge\.HAMILTONIAN is given one"):
            blind.hamiltonian  # noqa: B018 - refused
        assert blind.backward().dynamics is None


def test_a_drive_backwards_undoes_every_step_last_first() -> None:
    there = Problem(1, TIMES, DRIVE)
    back = there.backward()
    assert back.entangled
    assert [h.terms[0].coefficient for h in back.hamiltonians] == [-0.5, -0.7, -0.7]
    for step in range(there.steps):
        undone = back.pieces(there.steps - 1 - step)
        assert [k for k, _ in undone] == [k for k, _ in there.pieces(step)][::-1]
        assert [s for _, s in undone] == pytest.approx([s for _, s in there.pieces(step)][::-1])
    assert back.drive is not None
    assert Drive.from_json(json.loads(json.dumps(back.drive.to_json()))) == back.drive
    assert Problem(1, TIMES, FIELD).backward().hamiltonian == -FIELD
