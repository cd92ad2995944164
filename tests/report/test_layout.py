from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from qdynbench.report.parts import Column, Span, Table
from qdynbench.report.terminal.layout import cut, flow, lines_of, say, width_of_table, wrapped

CONSOLE = Console(width=80)


def test_columns_are_aligned() -> None:
    table = Table([Column("N"), Column("name", "left"), Column("error", "number")])
    table.rows += [["2", "ed", "<2e-29"], ["10", "a longer name", "1.5e-27±7e-29"], Span(Text("across"))]
    assert [line.plain for line in lines_of(table, CONSOLE, 80)] == [
        " N  name                   error",
        " 2  ed              <2e-29",
        "10  a longer name  1.5e-27±7e-29",
        "across",
    ]
    assert width_of_table(table) == 32


def test_a_number_without_uncertainty_ends_where_the_others_have_their_sign() -> None:
    table = Table([Column("", "number")])
    table.rows += [["0.1±0.01"], ["<1e-20"]]
    _, first, second = (line.plain for line in lines_of(table, CONSOLE, 80))
    assert first.index("±") == len(second)


def test_headings_stand_on_two_lines_and_notes_below() -> None:
    table = Table([Column("N"), Column("paper\nED")], [["2", "0.5"]], ["seconds"])
    assert [line.plain for line in lines_of(table, CONSOLE, 80)] == ["   paper", "N     ED", "2    0.5", "seconds"]


def test_a_name_is_folded_where_the_table_is_too_wide() -> None:
    table = Table([Column("solver", "left"), Column("seconds")], [["qutip[method=krylov,tolerance=1e-10]", "1.0"]])
    lines = [line.plain for line in lines_of(table, CONSOLE, 30)]
    assert lines == ["solver                 seconds", "qutip[method=krylov,t      1.0", "olerance=1e-10]"]


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.sampled_from("ab \n"), max_size=200), st.integers(10, 60), st.integers(0, 5))
def test_wrapped_text_keeps_every_word_and_the_width(text: str, width: int, indent: int) -> None:
    lines = list(wrapped(Text(text), CONSOLE, width, indent))
    assert all(line.cell_len <= width for line in lines)
    assert "".join("".join(line.plain for line in lines).split()) == "".join(text.split())


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)), st.integers(20, 60))
def test_flow_breaks_between_items_alone(items: list[str], width: int) -> None:
    lines = list(flow(items, width))
    assert " · ".join(lines).split(" · ") == (items or [""])
    assert all(cell_len(line) <= width or " · " not in line for line in lines)


@pytest.mark.parametrize(
    ("name", "text"), [("short", "short"), ("exactly ten", "exactly t…"), ("日本語日本語日本語", "日本語日…")]
)
def test_cut(name: str, text: str) -> None:
    assert cut(name, 10) == text
    assert cell_len(cut(name, 10)) <= 10


def test_a_terminal_without_unicode_gets_letters() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    say(Console(file=stream, width=80), ["1.5±0.1 µs · [bold]日[/bold]"])
    stream.flush()
    assert raw.getvalue() == b"1.5~0.1 us | [bold]?[/bold]\n"
