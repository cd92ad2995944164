"""`qdynbench clean`: remove the fits that were kept for later runs."""

from __future__ import annotations

from typing import Annotated

import typer


def clean(
    days: Annotated[
        float, typer.Option("--days", min=0.0, help="Only fits that no run has used for so many days.")
    ] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Remove the fits of learned solvers that were kept for later runs."""
    from datetime import UTC, datetime, timedelta

    from rich.console import Console

    from qdynbench.runner.fits import kept_fits, remove_fit
    from qdynbench.text import count, memory

    console = Console(soft_wrap=True, highlight=False, markup=False)
    before = datetime.now(UTC) - timedelta(days=days)
    old = [fit for fit in kept_fits() if fit.used <= before]
    if not old:
        console.print("no fits to remove")
        return 0
    solvers = ", ".join(sorted({fit.solver for fit in old}))
    what = f"{count(len(old), 'fit')} of {solvers}, {memory(sum(fit.bytes for fit in old))}"
    if not yes and not typer.confirm(f"Remove {what}? Runs that need them again have to train anew"):
        return 0
    busy = [fit for fit in old if not remove_fit(fit)]
    console.print(f"removed {what}" + (f"; {count(len(busy), 'fit')} in use stayed" if busy else ""))
    return 0
