"""`qdynbench check SOLVER`: the conformance kit and the oracles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    solver: Annotated[str, typer.Argument(help="A solver, with parameters if it needs them: name[key=value].")],
    plugin: Annotated[list[Path] | None, typer.Option("--plugin", help="A single-file plugin to load.")] = None,
) -> int:
    """Check that a solver keeps the contract, and hold it to the answers that are known exactly."""
    from rich.console import Console

    from qdynbench.contract.spec import SolverSpec
    from qdynbench.plugins.registry import Registry
    from qdynbench.testing import CheckResult, passed, run_checks

    spec = SolverSpec.parse(solver)
    solver_class = Registry.discover(plugin or ()).load("solvers", spec.name)
    console = Console()
    marks = {"passed": "[green]passed[/]", "failed": "[bold red]failed[/]", "skipped": "[yellow]skipped[/]"}

    def show(result: CheckResult) -> None:
        console.print(f"{marks[result.status]}  {result.name}", highlight=False, end="")
        console.print(f"  {result.detail}" if result.detail else "", highlight=False, markup=False, style="dim")

    results = run_checks(solver_class, spec.parameters, name=spec.name, progress=show)
    counts = {status: sum(result.status == status for result in results) for status in marks}
    ran = counts["passed"] + counts["failed"]
    console.print(
        f"{solver}: {ran} checks ran: {counts['passed']} passed, {counts['failed']} failed; "
        f"{counts['skipped']} skipped",
        markup=False,
        highlight=False,
    )
    return int(not passed(results))
