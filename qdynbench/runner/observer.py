"""What a run tells whoever watches it; the terminal display and tests override what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qdynbench.contract.spec import SolverSpec
    from qdynbench.record.schema import CellRecord, FitRecord
    from qdynbench.runner.plan import Cell, Plan


class Observer:
    """Watches a run; every method may be left as it is."""

    def starting(self, workers: int) -> None:
        """Worker processes are being started."""

    def planned(self, plan: Plan, fits: Mapping[str, FitRecord | None]) -> None:
        """The plan stands, each cell with its predicted cost; fits that are None have to be made."""

    def fitting(self, spec: SolverSpec, fraction: float, values: Mapping[str, float]) -> None:
        """A fit is under way."""

    def noted(self, spec: SolverSpec, text: str) -> None:
        """A fit has something to say that whoever reads the result has to know."""

    def fitted(self, record: FitRecord) -> None:
        """A fit is there: shipped, kept, made or failed."""

    def phase(self, cell: Cell, phase: str) -> None:
        """A cell enters or is within a phase."""

    def finished(self, record: CellRecord, *, reused: bool) -> None:
        """A cell has ended."""

    def drawing(self, names: Sequence[str]) -> None:
        """All cells have ended, and the figures are being drawn."""
