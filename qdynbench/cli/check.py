"""`qdynbench check NAME`: the conformance kit and the oracles."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from qdynbench.cli.options import Plugins

if TYPE_CHECKING:
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.plugins.registry import Registry
    from qdynbench.testing import CheckResult


def check(
    name: Annotated[
        str,
        typer.Argument(help="A solver, model, metric or ensemble, with parameters as name[key=value]."),
    ],
    plugin: Plugins = None,
) -> int:
    """Check a solver, model, metric or ensemble against its contract.

    A solver is also held to the answers that are known exactly.
    """
    from rich.console import Console

    from qdynbench.contract.spec import SolverSpec
    from qdynbench.plugins.registry import Registry
    from qdynbench.testing import passed
    from qdynbench.text import plain

    spec = SolverSpec.parse(name)
    console = Console()
    marks = {"passed": "[green]passed[/]", "failed": "[bold red]failed[/]", "skipped": "[yellow]skipped[/]"}

    def show(result: CheckResult) -> None:
        console.print(f"{marks[result.status]}  {result.name}", highlight=False, end="")
        console.print(f"  {plain(result.detail)}" if result.detail else "", highlight=False, markup=False, style="dim")

    results = results_of(spec, Registry.discover(plugin or ()), show)
    counts = {status: sum(result.status == status for result in results) for status in marks}
    ran = counts["passed"] + counts["failed"]
    console.print(
        f"{name}: {ran} checks ran: {counts['passed']} passed, {counts['failed']} failed; {counts['skipped']} skipped",
        markup=False,
        highlight=False,
    )
    return int(not passed(results))


def results_of(spec: SolverSpec, registry: Registry, show: Callable[[CheckResult], None]) -> list[CheckResult]:
    """Make the checks on whatever has this name.

    Raises:
        InputError: nothing has it, or it does not take these parameters.
    """
    from qdynbench.errors import InputError
    from qdynbench.testing import CheckResult, check_ensemble, check_metric, check_model, run_checks

    entry = registry.find_among(("solvers", "models", "metrics", "ensembles"), spec.name)
    if entry.kind == "solvers":
        return run_checks(entry.load(), spec.parameters, name=spec.name, progress=show)
    if entry.kind == "models":
        return check_model(entry.load(), spec.parameters, progress=show)
    if spec.parameters:
        raise InputError(f"{entry.kind[:-1]} {spec.name!r} has no parameters")
    results = (check_metric if entry.kind == "metrics" else check_ensemble)(entry.load(), progress=show)
    if entry.kind == "metrics" and getattr(entry.load(), "name", spec.name) != spec.name:
        said = f"it is registered as {spec.name!r} and calls itself {entry.load().name!r}: the two have to agree"
        results.append(CheckResult("registered_name", "failed", said))
        show(results[-1])
    return results
