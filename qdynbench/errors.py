"""The errors that are shown to the user, with the remedy in their message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class QdynbenchError(Exception):
    """An error that `qdynbench` reports as a message instead of a traceback."""


class InputError(QdynbenchError):
    """The task, the command line or a plugin is wrong, and nothing has run (exit status 2)."""


class InvalidOutput(QdynbenchError):
    """A solver is, says or returns something else than a solver has to (status `invalid`)."""


class Unsupported(QdynbenchError):
    """A solver refuses this problem (status `unsupported`); it may raise this in any phase."""


class Infeasible(QdynbenchError):
    """The required memory exceeds the limit (status `infeasible`)."""


class CannotWrite(QdynbenchError):
    """The disk does not take what a run has to keep; the run ends, and can be gone on with."""


def suggestion(name: str, valid: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the valid name nearest to `name`, or all valid names when none is near."""
    valid = sorted(set(valid))
    by_lower = {candidate.lower(): candidate for candidate in valid}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {by_lower[near[0]]!r}?"
    return f"; valid names: {', '.join(valid)}" if valid else ""
