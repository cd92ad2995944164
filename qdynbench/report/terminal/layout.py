"""Lines for a terminal of a given width: tables whose numbers are never clipped, and text that wraps between words."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from qdynbench.record.schema import Status
from qdynbench.report.parts import Column, Span, Table
from qdynbench.text import plain

GAP = 2
"""Blanks between two columns."""
NARROWEST = 12
"""Letters that are left of a name where a table is folded."""
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


def lines_of(table: Table, console: Console, width: int) -> Iterator[Text]:
    """Yield the heading, all rows and the notes of a table.

    Lines are no wider than the columns or `width`, whichever is more; where the columns need more, that of the longest
    names at the left is folded.
    """
    shapes = [_shape(column, entries_of(table, index)) for index, column in enumerate(table.columns)]
    names = [number for number, column in enumerate(table.columns) if column.align == "left" and column.heading]
    if names and (excess := width_of_table(table) - width) > 0:
        widest = max(names, key=lambda number: shapes[number][2])
        shapes[widest] = (0, 0, max(NARROWEST, shapes[widest][2] - excess))
    aligns = [column.align for column in table.columns]
    headings = [column.heading.split("\n") for column in table.columns]
    for number in range(high := max(map(len, headings))):
        parts = [Text(([""] * (high - len(one)) + one)[number], "dim") for one in headings]
        yield _line(parts, ["left" if align == "left" else "right" for align in aligns], shapes)
    for row in table.rows:
        if isinstance(row, Span):
            yield from wrapped(_text(row.text), console, width, row.indent)
            continue
        folded = [
            _text(entry).wrap(console, shape[2], overflow="fold") if align == "left" and shape[2] else [_text(entry)]
            for entry, align, shape in zip(row, aligns, shapes, strict=True)
        ]
        for line in itertools.zip_longest(*folded, fillvalue=Text()):
            yield _line(line, aligns, shapes)
    for note in table.notes:
        yield from wrapped(Text(note, "dim"), console, width, 2)


def entries_of(table: Table, index: int) -> list[str | Text]:
    """Return the entries of one column."""
    return [row[index] for row in table.rows if not isinstance(row, Span)]


def width_of(column: Column, entries: Iterable[str | Text]) -> int:
    """Return how much room a column takes."""
    return _shape(column, entries)[2]


def width_of_table(table: Table) -> int:
    """Return how much room the columns take with the gaps between them; lines across are wrapped and do not count."""
    widths = [width_of(column, entries_of(table, index)) for index, column in enumerate(table.columns)]
    return sum(widths) + GAP * (len(widths) - 1)


def _shape(column: Column, entries: Iterable[str | Text]) -> tuple[int, int, int]:
    """Return the width left and right of the `±`, and the width of the whole column."""
    texts = [_text(entry).plain for entry in entries]
    heading = max(map(cell_len, column.heading.split("\n")))
    if column.align != "number":
        return 0, 0, max([heading, *map(cell_len, texts)])
    left, right = (max((cell_len(_around(text)[side]) for text in texts), default=0) for side in (0, 1))
    return left, right, max(heading, left + right)


def _line(entries: Sequence[Text], aligns: Sequence[str], shapes: Sequence[tuple[int, int, int]]) -> Text:
    line = Text()
    for number, (entry, align, (_, right, width)) in enumerate(zip(entries, aligns, shapes, strict=True)):
        after = cell_len(_around(entry.plain)[1]) if align == "number" else 0
        before = 0 if align == "left" else width - (right if align == "number" else 0) - entry.cell_len + after
        line.append(" " * (GAP * bool(number) + before)).append_text(entry)
        line.append(" " * (width - before - entry.cell_len))
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
        # Whatever has come so far, nothing commands the terminal but the styles, which count letters.
        text.plain = "".join(letter if letter.isprintable() else " " for letter in text.plain)
        if not console.encoding.lower().startswith("utf"):
            text.plain = text.plain.translate(ASCII).encode(console.encoding, "replace").decode(console.encoding)
        console.print(text, soft_wrap=True, markup=False, highlight=False)


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _around(cell: str) -> tuple[str, str]:
    """Split an entry where its column is aligned: before the `±`."""
    before, found, after = cell.partition("±")
    return before, found + after
