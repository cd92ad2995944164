"""`qdynbench plugins`: what is installed and what is broken."""

from __future__ import annotations

from qdynbench.cli.options import Plugins


def plugins(plugin: Plugins = None) -> int:
    """Show what was found, what registers what, and what is broken."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from qdynbench.plugins.registry import Registry

    registry = Registry.discover(plugin or ())
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("plugin", "version", "registers"):
        table.add_column(heading)
    for found in registry.plugins.values():
        if found.problem:
            table.add_row(Text(found.name), found.version, Text(f"broken: {found.problem}", style="red"))
            continue
        names = [
            f"{kind}: {', '.join(entry.name for entry in entries.values() if entry.plugin == found.name)}"
            for kind, entries in registry.entries.items()
            if any(entry.plugin == found.name for entry in entries.values())
        ]
        table.add_row(Text(found.name), found.version, Text("\n".join(names) or "nothing"))
    console = Console()
    console.print(table)
    for found in registry.plugins.values():
        if found.details:
            console.print(Text(f"\n{found.name}:\n{found.details}", style="dim"))
    return 0
