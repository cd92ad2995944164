"""Rounds wait for a calm machine, not for ever, and a machine that stays slow is taken as it is."""

from __future__ import annotations

from qdynbench.runner.calm import PATIENCE, RECENT, Calm


def test_a_round_is_slowed_by_slow_cores() -> None:
    calm = Calm()
    assert not calm.slowed(1, 1.0)
    assert not calm.slowed(1, 1.1)
    assert calm.slowed(1, 1.5)
    assert not calm.slowed(2, 1.5)  # all cores together are judged by what they do together
    assert not calm.slowed(1, 0.7)
    assert [calm.slowed(1, 0.7) for _ in range(10)] == [False] * 10
    assert calm.slowed(1, 1.0)  # now that the machine has been seen to do better


def test_a_machine_that_stays_slow_is_taken_as_it_is() -> None:
    calm = Calm()
    calm.slowed(1, 1.0)
    assert calm.slowed(1, 1.5)
    for _ in range(RECENT):
        calm.slowed(1, 1.5)
    assert not calm.slowed(1, 1.5)


def test_patience_ends_where_the_machine_stays_slow_and_returns_with_its_speed() -> None:
    calm = Calm()
    for _ in range(10):
        calm.waited_for(1, 1.0)
    spent = 0.0
    for _ in range(20):
        spent += calm.patience
        calm.waited_for(1, 1.5)
    assert not calm.hope
    assert spent < 2.5 * PATIENCE
    calm.waited_for(1, 1.0)
    assert calm.hope
    assert calm.patience == PATIENCE
