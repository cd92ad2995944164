"""What a check is, and how its outcome is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from qdynbench.contract.solver import Solver
    from qdynbench.testing.subject import Subject

Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check.

    Attributes:
        name: of the check, such as `bit_order` or `oracle_rabi`.
        status: "passed", "failed" or "skipped".
        detail: the figure that was found, what is wrong, or why the check did not run.
    """

    name: str
    status: Status
    detail: str = ""


class Failure(Exception):
    """The solver does not keep the contract; the message says what was expected and what came."""


class Skip(Exception):
    """The check cannot be made; the message says why."""


def always(_: type[Solver]) -> str | None:
    """Apply a check to every solver."""
    return None


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: as shown.
        run: makes the check and returns a detail worth showing; raises `Failure` or `Skip`. Any other exception
            is the solver's and counts as a failure.
        applies: says why a class of solver is exempt, or None.
        needs: names of the checks without which this one says nothing.
    """

    name: str
    run: Callable[[Subject], str]
    applies: Callable[[type[Solver]], str | None] = always
    needs: tuple[str, ...] = ()
