"""Initial states have one form, and vectors when they are first asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from qdynbench import Given, Infeasible, Initial
from qdynbench.testing import independent
from qdynbench.testing.exercise import product_initial, random_states


def test_vectors_of_product_states_are_made_once_when_first_asked_for() -> None:
    spinors = product_initial(4, 3, seed=1).spinors
    initial = Initial(spinors=spinors)
    given = Given(initial)
    assert len(given) == len(initial) == 3
    assert given.spinors is initial.spinors
    assert not initial.vectors_exist
    assert list(initial.arrays()) == ["spinors"]
    assert initial.making == 0
    states = given.states
    assert states.dtype is torch.complex128
    np.testing.assert_allclose(states.numpy(), independent.product_states(initial.arrays()["spinors"]), atol=1e-15)
    assert initial.vectors_exist
    assert initial.making > 0
    assert given.states is states
    assert list(initial.arrays()) == ["spinors"]  # which is all that has to travel


def test_states_that_are_no_products_have_vectors_alone() -> None:
    states = random_states(3, 2, seed=1)
    initial = Initial(states.numpy())
    assert initial.spinors is None
    assert initial.vectors_exist
    assert torch.equal(initial.states, states)
    np.testing.assert_array_equal(initial.arrays()["states"], states.numpy())
    with pytest.raises(TypeError, match="vectors, spinors or both"):
        Initial()


def test_vectors_beyond_the_limit_of_memory_are_refused() -> None:
    spinors = product_initial(4, 1, seed=1).spinors
    assert spinors is not None
    long = Initial(spinors=spinors.repeat(2, 10, 1), memory=2e9)
    for initial, count in ((long, 2), (long[1:], 1)):
        assert len(initial) == count
        taken = {2: "35.2 TB", 1: "17.6 TB"}[count]
        with pytest.raises(Infeasible, match=f"state vectors of 40 spins take {taken}, limit 2.00 GB"):
            initial.states  # noqa: B018 - refused
        assert not initial.vectors_exist


def test_parts_of_a_batch_have_what_the_whole_has() -> None:
    drawn = Initial(spinors=product_initial(3, 4, seed=2).spinors)
    early = drawn[1:3]
    assert not early.vectors_exist
    whole = drawn.states
    late = drawn[1:3].to("cpu")
    assert late.vectors_exist
    for part in (early, late):
        assert len(part) == 2
        torch.testing.assert_close(part.states, whole[1:3])
        assert part.spinors is not None
        assert part.spinors.shape == (2, 3, 2)


def test_notes_belong_to_one_call() -> None:
    initial = Initial(random_states(2, 1, seed=1))
    first, second = Given(initial), Given(initial)
    first.note("bond dimension reached its limit 64 at step 37")
    assert first.notes == ["bond dimension reached its limit 64 at step 37"]
    assert second.notes == []
