"""`qdynbench run`: run a task, watch it, see the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    task: Annotated[str, typer.Argument(help="A task file, or the name of a shipped task.")],
    solver: Annotated[
        list[str] | None, typer.Option("--solver", "-s", help="Run this solver and not the task's; may be repeated.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the task, such as times.steps=500.")
    ] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Train learned solvers anew.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Drop what an earlier run left in the folder.")] = False,
    plugin: Annotated[list[Path] | None, typer.Option("--plugin", help="A single-file plugin to load.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run directory; default runs/<task name>.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads; default: all cores.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no report.")] = False,
) -> int:
    """Run a task: every solver on every case, accuracy and cost."""
    from rich.console import Console

    from qdynbench import api
    from qdynbench.cli.options import overrides
    from qdynbench.cli.progress import watch

    console = Console(stderr=True, quiet=quiet)
    with watch(console) as observer:
        done = api.run(
            task,
            solvers=solver or (),
            overrides=overrides(set_ or []),
            plugins=plugin or (),
            out=out,
            refit=refit,
            fresh=fresh,
            dry_run=dry_run,
            device=device,
            threads=threads,
            observer=observer,
        )
    if done is None:
        return 0
    if not quiet:
        from qdynbench.report.terminal import show

        show(done, Console())
    return done.exit_status
