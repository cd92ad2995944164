"""How the outcome of a check is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
