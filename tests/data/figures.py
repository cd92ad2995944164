"""Figures that go well, and figures that go wrong, each in its own way."""

import qdynbench
from qdynbench import hookimpl
from qdynbench.report.parts import Column, Table


class Dots(qdynbench.Figure):
    """Infidelity of every sample at the last step, with a table."""

    def draw(self, run):
        import altair as alt
        import pandas as pd

        rows = pd.DataFrame(
            {"size": cell.size, "infidelity": float(value)}
            for cell in run.cells
            if cell.solver == "persistence"
            for value in run.curves_of(cell)["infidelity"][:, -1]
        )
        if rows.empty:
            raise qdynbench.CannotDraw("no cell of persistence")
        chart = alt.Chart(rows).mark_circle().encode(x=alt.X("size:O", title="number of spins"), y="infidelity:Q")
        return chart.properties(width=100, height=80)

    def table(self, run):
        return Table([Column("spins"), Column("states")], [["2", "4 of each"]])


class Picky(qdynbench.Figure):
    """Needs what no run has."""

    def draw(self, run):
        raise qdynbench.CannotDraw("the run has no cell at 40 spins")


class Broken(qdynbench.Figure):
    """Its code is wrong, in both methods."""

    def draw(self, run):
        return 1 / 0

    def table(self, run):
        return {}["nothing"]


@hookimpl
def register_figures(register):
    for kind in (Dots, Picky, Broken):
        register(kind.__name__.lower(), kind, summary=kind.__doc__)
    register("absent", "no_such_module:Figure", summary="its module is missing")
