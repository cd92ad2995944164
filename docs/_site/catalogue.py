"""What is registered, as tables: solvers, models, ensembles, metrics, figures and tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from _site.commands import plain
from _site.pages import PACKAGES
from qdynbench.plugins.registry import Entry, Registry

SEES = {"hamiltonian": "Hamiltonian", "parameters": "parameters", "trajectories": "trajectories"}


class Registered(SphinxDirective):
    """A table of all that is registered of one kind."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        kind = self.arguments[0]
        entries = Registry.discover().entries[kind].values()
        headings, row = ROWS.get(kind, (("name", "what it is"), lambda entry: (name(entry), plain(entry.summary))))
        lines = [headings, ["---"] * len(headings), *map(row, entries)]
        return self.parse_text_to_nodes("\n".join(f"| {' | '.join(line)} |" for line in lines))


def name(entry: Entry) -> str:
    """Return the name, with a link to the page of its package where it has one."""
    page = PACKAGES / f"qdynbench-{entry.plugin}.md"
    return f"[`{entry.name}`](/packages/{page.name})" if page.is_file() else f"`{entry.name}`"


def solver(entry: Entry) -> Iterator[str]:
    """Yield the row of a solver."""
    yield from (name(entry), SEES[entry.load().knowledge.value], plain(entry.summary))


def metric(entry: Entry) -> Iterator[str]:
    """Yield the row of a metric."""
    found = entry.load()
    unit, better = getattr(found, "unit", "1"), getattr(found, "better", "lower")
    yield from (name(entry), plain(entry.summary), plain(unit), better)


Row = Callable[[Entry], Iterator[str]]
ROWS: dict[str, tuple[tuple[str, ...], Row]] = {
    "solvers": (("solver", "sees", "what it is"), solver),
    "metrics": (("metric", "what it is", "unit", "better"), metric),
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("registered", Registered)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
