"""Rounds wait for a calm machine, not for ever, and are judged by the yardstick alone."""

from __future__ import annotations

from qdynbench.runner.calm import PATIENCE, Calm
from qdynbench.workers.protocol import Timed


def timed(pace: float = 1.0, waited: float = 0.0) -> Timed:
    return Timed(seconds=[1.0, 1.0], cpu=2.0, waited=waited, pace=pace)


def test_a_round_is_slowed_by_slow_cores_or_by_those_who_take_them() -> None:
    calm = Calm()
    assert not calm.slowed(timed(pace=1.0), 0.0)
    assert not calm.slowed(timed(pace=1.1), 0.0)
    assert calm.slowed(timed(pace=1.5), 0.0)
    assert calm.slowed(timed(waited=0.5), 0.0)
    assert not calm.slowed(timed(waited=0.5), 0.1)  # a solver whose own threads queue for cores
    assert not calm.slowed(timed(pace=0.8), 0.0)
    assert calm.slowed(timed(pace=1.0), 0.0)  # now that the machine has been seen to do better


def test_patience_ends_where_the_machine_stays_slow_and_returns_with_its_speed() -> None:
    calm = Calm()
    calm.waited_for(1.0)
    spent = 0.0
    for _ in range(20):
        spent += calm.patience
        calm.waited_for(1.5)
    assert not calm.hope
    assert spent < 2.5 * PATIENCE
    calm.waited_for(1.0)
    assert calm.hope
    assert calm.patience == PATIENCE
