from __future__ import annotations

import math

import pytest

from qdynbench.record.ledger import BreakEven, Cheaper
from qdynbench.record.schema import Score
from qdynbench.report.terminal import numbers as write


def score(value: float, own: float | None) -> Score:
    return Score(
        metric="infidelity",
        step=1,
        value=value,
        low=value,
        high=value,
        unit="1",
        reference_error=own,
        resolution=own and 4 * own,
    )


def test_a_value_that_the_reference_does_not_resolve_is_not_written() -> None:
    assert write.score(score(0.0, 1.57e-29)) == "<7e-29"
    assert write.score(score(1.5e-29, 1.57e-29)) == "<7e-29"
    assert write.score(score(1.6e-29, 1.57e-29)) == "1.60e-29"
    assert write.score(score(1e-31, None)) == "1.00e-31"
    assert write.score(score(0.0, 0.0)) == "0"
    assert write.score(None) == "–"


def test_skill_near_one_is_written_by_its_distance() -> None:
    texts = [write.skill(score(value, None)) for value in (1.0, 1 - 2e-6, 0.99, -1e-9, -0.5, -12.34, -4321.0, math.nan)]
    assert texts == ["1", "1-2e-6", "0.990", "0.000", "-0.500", "-12.3", "-4000", "–"]


def test_no_end_of_an_interval_is_written_below_the_resolution() -> None:
    wide = Score(
        metric="infidelity",
        step=1,
        value=2e-9,
        low=1e-12,
        high=5e-9,
        unit="1",
        reference_error=2.5e-10,
        resolution=1e-9,
    )
    assert write.score(wide) == "2e-9 (1e-9..5e-9)"


def test_a_skill_made_of_an_error_not_resolved_is_only_known_to_be_larger() -> None:
    unresolved, resolved = score(1e-9, 3e-9), score(1e-9, 1e-20)
    assert write.skill(score(1 - 1e-7, None), unresolved) == ">1-2e-6"
    assert write.skill(score(1 - 1e-7, None), resolved) == "1-1e-7"
    assert write.skill(score(1 - 1e-15, None), score(1e-20, 1e-19)) == "1"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (BreakEven(Cheaper.FROM, (7.0, 7.0, 7.0)), "7"),
        (BreakEven(Cheaper.FROM, (1_234_567.0, 1_234_000.0, 1_235_000.0)), "1,200,000"),
        (BreakEven(Cheaper.FROM, (346_742.0, 1.2e5, 3.1e6)), "3e5 (1e5..3e6)"),
        (BreakEven(Cheaper.FROM, (2.0, 0.0, 5.0)), "≤5"),
        (BreakEven(Cheaper.BELOW, (706_934.0, 4e5, 1.1e6)), "below 700,000"),
        (BreakEven(Cheaper.FROM, (346_742.0, 1.2e5, math.inf)), "undecided"),
        (BreakEven(Cheaper.FROM, (math.inf, 1.2e5, math.inf)), "undecided"),
        (BreakEven(Cheaper.BELOW, (346_742.0, 1.2e5, math.inf)), "undecided"),
        (BreakEven(Cheaper.FROM, (346_742.0, math.nan, math.nan)), "undecided"),  # of one launch
        (BreakEven(Cheaper.ALWAYS, (0.0, 0.0, 0.0)), "always"),
        (BreakEven(Cheaper.NEVER, (0.0, 0.0, 0.0)), "never"),
        (None, "–"),
    ],
)
def test_a_break_even_is_a_number_or_a_word_only_where_its_interval_says_so(found: BreakEven | None, text: str) -> None:
    assert write.break_even(found) == text
