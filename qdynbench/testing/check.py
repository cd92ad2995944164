"""What a check is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qdynbench.contract.solver import Solver
    from qdynbench.testing.subject import Subject


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
