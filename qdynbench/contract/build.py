"""Build a solver from its class and parameters, and ask whether it takes a problem."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping

import pydantic

from qdynbench.contract.problem import Knowledge, Problem
from qdynbench.contract.solver import Cost, Solver
from qdynbench.errors import InputError, Unsupported, suggestion


def parameters_of(solver: Solver | type[Solver]) -> list[str]:
    """Return the names of a solver's parameters: its annotated fields, except private ones."""
    fields = dataclasses.fields(solver)  # type: ignore[arg-type]
    return [field.name for field in fields if field.init and not field.name.startswith("_")]


def build(solver_class: type[Solver], name: str, parameters: Mapping[str, object]) -> Solver:
    """Build a solver from parameters, which are checked against the annotations of its fields.

    Raises:
        InputError: the class is no solver, a parameter is unknown, or a value has the wrong type.
    """
    if not (isinstance(solver_class, type) and issubclass(solver_class, Solver)):
        raise InputError(
            f"{name!r} is registered as a solver but {solver_class!r} is not a subclass of qdynbench.Solver"
        )
    if not hasattr(solver_class, "knowledge"):
        raise InputError(f"solver {name!r} does not declare its knowledge, such as Knowledge.HAMILTONIAN")
    if not isinstance(solver_class.knowledge, Knowledge):
        names = ", ".join(f"Knowledge.{one.name}" for one in Knowledge)
        raise InputError(f"solver {name!r}: knowledge is {solver_class.knowledge!r} and none of {names}")
    known = parameters_of(solver_class)
    for attribute in ("accuracy", "protocol"):
        if unknown := set(getattr(solver_class, attribute)) - set(known):
            raise InputError(f"solver {name!r}: {attribute} names {min(unknown)!r}, which is none of its parameters")
    hints = typing.get_type_hints(solver_class, include_extras=True)
    values = {}
    for key, value in parameters.items():
        if key not in known:
            hint = suggestion(key, known) if known else "; it has none"
            raise InputError(f"solver {name!r} has no parameter {key!r}{hint}")
        try:
            values[key] = pydantic.TypeAdapter(hints[key]).validate_python(value, strict=False)
        except pydantic.ValidationError as error:
            message = error.errors()[0]["msg"]
            raise InputError(f"solver {name!r}: {key}={value}: {message[:1].lower()}{message[1:]}") from error
    try:
        solver: Solver = solver_class(**values)
    except (TypeError, ValueError) as error:
        raise InputError(f"solver {name!r}: {error}") from error
    return solver


def outlook(solver: Solver, problem: Problem) -> tuple[str | None, Cost | None]:
    """Return why a solver refuses a problem, or None, and the cost that it predicts for one that it takes."""
    try:
        refusal = solver.supports(problem)
        cost = None if refusal is not None else solver.estimate(problem)
        return refusal, None if cost is None else Cost(_real(cost.bytes), _real(cost.operations), cost.error)
    except Unsupported as error:
        return str(error), None


def _real(number: float) -> float:
    """Return a number as a float, infinite where it is an integer beyond the range of floats."""
    try:
        return float(number)
    except OverflowError:
        return math.inf
