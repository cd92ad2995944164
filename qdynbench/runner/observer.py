"""The events of a run that an observer, such as the display in the terminal, can follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qdynbench.contract.spec import SolverSpec
from qdynbench.record.schema import CellRecord, FitRecord
from qdynbench.runner.plan import Cell, Plan


class Observer:
    """Follows a run; subclasses override the methods that they need."""

    def starting(self, workers: int) -> None:
        """Worker processes are being started."""

    def planned(self, plan: Plan, fits: Mapping[str, FitRecord | None]) -> None:
        """The plan is complete, each cell with its predicted cost; fits that are None have to be made."""

    def remarked(self, text: str) -> None:
        """The user has to know something."""

    def fitting(self, spec: SolverSpec, fraction: float, values: Mapping[str, float]) -> None:
        """A fit is under way."""

    def noted(self, spec: SolverSpec, text: str) -> None:
        """A fit has a remark for the reader of the result."""

    def fitted(self, record: FitRecord) -> None:
        """A fit is available (shipped, cached or made) or has failed."""

    def phase(self, cell: Cell, phase: str) -> None:
        """A cell enters a phase, or continues it."""

    def finished(self, record: CellRecord, *, reused: bool) -> None:
        """A cell has ended."""

    def drawing(self, names: Sequence[str]) -> None:
        """All cells have ended, and the figures are being drawn."""
