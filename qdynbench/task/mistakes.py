"""Errors in a task, each with the entry that it is about, in the words of a task file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pydantic

from qdynbench.errors import InputError, suggestion
from qdynbench.task.override import Written
from qdynbench.task.yaml import Location

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_SHOWN = 10
"""Largest number of errors of one task that are shown."""
LONGEST_SHOWN = 100
"""Largest number of characters that are shown of a wrong value."""


class Misplaced(InputError):
    """Errors in entries of a task, each with the location of the entry."""

    def __init__(self, *errors: tuple[Location, str]) -> None:
        super().__init__("\n".join(message for _, message in errors))
        self._errors = errors

    def within(self, written: Written) -> str:
        """Return the errors as lines "file:line: what is wrong"."""
        return "\n".join(f"{written.place(location)}: {message}" for location, message in self._errors)


@contextmanager
def in_entry(*location: str | int) -> Iterator[None]:
    """Tell of an error which entry of the task it is about."""
    try:
        yield
    except Misplaced:
        raise
    except InputError as error:
        raise Misplaced((location, str(error))) from error


def explain(
    error: pydantic.ValidationError,
    data: Mapping[str, Any],
    model: type[pydantic.BaseModel],
    location: Location = (),
    prefix: str = "",
) -> Misplaced:
    """Return the errors of pydantic in the terms of a task file.

    Args:
        error: what pydantic found.
        data: what it was given.
        model: the class that it should have become.
        location: where `data` stands in the task.
        prefix: how messages begin.
    """
    found = []
    for item in error.errors(include_url=False, include_context=False)[:MOST_SHOWN]:
        where = place = _entry(item, data)
        key = ".".join(map(str, where))
        if item["type"] == "extra_forbidden":
            message = f"unknown key {_short(key)}{suggestion(str(where[-1]), _fields(model, where[:-1]))}"
        elif item["type"] == "missing":
            message = f"key {_short(key)} is missing"
        else:
            text = item["msg"].removeprefix("Value error, ")
            text = text[:1].lower() + text[1:]
            if not where:  # of the task as a whole: the message begins with the key
                place = tuple(text.partition(":")[0].split("."))
            message = f"{key}: {text}" if key else text
            if not isinstance(item["input"], dict | list):
                message += f", not {_short(item['input'])}"
        found.append(((*location, *place), prefix + message))
    if (more := error.error_count() - MOST_SHOWN) > 0:
        found.append((location, f"and {more} more"))
    return Misplaced(*dict.fromkeys(found))


def _entry(item: ErrorDetails, data: Any) -> Location:
    """Return the location of an error in what was written.

    Pydantic adds the branches of unions to it, such as "list[constrained-float]": parts that are not in the data.
    """
    found: list[str | int] = []
    for part in item["loc"]:
        there = part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int)
        if there:
            data = data[part]
            found.append(part)
    if item["type"] in {"missing", "extra_forbidden"} and found[-1:] != [item["loc"][-1]]:
        found.append(item["loc"][-1])
    return tuple(found)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _fields(model: type[pydantic.BaseModel], location: Location) -> list[str]:
    for part in location:
        field = model.model_fields.get(str(part))
        options = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [kind for kind in options if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)
