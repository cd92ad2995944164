"""Runs the checks on one solver."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qdynbench.testing import behaviour, declaration, learned, oracles, output
from qdynbench.testing.check import Check
from qdynbench.testing.outcome import CheckResult, outcome_of
from qdynbench.testing.subject import Subject

if TYPE_CHECKING:
    from qdynbench.contract.solver import Solver

CHECKS: tuple[Check, ...] = (
    *declaration.CHECKS,
    *learned.FIRST,
    *declaration.AFTER_FIT,
    *output.CHECKS,
    *behaviour.CHECKS,
    *learned.CHECKS,
    *oracles.CHECKS,
)
BY_NAME = {check.name: check for check in CHECKS}


def run_checks(
    solver_class: type[Solver],
    parameters: Mapping[str, Any],
    *,
    name: str = "",
    progress: Callable[[CheckResult], None] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> list[CheckResult]:
    """Run every check in this process and return the outcomes in order; `passed` says whether they are good enough.

    Args:
        solver_class: the solver.
        parameters: its parameters, as in `name[key=value]`.
        name: as registered; default: the name of the class.
        progress: called with each outcome as soon as it is there.
        overrides: parameters for the kit alone, on top of the others, such as a shorter training.

    Raises:
        InputError: the class is no solver, or does not take the parameters.
    """
    with tempfile.TemporaryDirectory(prefix="qdynbench-check-") as folder:
        subject = Subject(
            solver_class, {**parameters, **(overrides or {})}, name or solver_class.__name__, Path(folder)
        )
        subject.blank()
        results = []
        exempt: set[str] = set()
        for check in CHECKS:
            reason = check.applies(solver_class)
            if reason is None:
                result = perform(check, subject)
            elif check.name.startswith("oracle_") and oracles.sees_hamiltonian(solver_class) is not None:
                # One line for all oracles says as much as one for each.
                if "oracles" in exempt:
                    continue
                exempt.add("oracles")
                result = CheckResult("oracles", "skipped", f"none applies: {reason}")
            else:
                result = CheckResult(check.name, "skipped", reason)
            results.append(result)
            if progress is not None:
                progress(result)
        return results


def passed(results: Iterable[CheckResult]) -> bool:
    """Return whether at least one check ran and none failed."""
    ran = [result.status for result in results if result.status != "skipped"]
    return bool(ran) and "failed" not in ran


def perform(check: Check, subject: Subject) -> CheckResult:
    """Make a check, and first those it needs; each is made once for a subject."""
    if check.name in subject.results:
        return subject.results[check.name]
    for name in check.needs:
        needed = BY_NAME[name]
        if needed.applies(subject.solver_class) is None and perform(needed, subject).status != "passed":
            return CheckResult(check.name, "skipped", f"says nothing unless {name} passes")
    result = outcome_of(check.name, lambda: check.run(subject))
    subject.results[check.name] = result
    return result
