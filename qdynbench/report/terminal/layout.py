"""Lines for a terminal of a given width: tables whose numbers are never clipped, and text that wraps between words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from qdynbench.record.schema import Status
from qdynbench.text import plain

GAP = 2
"""Blanks between two columns."""
STATUS_STYLES = {
    Status.OK: "green",
    Status.UNSUPPORTED: "yellow",
    Status.INFEASIBLE: "yellow",
    Status.INVALID: "red",
    Status.FAILED: "red",
    Status.TIMEOUT: "magenta",
    Status.OUT_OF_MEMORY: "magenta",
    Status.CRASHED: "red",
}
ASCII = str.maketrans({"±": "~", "µ": "u", "·": "|", "–": "-", "≥": ">", "×": "x", "…": "~", "─": "-", "│": "|"})
"""What a terminal without Unicode shows instead."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: its name.
        align: "figure" puts the `±` of all rows below each other.
    """

    heading: str
    align: Literal["left", "right", "figure"] = "right"


@dataclass(frozen=True)
class Span:
    """A line across all columns, wrapped where it is too long."""

    text: Text
    indent: int = 0


Row = Sequence[str | Text] | Span
"""One entry for each column, or a line across all of them."""


class Table:
    """Columns and rows; `lines` renders them, `width` tells beforehand how much room that takes."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = list(columns)
        self.rows: list[Row] = []

    @property
    def width(self) -> int:
        """Width of the columns with the gaps between them; lines across are wrapped and do not count."""
        widths = [self._column(index)[2] for index in range(len(self.columns))]
        return sum(widths) + GAP * (len(widths) - 1)

    def position(self, index: int) -> int:
        """Return where a column begins."""
        return sum(self._column(before)[2] + GAP for before in range(index))

    def lines(self, console: Console, width: int) -> Iterator[Text]:
        """Yield the heading and all rows, none wider than the columns or `width`, whichever is more."""
        shapes = [self._column(index) for index in range(len(self.columns))]
        headings = [Text(column.heading, "dim") for column in self.columns]
        yield self._line(headings, [("left" if c.align == "left" else "right") for c in self.columns], shapes)
        for row in self.rows:
            if isinstance(row, Span):
                yield from wrapped(row.text, console, width, row.indent)
            else:
                yield self._line([_text(cell) for cell in row], [column.align for column in self.columns], shapes)

    def _column(self, index: int) -> tuple[int, int, int]:
        """Return the width left and right of the `±`, and the width of the whole column."""
        cells = [_text(row[index]).plain for row in self.rows if not isinstance(row, Span)]
        heading = cell_len(self.columns[index].heading)
        if self.columns[index].align != "figure":
            return (0, 0, max([heading, *map(cell_len, cells)]))
        parts = [_around(cell) for cell in cells]
        left = max((cell_len(part[0]) for part in parts), default=0)
        right = max((cell_len(part[1]) for part in parts), default=0)
        return (left, right, max(heading, left + right))

    @staticmethod
    def _line(cells: list[Text], aligns: Sequence[str], shapes: Sequence[tuple[int, int, int]]) -> Text:
        line = Text()
        for cell, align, (_, right, width) in zip(cells, aligns, shapes, strict=True):
            if line.cell_len:
                line.append(" " * GAP)
            if align == "left":
                line.append_text(cell).append(" " * (width - cell.cell_len))
            elif align == "right":
                line.append(" " * (width - cell.cell_len)).append_text(cell)
            else:
                before, after = map(cell_len, _around(cell.plain))
                line.append(" " * (width - right - before)).append_text(cell).append(" " * (right - after))
        line.rstrip()
        return line


def wrapped(text: Text, console: Console, width: int, indent: int = 0) -> Iterator[Text]:
    """Yield a text in lines of at most `width`; all but the first begin with `indent` blanks."""
    first, *rest = text.wrap(console, width) or [Text()]
    first.rstrip()
    yield first
    for line in rest:
        line.rstrip()
    if rest:
        for line in Text(" ").join(rest).wrap(console, max(1, width - indent)):
            line.rstrip()
            yield Text(" " * indent).append_text(line)


def flow(items: Iterable[str], width: int, separator: str = " · ") -> Iterator[str]:
    """Yield lines of items with separators, broken between items where one would pass `width`."""
    line = ""
    for item in filter(None, items):
        if line and cell_len(line + separator + item) > width:
            yield line
            line = item
        else:
            line = f"{line}{separator}{item}" if line else item
    if line:
        yield line


def cut(text: str, width: int) -> str:
    """Return a name that takes at most `width`, its end replaced by `…` where it is longer."""
    if cell_len(text) <= width:
        return text
    while cell_len(text) >= width:
        text = text[:-1]
    return text + "…"


def status_text(status: Status, reason: str) -> Text:
    """Return a status in its colour, and its reason."""
    text = Text(status.value, STATUS_STYLES[status])
    return text.append(f": {plain(reason)}", "default") if reason else text


def say(console: Console, lines: Iterable[Text | str]) -> None:
    """Print lines as they are: no markup, no clipping; a terminal that has no Unicode gets the nearest letters."""
    for line in lines:
        text = _text(line)
        if not console.encoding.lower().startswith("utf"):
            text.plain = text.plain.translate(ASCII).encode(console.encoding, "replace").decode(console.encoding)
        console.print(text, soft_wrap=True, markup=False, highlight=False)


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _around(cell: str) -> tuple[str, str]:
    """Split an entry where its column is aligned: before the `±`."""
    before, found, after = cell.partition("±")
    return before, found + after
