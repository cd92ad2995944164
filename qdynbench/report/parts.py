"""What the parts of a report hand to each other: tables as data, and what came of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: its name; a line break puts it on two lines.
        align: "number" puts the `±` of all rows below each other; a "left" column is folded where a table is too wide.
    """

    heading: str
    align: Literal["left", "right", "number"] = "right"


@dataclass(frozen=True)
class Span:
    """A line across all columns, wrapped where it is too long."""

    text: str | Text
    indent: int = 0


@dataclass
class Table:
    """Columns, rows of one entry for each column or a line across all of them, and notes that stand below."""

    columns: Sequence[Column]
    rows: list[Sequence[str | Text] | Span] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def headed(heading: str, rows: Sequence[Sequence[str]], width: int) -> list[Sequence[str | Text] | Span]:
    """Return the rows of solvers in the order of their times, the first with a heading; where there is none, say so."""
    found = rows or [["no solver reaches it", *[""] * (width - 1)]]
    return [["" if number else heading, *row] for number, row in enumerate(found)]


@dataclass(frozen=True)
class Drawing:
    """What came of one figure.

    Attributes:
        name: of the figure.
        files: that were written.
        table: what belongs in the terminal, or None.
        reason: why there is no picture or no table, or nothing.
        details: the traceback that belongs to `reason`.
    """

    name: str
    files: tuple[Path, ...] = ()
    table: Table | None = None
    reason: str = ""
    details: str = ""
