"""`qdynbench info`: versions, machine and folders, for bug reports."""

from __future__ import annotations


def info() -> int:
    """Show versions, the machine and where things are kept."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from qdynbench.record import provenance
    from qdynbench.record.folders import RUNS
    from qdynbench.runner.fits import cache_folder
    from qdynbench.text import memory

    machine = provenance.hardware()
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, version in provenance.versions().items():
        table.add_row(name, version)
    table.add_row("commit", provenance.commit() or "not a checkout")
    table.add_row("processor", Text(f"{machine['processor']}, {machine['cores']} cores"))
    table.add_row("memory", memory(machine["memory"]))
    table.add_row("runs", Text(str(RUNS.resolve())))
    table.add_row("fits", Text(str(cache_folder())))
    Console().print(table)
    return 0
