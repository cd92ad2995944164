"""The contract of a figure: reads a finished run, gives a chart, and a table where text in a terminal says more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from qdynbench.errors import QdynbenchError

if TYPE_CHECKING:
    from altair.typing import ChartType

    from qdynbench.record.results import Run
    from qdynbench.report.parts import Table


class CannotDraw(QdynbenchError):
    """A run does not hold what a figure shows; the message says what is missing and is shown as one line."""


class Figure(ABC):
    """Draws one picture of one run; altair is imported where it is used.

    The name under which it is registered is that in a task file, and that of the files that are written.
    """

    @abstractmethod
    def draw(self, run: Run) -> ChartType:
        """Return the chart; it is written as PNG and SVG with the core's fonts and colours.

        Raises:
            CannotDraw: the run lacks what is to be shown, such as cells that are missing or failed.
        """

    def table(self, run: Run) -> Table | None:
        """Return what belongs in the terminal, to be shown in 80 columns, or None.

        Raises:
            CannotDraw: the run lacks what is to be shown.
        """
        return None
