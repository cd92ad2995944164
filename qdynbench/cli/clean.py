"""`qdynbench clean`: remove the fits that were kept for later runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qdynbench.runner.kept_fits import KeptFit


def clean(
    days: Annotated[
        float, typer.Option("--days", min=0.0, help="Only fits that no run has used for so many days.")
    ] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Remove the fits that were kept for later runs.

    A fit that is being made stays, and so does whatever is not a fit.
    """
    import sys
    from datetime import UTC, datetime

    from rich.console import Console

    from qdynbench.errors import InputError
    from qdynbench.runner.kept_fits import kept_fits, remove_fit
    from qdynbench.text import count

    console = Console(soft_wrap=True, highlight=False, markup=False)
    now = datetime.now(UTC)
    old = [fit for fit in kept_fits() if max(0.0, (now - fit.used).total_seconds()) >= 86400 * days]
    if not old:
        console.print("no fits to remove")
        return 0
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"{_said(old)} would be removed; --yes does it without a question")
        try:
            agreed = typer.confirm(f"Remove {_said(old)}? Runs that need them again have to train anew")
        except typer.Abort as error:
            raise InputError("nothing was removed") from error
        if not agreed:
            return 0
    gone = [fit for fit in old if remove_fit(fit)]
    stayed = f"{count(len(old) - len(gone), 'fit')} in use stayed" if len(gone) < len(old) else ""
    console.print("; ".join(filter(None, [f"removed {_said(gone)}" if gone else "", stayed])))
    return 0


def _said(fits: Sequence[KeptFit]) -> str:
    from qdynbench.text import SHOWN, count, memory, plain

    solvers = plain(", ".join(sorted({fit.solver for fit in fits})), SHOWN)
    return f"{count(len(fits), 'fit')} of {solvers}, {memory(sum(fit.bytes for fit in fits))}"
