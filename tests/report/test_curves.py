from __future__ import annotations

import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rich.console import Console

from qdynbench.record.results import Run
from qdynbench.report.terminal.curves import curves, decades, mean_curves, observed_panel, panel, spread

Curves = dict[str, NDArray[np.float64]]
TIMES = np.linspace(0, 0.2, 101)


def lines_of(curves: Curves, width: int = 80) -> list[str]:
    return [line.plain for line in panel(curves, TIMES, width)]


def braille_rows(lines: list[str]) -> list[int]:
    return [number for number, line in enumerate(lines) if any("⠀" < letter <= "⣿" for letter in line)]


def test_curves_are_means_over_the_samples(usual: Run) -> None:
    cell = usual.cell("sru", 8, 0)
    assert cell is not None
    expected = usual.curves_of(cell)["infidelity"].mean(axis=0)
    found = mean_curves(usual, "infidelity", 8)
    assert list(found) == ["ed", "ed[mode=per_state]", "sru", "persistence", "local-generator"]
    np.testing.assert_allclose(found["sru"], expected, rtol=1e-5)


@pytest.mark.parametrize("width", [80, 160])
def test_the_largest_size_is_drawn_and_every_curve_named(usual: Run, width: int) -> None:
    console = Console(width=width, file=io.StringIO())
    lines = [line.plain for line in curves(usual, console)]
    text = "\n".join(lines)
    assert text.count("8 spins") == 2
    for solver in ("ed", "ed[mode=per_state]", "sru", "persistence", "local-generator"):
        assert len(re.findall(rf"│ {re.escape(solver)}(?!\S)", text)) == 2
    assert "│ linear" not in text  # has nothing at 8 spins
    assert max(map(len, lines)) <= width


def test_a_curve_is_named_in_the_row_where_it_ends() -> None:
    rising = np.geomspace(1e-12, 1e-1, 101)
    lines = lines_of({"rising": rising, "low": np.full(101, 1e-9)})
    named = {name: next(n for n, line in enumerate(lines) if f"│ {name}" in line) for name in ("rising", "low")}
    assert named["rising"] == min(braille_rows(lines))
    assert lines[named["low"]].count("⠒") + lines[named["low"]].count("⣀") + lines[named["low"]].count("⠤") > 20


def test_values_below_rounding_run_along_the_lower_edge() -> None:
    lines = lines_of({"good": np.full(101, 1e-30), "zero": np.zeros(101), "fair": np.full(101, 1e-5)})
    edge = next(number for number, line in enumerate(lines) if "≤1e-6" in line)
    assert edge in braille_rows(lines)
    assert decades([np.full(101, 1e-30)]) == (-17, -16, True)
    assert decades([np.geomspace(1e-9, 0.5, 101)]) == (-9, 0, False)


def test_undefined_values_leave_gaps_and_no_error() -> None:
    gaps = np.full(101, 1e-3)
    gaps[:50] = np.nan
    assert "│ gaps" in "\n".join(lines_of({"gaps": gaps, "never": np.full(101, np.nan)}))
    assert "│ never" not in "\n".join(lines_of({"gaps": gaps, "never": np.full(101, np.nan)}))


def test_more_curves_than_rows_get_more_rows() -> None:
    lines = lines_of({f"solver{number}": np.full(101, 1e-3) for number in range(20)})
    assert all(any(f"│ solver{number}" in line for line in lines) for number in range(20))


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.floats(0, 11), max_size=12))
def test_names_share_no_row_and_keep_their_order(heights: list[float]) -> None:
    named = {f"s{number}": height for number, height in enumerate(heights)}
    rows = spread(named, 12)
    assert sorted(rows.values()) == sorted(named)
    assert all(0 <= row < 12 for row in rows)
    ordered = [named[rows[row]] for row in sorted(rows)]
    assert ordered == sorted(ordered)


def test_a_terminal_without_unicode_gets_no_braille(usual: Run) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert list(curves(usual, Console(width=80, file=stream))) == []


def test_an_observable_is_drawn_as_it_is_from_time_0_on() -> None:
    curves = {"tebd": np.cos(10 * TIMES), "persistence": np.ones_like(TIMES)}
    lines = [line.plain for line in observed_panel(curves, TIMES, 80)]
    assert max(map(len, lines)) <= 80
    assert lines[1].lstrip().startswith("1┤")
    assert lines[1].endswith("persistence")
    assert lines[-3].endswith("tebd")
    assert f"{np.cos(2.0):.2g}┤" in lines[-3]
    assert braille_rows(lines)[0] == 1
