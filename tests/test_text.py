from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdynbench import text as write


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((6.1234e-7, 5.3e-7, 6.9e-7), "6.1e-7±8e-8"),
        ((0.1455, 0.1376, 0.15425), "0.145±0.009"),
        ((17.31, 17.2, 17.4), "17.31±0.11"),
        ((9.996e-3, 9.5e-3, 1.06e-2), "0.0100±0.0006"),
        ((9.996e-8, 9.5e-8, 1.06e-7), "1.00e-7±6e-9"),
        ((1.9e4, 9.4e3, 2.0e4), "1.9e4±1.0e4"),
        ((710.0, 510.0, 790.0), "700±200"),
        ((1e-6, 2.1e-7, 3.44e-6), "1e-6 (2e-7..3e-6)"),
        ((0.2, 0.2, 0.2), "0.200"),
        ((0.0, 0.0, 0.0), "0"),
        ((1.6e308, 1.5e308, 1.7e308), "2e308 (2e308..2e308)"),  # which no float holds
        ((1e-308, -1.7e308, 1.7e308), "1e-308 (-2e308..2e308)"),
        ((math.nan, math.nan, math.nan), "–"),
        ((math.inf, math.inf, math.inf), "inf"),
    ],
)
def test_no_more_digits_than_the_interval_allows(interval: tuple[float, float, float], text: str) -> None:
    assert write.with_interval(*interval) == text


@settings(deadline=None)  # the machine may be busy
@given(st.floats(1e-30, 1e12), st.floats(1e-6, 0.99))
def test_what_is_written_reads_back_to_within_the_interval(value: float, share: float) -> None:
    half = value * share
    text = write.with_interval(value, value - half, value + half)
    shown, _, uncertainty = text.partition("±")
    # One rounding of the value and one of the uncertainty, each at most half of the last digit shown.
    assert abs(float(shown) - value) <= max(0.5 * half, 0.005 * value)
    if uncertainty:
        assert 0.6 * half <= float(uncertainty) <= max(1.6 * half, 0.002 * value)
    assert len(re.sub(r"e-?\d+|\.|^0\.0*", "", shown).lstrip("0")) <= 4 + 8 * (value >= 1e3)


def test_durations_take_the_unit_that_fits() -> None:
    texts = [write.duration(seconds) for seconds in (4.05e-8, 3.2e-6, 0.0277, 0.99999, 229.0, 1230.0, 11520.0, None)]
    assert texts == ["40.5 ns", "3.20 µs", "27.7 ms", "1.00 s", "229 s", "20.5 min", "3.20 h", "–"]
    assert write.duration(0.01731, 0.0171, 0.0174) == "17.3±0.2 ms"
    assert write.duration(4e-3, 0.9e-3, 8.2e-3) == "4 (0.9..8) ms"


def test_bytes_and_counts() -> None:
    assert [write.memory(n) for n in (575_893_504, 12_345, 7, None)] == ["576 MB", "12.3 kB", "7.00 B", "–"]
    assert write.memory(3.4e16) == "34.0 PB"
    assert [write.count(n, "cell") for n in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]
    assert write.spans([5, 2, 3, 4, 8, 9]) == "2..5, 8, 9"


@settings(deadline=None)  # the machine may be busy
@given(st.floats(1e-300, 1e3))
def test_a_rounded_bound_is_still_a_bound(bound: float) -> None:
    assert bound * (1 - 1e-8) <= float(write.rounded_up(bound)) <= 2 * bound * (1 + 1e-8)


def test_texts_from_outside_stay_on_one_line_without_control_characters() -> None:
    assert write.plain("a\x1b[31m b\n\tc\r\x07d") == "a b c d"
    assert write.without_size("no trajectories of 5 spins, 15 spins", 5) == "no trajectories of N spins, 15 spins"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ((0.0, 0.0, 0.0), "0"),
        ((7.0, 7.0, 7.0), "7"),
        ((1_234_567.0, 1_234_000.0, 1_235_000.0), "1,200,000"),  # never more than two digits
        ((1_234_567.0, 0.9e6, 1.6e6), "1,200,000"),
        ((706_934.0, 4e5, 1.1e6), "700,000"),
        ((346_742.0, 1.2e5, 3.1e6), "3e5 (1e5..3e6)"),
        ((5.6e7, 5.5e7, 5.7e7), "5.6e7"),
    ],
)
def test_a_large_number_has_no_more_digits_than_its_interval(found: tuple[float, float, float], text: str) -> None:
    assert write.about(*found) == text
