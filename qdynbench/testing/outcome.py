"""How the outcome of a check is told."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from qdynbench.errors import InvalidOutput, Unsupported

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


def outcome_of(name: str, run: Callable[[], str]) -> CheckResult:
    """Make a check and return its outcome; any exception but `Skip` and `Failure` is that of what is checked."""
    try:
        return CheckResult(name, "passed", run())
    except (Skip, Unsupported) as reason:  # a solver may refuse a problem in any phase
        return CheckResult(name, "skipped", str(reason))
    except (Failure, InvalidOutput) as reason:
        return CheckResult(name, "failed", str(reason))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
        return CheckResult(name, "failed", detail)
