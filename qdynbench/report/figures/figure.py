"""The contract of a figure: reads a finished run, gives a chart, and a table where text in a terminal says more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from qdynbench.errors import QdynbenchError

if TYPE_CHECKING:
    from altair.typing import ChartType
    from rich.table import Table

    from qdynbench.record.results import Run


class CannotDraw(QdynbenchError):
    """A run does not hold what a figure shows; the message says what is missing and is shown as one line."""


class Figure(ABC):
    """Draws one picture of one run; altair is imported where it is used.

    Class attributes:
        name: as it is registered, as in the task file, and of the files that are written.
    """

    name: ClassVar[str]

    @abstractmethod
    def draw(self, run: Run) -> ChartType:
        """Return the chart; it is written as PNG and SVG with the core's fonts and colours.

        Raises:
            CannotDraw: the run lacks what is to be shown, such as cells that are missing or failed.
        """

    def table(self, run: Run) -> Table | None:
        """Return what belongs in the terminal as text, at most 80 columns wide, or None.

        Raises:
            CannotDraw: the run lacks what is to be shown.
        """
        return None
