"""What an author of a solver declares, and what the core makes of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest

from qdynbench import (
    Block,
    Cost,
    Drive,
    FitContext,
    Given,
    Knowledge,
    LearnedSolver,
    PauliSum,
    Problem,
    Segment,
    Solver,
    TrainingData,
)
from qdynbench.contract.build import build, outlook, parameters_of
from qdynbench.errors import InputError, InvalidOutput, QdynbenchError

FIELD = PauliSum.from_terms(2, [(0.5, "X", (0,))])
STATIC = Problem(2, np.linspace(0, 1, 3), FIELD)
DRIVEN = Problem(2, np.linspace(0, 1, 3), Drive((Segment(FIELD, 0.5),)))


class Still(Solver):
    knowledge = Knowledge.TRAJECTORIES
    accuracy = ("tolerance",)
    protocol = ("mode",)

    mode: Literal["batched", "per_state"] = "batched"
    tolerance: float = 1e-8
    _cache: dict[str, int] = dataclasses.field(default_factory=dict)
    shared = 3

    def solve(self, given: Given) -> Iterator[Block]:
        yield Block(0, given.states[:, None].expand(-1, self.problem.steps + 1, -1))


def public(kind: type) -> set[str]:
    return {name for name in {*vars(kind), *kind.__annotations__} if not name.startswith("_")}


def test_an_author_has_eight_members_to_know() -> None:
    eight = {"knowledge", "accuracy", "protocol", "label", "supports", "estimate", "prepare", "solve"}
    assert public(Solver) == eight | {"problem"}
    assert public(LearnedSolver) == {"fit", "save", "load", "shipped", "starts_from"}


def test_parameters_are_the_annotated_fields_but_private_ones() -> None:
    assert parameters_of(Still) == ["mode", "tolerance"]
    solver = build(Still, "still", {"tolerance": "1e-6"})
    assert parameters_of(solver) == ["mode", "tolerance"]
    assert isinstance(solver, Still)
    assert (solver.mode, solver.tolerance) == ("batched", 1e-6)
    with pytest.raises(dataclasses.FrozenInstanceError, match=r"Still\.tolerance is a parameter and cannot change"):
        solver.tolerance = 1e-4
    solver._cache = {"states": 3}
    solver.shared = 4


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"_cache": {}}, "solver 'still' has no parameter '_cache'"),
        ({"shared": 4}, "solver 'still' has no parameter 'shared'"),
        ({"tolerence": 1e-6}, "has no parameter 'tolerence'; did you mean 'tolerance'?"),
        ({"mode": "fast"}, "solver 'still': mode=fast: input should be 'batched' or 'per_state'"),
    ],
)
def test_other_parameters_are_refused(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        build(Still, "still", parameters)
    assert message in str(caught.value)


class Undeclared(Solver):
    def solve(self, given: Given) -> Iterator[Block]:
        yield Block(0)


class Misdeclared(Still):
    accuracy = ("order",)


class Refusing(Still):
    def __post_init__(self) -> None:
        if self.tolerance == 1e-20:
            raise ValueError("tolerance=1e-20 is none")


class Unlicensed(Still):
    def __post_init__(self) -> None:
        raise ValueError("no licence")


class Demanding(Undeclared):
    knowledge = Knowledge.TRAJECTORIES
    order: int


class Unsaved(LearnedSolver):
    knowledge = Knowledge.TRAJECTORIES

    def fit(self, data: TrainingData, context: FitContext) -> None:
        pass

    def solve(self, given: Given) -> Iterator[Block]:
        yield Block(0, given.states[:, None])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Unsaved, "solver 'x': Unsaved does not define load and save"),
        (dict, "'x' is registered as a solver but <class 'dict'> is not a subclass of qdynbench.Solver"),
        (Undeclared, "solver 'x' does not declare its knowledge, such as Knowledge.HAMILTONIAN"),
        (Misdeclared, "solver 'x': accuracy names 'order', which is none of its parameters"),
    ],
)
def test_a_class_that_is_no_solver_is_refused(kind: type[Solver], message: str) -> None:
    with pytest.raises(InvalidOutput, match=message):
        build(kind, "x", {})


def test_a_solver_may_refuse_the_parameters_that_the_user_gives() -> None:
    with pytest.raises(InputError, match="solver 'x': tolerance=1e-20 is none"):
        build(Refusing, "x", {"tolerance": 1e-20})


def test_a_solver_that_cannot_be_built_at_all_is_no_fault_of_the_task() -> None:
    # It ended the run of all others, as a wrong parameter does.
    for parameters in ({}, {"tolerance": 1e-20}):
        with pytest.raises(QdynbenchError, match="solver 'x': no licence") as caught:
            build(Unlicensed, "x", parameters)
        assert not isinstance(caught.value, InputError)
    with pytest.raises(InputError, match="solver 'x' needs a value of its parameter 'order'"):
        build(Demanding, "x", {})


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("supports", True, "a reason or None expected from supports, a bool came"),
        ("estimate", (1, 2), "a qdynbench.Cost or None expected from estimate, a tuple came"),
        ("estimate", Cost("1", 1), "a number as bytes expected from estimate, a str came"),  # type: ignore[arg-type]
        ("estimate", Cost(1, float("nan")), "a number as operations expected from estimate, nan came"),
        ("estimate", Cost(1, 1, -1), "a number as its error expected from estimate, -1.0 came"),
    ],
)
def test_an_answer_of_another_type_is_refused_by_name(name: str, answer: object, message: str) -> None:
    # `supports` that returned True gave rows that could not be read back, and the report dropped them.
    solver = Still()
    solver.__dict__[name] = lambda problem: answer
    with pytest.raises(InvalidOutput, match=message):
        outlook(solver, STATIC)


class Forgetful(Still):
    def prepare(self, problem: Problem) -> None:
        pass


def test_a_forgotten_problem_is_named() -> None:
    solver = Forgetful()
    solver.prepare(STATIC)
    expected = "Forgetful has no attribute 'problem'; a prepare of your own begins with super().prepare(problem)"
    with pytest.raises(AttributeError) as caught:
        solver.problem  # noqa: B018 - what `solve` reads first
    assert str(caught.value) == expected
    with pytest.raises(AttributeError, match=r"^Forgetful has no attribute 'matrix'$"):
        solver.matrix  # type: ignore[attr-defined]  # noqa: B018 - a slip of the author's


class Static(Still):
    """Reads one Hamiltonian in the methods that it is told to."""

    knowledge = Knowledge.HAMILTONIAN
    reads_in: str = ""

    def supports(self, problem: Problem) -> str | None:
        if self.reads_in == "supports":
            problem.hamiltonian  # noqa: B018 - a driven model has none
        return "two spins are too few" if self.reads_in == "refuses" else None

    def estimate(self, problem: Problem) -> Cost | None:
        return Cost(float(len(problem.hamiltonian.terms)), 2.0) if self.reads_in == "estimate" else None


@pytest.mark.parametrize(
    ("reads_in", "static", "driven"),
    [
        ("", (None, None), (None, None)),
        ("refuses", ("two spins are too few", None), ("two spins are too few", None)),
        ("supports", (None, None), ("the model is driven, and this solver evolves under one Hamiltonian", None)),
        (
            "estimate",
            (None, Cost(1.0, 2.0)),
            ("the model is driven, and this solver evolves under one Hamiltonian", None),
        ),
    ],
)
def test_the_outlook_is_a_refusal_or_a_cost(reads_in: str, static: object, driven: object) -> None:
    assert outlook(Static(reads_in=reads_in), STATIC) == static
    assert outlook(Static(reads_in=reads_in), DRIVEN) == driven


def test_a_cost_in_integers_beyond_any_word_is_a_number() -> None:
    # Such a prediction could not be sent, and ended the worker.
    class Exact(Still):
        def estimate(self, problem: Problem) -> Cost:
            return Cost(bytes=16 << 100, operations=10**400)

    assert outlook(Exact(), STATIC) == (None, Cost(float(16 << 100), math.inf))
