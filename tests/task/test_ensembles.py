from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from qdynbench import Ensemble, Initial, QdynbenchError, basis
from qdynbench.plugins.registry import Registry
from qdynbench.task import ensembles
from qdynbench.task.case import Case, Purpose, draw, generator
from qdynbench.task.pose import track
from qdynbench.task.spec import Task

ALL = [
    ensembles.RandomProduct,
    ensembles.HaarRandom,
    ensembles.AllUp,
    ensembles.Neel,
    ensembles.DomainWall,
    ensembles.AllPlus,
]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_states_are_normalised_and_spinors_are_the_same_states(kind: type[Ensemble], size: int) -> None:
    drawn = kind().draw(size, 3, np.random.default_rng(0))
    assert drawn.states.shape == (3, 2**size)
    np.testing.assert_allclose(np.linalg.norm(drawn.states, axis=1), 1, atol=1e-14)
    if kind is ensembles.HaarRandom:
        assert drawn.spinors is None
    else:
        assert drawn.spinors is not None
        products = [reduce(np.kron, spinors) for spinors in drawn.spinors]
        np.testing.assert_allclose(drawn.states, products, atol=1e-15)


@pytest.mark.parametrize(
    ("kind", "down"),
    [(ensembles.AllUp, [0, 0, 0]), (ensembles.Neel, [0, 1, 0]), (ensembles.DomainWall, [0, 0, 1])],
)
def test_named_states_are_the_basis_states_they_say(kind: type[Ensemble], down: list[int]) -> None:
    states = kind().draw(3, 1, np.random.default_rng(0)).states
    assert abs(states[0, basis.index_of(down)]) == 1


def test_random_spins_are_haar_distributed() -> None:
    spinors = ensembles.RandomProduct().spinors(2, 20000, np.random.default_rng(1))
    z = np.abs(spinors[..., 0]) ** 2 - np.abs(spinors[..., 1]) ** 2
    # On the Bloch sphere z is uniform on [-1, 1]: mean 0, variance 1/3 (Archimedes).
    assert abs(z.mean()) < 0.02
    assert abs(z.var() - 1 / 3) < 0.01
    x = 2 * (spinors[..., 0].conj() * spinors[..., 1]).real
    assert abs(x.var() - 1 / 3) < 0.01


def task(**changes: object) -> Task:
    data = {
        "name": "t",
        "model": {"family": "ising", "g": 1.0, "h": 0.0},
        "sizes": [2, 3, 5],
        "times": {"dt": 0.1, "steps": 4},
        "solvers": ["ed"],
        "training": {"sizes": [2, 4], "steps": 4},
    }
    return Task.model_validate(data | changes)


@pytest.mark.parametrize("factor", [0.0, 3.0, float("nan")])
def test_states_that_are_not_normalised_are_none(factor: float) -> None:
    # States of zeros were scored, and all was well with them.
    class Odd(ensembles.HaarRandom):
        def draw(self, size: int, count: int, generator: np.random.Generator) -> Initial:
            return Initial(factor * super().draw(size, count, generator).states)

    with pytest.raises(QdynbenchError, match=f"expected from the ensemble Odd, one of norm {factor:g} came"):
        draw(task(), Odd(), Case(2, 0), Purpose.TEST, 0, 3)


def test_a_state_does_not_depend_on_how_many_are_drawn_and_purposes_share_none() -> None:
    ensemble = ensembles.RandomProduct()
    case = Case(3, 0)
    many = draw(task(), ensemble, case, Purpose.TEST, 0, 9)
    few = draw(task(), ensemble, case, Purpose.TEST, 4, 6)
    np.testing.assert_array_equal(many.states[4:6], few.states)
    np.testing.assert_array_equal(many.spinors[4:6], few.spinors)
    first = {purpose: generator(task(), case, purpose).standard_normal() for purpose in Purpose}
    assert len(set(first.values())) == len(Purpose)
    assert generator(task(seed=1), case, Purpose.TEST).standard_normal() != first[Purpose.TEST]
    assert generator(task(), Case(3, 1), Purpose.TEST).standard_normal() != first[Purpose.TEST]


@pytest.mark.parametrize(
    ("size", "changes", "expected"),
    [
        (2, {}, "in-distribution"),
        (5, {}, "larger-chain"),
        (3, {}, "other-size"),
        (2, {"times": {"dt": 0.1, "steps": 5}}, "longer-time"),
        (5, {"times": {"dt": 0.1, "steps": 5}, "ensemble": "haar"}, "larger-chain+longer-time+other-states"),
        (2, {"training": {"sizes": [2], "model": {"family": "ising", "g": 2.0, "h": 0.0}}}, "other-fields"),
        (2, {"training": {"sizes": [2], "steps": 8, "dt": 0.05}}, "other-step"),
        (2, {"training": {"sizes": [2], "steps": 7, "dt": 0.05}}, "longer-time+other-step"),
        (2, {"training": {"sizes": [2], "steps": 4, "dt": 0.1}}, "in-distribution"),
        (2, {"training": None}, "no-training"),
    ],
)
def test_every_case_says_its_track(size: int, changes: dict[str, object], expected: str) -> None:
    assert track(task(**changes), Registry.discover(), Case(size, 0)) == expected


@pytest.mark.parametrize(
    ("size", "seed", "disorder", "expected"),
    [
        (2, 0, 2.0, "in-distribution"),
        (2, 1, 2.0, "other-fields"),  # the training data has the fields of seed 0
        (5, 0, 2.0, "larger-chain+other-fields"),  # no field of five spins was ever trained on
        (2, 1, 0.0, "in-distribution"),
        (5, 1, 0.0, "larger-chain"),
    ],
)
def test_drawn_fields_are_those_that_were_trained_on_or_not(
    size: int, seed: int, disorder: float, expected: str
) -> None:
    model = {"family": "heisenberg", "disorder": disorder}
    assert track(task(model=model), Registry.discover(), Case(size, seed)) == expected


def test_defaults_that_are_written_out_are_no_other_model() -> None:
    written = {"family": "ising", "J": 1.0, "g": 1.0, "h": 0.0}
    trained = {"sizes": [2, 4], "steps": 4, "model": {"family": "ising", "g": 1.0}}
    assert track(task(model=written, training=trained), Registry.discover(), Case(2, 0)) == "in-distribution"


def test_product_states_of_long_chains_are_drawn_without_a_vector() -> None:
    drawn = ensembles.RandomProduct().draw(200, 2, np.random.default_rng(0))
    assert drawn.spinors is not None
    assert drawn.spinors.shape == (2, 200, 2)
    assert not drawn.vectors_exist
    short = ensembles.RandomProduct().draw(4, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(short[1:].states, short.states[1:])
