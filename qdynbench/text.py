"""Numbers and names as a reader wants them: no more digits than the interval allows, units that fit, nothing unsafe."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

NOTHING = "–"
"""Stands where there is no figure."""
TIME_UNITS = (
    *((7200.0, 3600.0, "h"), (600.0, 60.0, "min"), (1.0, 1.0, "s"), (1e-3, 1e-3, "ms"), (1e-6, 1e-6, "µs")),
    (0.0, 1e-9, "ns"),
)
"""From this many seconds on, this unit (in seconds) and its name."""
ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\n]*?(?:\x07|\x1b\\|$|(?=\n))|[ -/]*[0-~]|$)|\x9b[0-?]*[ -/]*[@-~]"
)
"""Sequences by which a text would command a terminal: colours, moves, titles."""
SHOWN = 300
"""Characters of a reason in a terminal; the record has more."""
LONGEST_MESSAGE = 10_000
"""Characters of a message, with the traceback of a plugin that does not load."""
LARGEST_ROUNDED = 1e300
"""Largest number that is rounded at a digit that its interval decides."""
BYTE_UNITS = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def with_interval(value: float, low: float, high: float, digits: int = 4) -> str:
    """Write a value with the larger side of its interval, such as `6.1e-7±8e-8`.

    Only digits that the interval leaves certain are written, at most `digits`. An interval that reaches zero or twice
    the value is written by its ends, `1e-6 (2e-7..3e-6)`; one too narrow to be seen in `digits` is left away.
    """
    if not math.isfinite(value):
        return NOTHING if math.isnan(value) else f"{value:g}"
    half = max(high - value, value - low)
    if not half > abs(value) * 0.5 * 10.0 ** (1 - digits):
        return significant(value, 3)
    if half >= abs(value) or abs(value) > LARGEST_ROUNDED:
        return f"{significant(value, 1)} ({significant(low, 1)}..{significant(high, 1)})"
    last = max(_last_digit(half), _exponent(value) - digits + 1)
    exponent = _exponent(round(value, -last))
    if -2 <= exponent < 4:
        places = max(0, -last)
        return f"{round(value, -last):.{places}f}±{round(half, -last):.{places}f}"
    mantissa = f"{value / 10.0**exponent:.{max(0, exponent - last)}f}"
    return f"{mantissa}e{exponent}±{_scientific(round(half, -last), _exponent(round(half, -last)) - last + 1)}"


def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, as `0.146` or `1.5e-27`."""
    if not math.isfinite(value):
        return NOTHING if math.isnan(value) else f"{value:g}"
    if value == 0:
        return "0"
    exponent = _exponent(value, digits)
    if -2 <= exponent < 4:
        return f"{round(value, digits - 1 - exponent):.{max(0, digits - 1 - exponent)}f}"
    return _scientific(value, digits)


def rounded_up(value: float) -> str:
    """Write a bound with one digit, rounded up so that it stays one."""
    exponent = _exponent(value)
    digit = math.ceil(value / 10.0**exponent - 1e-9)
    return significant(digit * 10.0**exponent, 1)


def power(value: float) -> str:
    """Write a target error: `1e-8`."""
    return _scientific(value, 1)


def duration(seconds: float | None, low: float | None = None, high: float | None = None, *, digits: int = 3) -> str:
    """Write a time in the unit that fits, with its interval where there is one: `27.7 ms`, `17.3±0.2 ms`."""
    if seconds is None or math.isnan(seconds):
        return NOTHING
    unit, name = next((unit, name) for start, unit, name in TIME_UNITS if seconds >= 0.9995 * start)
    if low is None or high is None:
        return f"{significant(seconds / unit, digits)} {name}"
    return f"{with_interval(seconds / unit, low / unit, high / unit, digits=digits)} {name}"


def memory(number: float | None) -> str:
    """Write a number of bytes: `576 MB`."""
    if number is None:
        return NOTHING
    unit, name = next(((unit, name) for unit, name in BYTE_UNITS if number >= unit), (1.0, "B"))
    return f"{significant(number / unit)} {name}"


def about(value: float, low: float, high: float) -> str:
    """Write a large number with two digits, or the one that its interval allows: `35,000`.

    An interval as wide as the number is written by its ends, `5e4 (1e4..3e5)`.
    """
    if max(high - value, value - low) >= value > 0:
        return f"{_scientific(value, 1)} ({_scientific(low, 1)}..{_scientific(high, 1)})"
    last = max(_last_digit(max(high - value, value - low)), _exponent(value) - 1, 0)
    last = min(last, _exponent(value))
    return f"{round(value, -last):,.0f}" if value < 1e7 else _scientific(value, _exponent(value) - last + 1)


def large(value: float) -> str:
    """Write a number of trajectories with two digits: `35,000`, or `1.2e9`; less than one is one."""
    digits = round(max(1.0, value), 1 - _exponent(max(1.0, value)))
    return f"{digits:,.0f}" if digits < 1e7 else _scientific(value, 2)


def spans(numbers: Iterable[int]) -> str:
    """Write integers as ranges: `2..4, 8`."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(
        f"{first}..{last}" if last - first > 1 else ", ".join(map(str, range(first, last + 1))) for first, last in runs
    )


def legible(text: str, longest: int) -> str:
    """Make a text from outside fit for a record: nothing but what can be printed, lines and tabs, and not too long.

    Commands to a terminal go, and so does what is no character, such as half of a surrogate pair.
    """
    text = ESCAPES.sub("", capped(text, 2 * longest))  # whoever sends megabytes has them not searched
    return capped("".join(one if one.isprintable() or one in "\n\t" else " " for one in text), longest)


def plain(text: str, longest: int | None = None) -> str:
    """Make a text from outside fit for one line of a terminal: no control characters, no line breaks."""
    return " ".join(legible(text, longest or len(text)).split())


def capped(text: str, longest: int) -> str:
    """Return a text as it is, or its beginning and end with dots between, where it is longer than `longest`."""
    if len(text) <= longest:
        return text
    end = longest // 4
    return f"{text[: longest - end - 3]} … {text[len(text) - end :]}"


def without_size(reason: str, size: int) -> str:
    """Write a reason with N for its number of spins, so that the same reason at several sizes reads the same."""
    return re.sub(rf"(?<![\d.,]){size}(?= spins?\b)", "N", plain(reason))


def several(numbers: Sequence[float], digits: int = 2) -> str:
    """Write one number, or the smallest and the largest: `1.2 to 9.0`."""
    low, high = significant(min(numbers), digits), significant(max(numbers), digits)
    return low if low == high else f"{low} to {high}"


def count(number: int, noun: str) -> str:
    """Write `1 cell`, `2 cells`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _scientific(value: float, digits: int) -> str:
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def _exponent(value: float, digits: int = 7) -> int:
    """Return the power of ten of a number that is rounded to so many digits, which may be none that a float holds."""
    return int(f"{abs(value):.{digits - 1}e}".partition("e")[2]) if value else 0


def _last_digit(half: float) -> int:
    """Return the power of ten that an uncertainty is rounded to: one digit, two when the first would be a 1."""
    exponent = _exponent(half, 2)
    return exponent - 1 if f"{half:.1e}".startswith("1") else exponent


def alternatives(words: Iterable[str]) -> str:
    """Return words as `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
