"""The errors that a user is meant to read, each with what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QdynbenchError(Exception):
    """Anything that `qdynbench` reports in one message instead of a traceback."""


class InputError(QdynbenchError):
    """The task, the command line or a plugin is wrong: nothing has run (exit status 2)."""


class InvalidOutput(QdynbenchError):
    """A solver returned something that is not a trajectory of the problem (status `invalid`)."""


class Unsupported(QdynbenchError):
    """A solver does not take this problem (status `unsupported`); a solver may raise it in any phase."""


class Infeasible(QdynbenchError):
    """The memory that is needed is more than the limit (status `infeasible`)."""


def suggestion(name: str, valid: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the valid name nearest to `name`, or all valid names when none is near."""
    valid = sorted(valid)
    by_lower = {candidate.lower(): candidate for candidate in valid}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {by_lower[near[0]]!r}?"
    return f"; valid names: {', '.join(valid)}" if valid else ""
