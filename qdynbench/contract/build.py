"""Build a solver from its class and parameters, and ask whether it takes a problem."""

from __future__ import annotations

import dataclasses
import math
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, SupportsFloat

import pydantic

from qdynbench.contract.learned import LearnedSolver
from qdynbench.contract.problem import Knowledge, Problem
from qdynbench.contract.solver import Cost, Solver
from qdynbench.errors import InputError, InvalidOutput, QdynbenchError, Unsupported, suggestion


def parameters_of(solver: Solver | type[Solver]) -> list[str]:
    """Return the names of a solver's parameters: its annotated fields, except private ones."""
    fields = dataclasses.fields(solver)  # type: ignore[arg-type]
    return [field.name for field in fields if field.init and not field.name.startswith("_")]


def build(solver_class: type[Solver], name: str, parameters: Mapping[str, object]) -> Solver:
    """Build a solver from parameters, which are checked against the annotations of its fields.

    Raises:
        InvalidOutput: the class is not what a solver has to be.
        InputError: a parameter is unknown, missing or refused, or a value has the wrong type.
        QdynbenchError: it cannot be built at all, which is no fault of the task.
    """
    if not (isinstance(solver_class, type) and issubclass(solver_class, Solver)):
        raise InvalidOutput(
            f"{name!r} is registered as a solver but {solver_class!r} is not a subclass of qdynbench.Solver"
        )
    if not hasattr(solver_class, "knowledge"):
        raise InvalidOutput(f"solver {name!r} does not declare its knowledge, such as Knowledge.HAMILTONIAN")
    if not isinstance(solver_class.knowledge, Knowledge):
        names = ", ".join(f"Knowledge.{one.name}" for one in Knowledge)
        raise InvalidOutput(f"solver {name!r}: knowledge is {solver_class.knowledge!r} and none of {names}")
    if missing := sorted(solver_class.__abstractmethods__):
        raise InvalidOutput(f"solver {name!r}: {solver_class.__name__} does not define {' and '.join(missing)}")
    known = parameters_of(solver_class)
    for attribute in ("accuracy", "protocol"):
        if unknown := [each for each in _names(attribute, getattr(solver_class, attribute)) if each not in known]:
            raise InvalidOutput(f"solver {name!r}: {attribute} names {unknown[0]!r}, which is none of its parameters")
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
    if missing := [key for key in known if key not in values and _required(solver_class, key)]:
        raise InputError(f"solver {name!r} needs a value of its parameter {missing[0]!r}")
    try:
        solver: Solver = solver_class(**values)
    except (TypeError, ValueError, InputError) as error:
        refused = _refused(solver_class, values)
        raise (InputError if refused else QdynbenchError)(f"solver {name!r}: {error}") from error
    return solver


def _refused(solver_class: type[Solver], values: Mapping[str, object]) -> bool:
    """Return whether it is the values that a solver refuses: without those that it can do without it can be built."""
    needed = {key: value for key, value in values.items() if _required(solver_class, key)}
    if needed == values:
        return bool(values)
    try:
        solver_class(**needed)
    except Exception:  # whatever its own code raises
        return bool(needed)
    return True


def _required(solver_class: type[Solver], name: str) -> bool:
    field = {each.name: each for each in dataclasses.fields(solver_class)}[name]  # type: ignore[arg-type]
    return field.default is field.default_factory is dataclasses.MISSING


@dataclass(frozen=True)
class Declared:
    """What a solver says of itself, in the types that it has to have.

    Attributes:
        knowledge, label, accuracy, protocol: see `Solver`.
        learned: whether it has to be fitted first.
        shipped: folders of weights that came with it.
        starts_from: folder of the weights from which its fit starts, or None.
    """

    knowledge: Knowledge
    label: str
    accuracy: tuple[str, ...]
    protocol: tuple[str, ...]
    learned: bool
    shipped: tuple[str, ...]
    starts_from: str | None


def declared(solver: Solver) -> Declared:
    """Ask a solver what it says of itself.

    Raises:
        InvalidOutput: something is not of its type; the message names it.
    """
    learned = solver if isinstance(solver, LearnedSolver) else None
    shipped = () if learned is None else _expect("shipped", learned.shipped(), (list, tuple), "a list of folders")
    start = None if learned is None else learned.starts_from()
    return Declared(
        knowledge=_expect("knowledge", solver.knowledge, Knowledge, "a member of qdynbench.Knowledge"),
        label=_expect("label", solver.label, str, "a text"),
        accuracy=_names("accuracy", solver.accuracy),
        protocol=_names("protocol", solver.protocol),
        learned=learned is not None,
        shipped=tuple(_folder("shipped", folder) for folder in shipped),
        starts_from=None if start is None else _folder("starts_from", start),
    )


def outlook(solver: Solver, problem: Problem) -> tuple[str | None, Cost | None]:
    """Return why a solver refuses a problem, or None, and the cost that it predicts for one that it takes.

    Raises:
        InvalidOutput: it answers with something else; the message names what it was asked.
    """
    try:
        refusal: str | None = _expect("supports", solver.supports(problem), (str, NoneType), "a reason or None")
        cost: Any = None if refusal is not None else solver.estimate(problem)
    except Unsupported as error:
        return str(error), None
    if _expect("estimate", cost, (Cost, NoneType), "a qdynbench.Cost or None") is None:
        return refusal, None
    promised = None if cost.error is None else _real("its error", cost.error)
    return None, Cost(_real("bytes", cost.bytes), _real("operations", cost.operations), promised)


def _expect(name: str, found: Any, kind: type | tuple[type, ...], what: str) -> Any:
    if not isinstance(found, kind):
        raise InvalidOutput(f"{what} expected from {name}, {_kind(found)} came")
    return found


def _names(name: str, found: Any) -> tuple[str, ...]:
    for each in _expect(name, found, (list, tuple), "names of parameters"):
        _expect(name, each, str, "names of parameters")
    return tuple(found)


def _folder(name: str, found: Any) -> str:
    return str(_expect(name, os.fspath(_expect(name, found, (str, os.PathLike), "a folder")), str, "a folder"))


def _real(name: str, number: Any) -> float:
    """Return a number as a float, infinite where it is an integer beyond the range of floats."""
    try:
        found = float(_expect("estimate", number, SupportsFloat, f"a number as {name}"))
    except OverflowError:
        return math.inf
    if not found >= 0:
        raise InvalidOutput(f"a number as {name} expected from estimate, {found} came")
    return found


def _kind(found: object) -> str:
    return "None" if found is None else f"a {type(found).__name__}"
