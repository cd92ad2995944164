"""A solver with its parameters, written as `chebyshev[tolerance=1e-10]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from qdynbench.errors import InputError

Value = bool | int | float | str
"""The types of solver parameters."""

_FORM = re.compile(r"^\s*(?P<name>[A-Za-z][\w-]*)\s*(?:\[(?P<body>[^\[\]]*)\])?\s*$")


@dataclass(frozen=True)
class SolverSpec:
    """The registered name of a solver and the parameters that differ from its defaults."""

    name: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> SolverSpec:
        """Read `name` or `name[key=value,key=value]`.

        Raises:
            InputError: the text does not have this form.
        """
        match = _FORM.match(text) if text.strip().isprintable() else None
        if match is None:
            raise InputError(f"{text!r} is not a solver: write name or name[key=value,key=value]")
        parameters: dict[str, Value] = {}
        for part in filter(str.strip, (match["body"] or "").split(",")):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not (key.isidentifier() and equals and value):
                raise InputError(f"{part.strip()!r} in {text!r} is not of the form key=value")
            if key in parameters:
                raise InputError(f"{key!r} is given twice in {text!r}")
            parameters[key] = parse_value(value)
        return cls(match["name"], parameters)

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        inner = ",".join(f"{key}={format_value(value)}" for key, value in sorted(self.parameters.items()))
        return f"{self.name}[{inner}]"

    def __hash__(self) -> int:
        return hash(str(self))


def parse_value(text: str) -> Value:
    """Read a boolean, an integer or a float such as `1e-10`; any other text stays a word."""
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def format_value(value: Value) -> str:
    """Return a value as text that `parse_value` reads back as the same value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        value += 0.0  # turns -0.0 into 0.0, so that equal values give the same text, which is hashed
        return format(value, "g") if float(format(value, "g")) == value else str(value)
    return str(value)
