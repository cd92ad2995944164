"""Change keys of a task before it is checked: single keys as with `--set`, or a named setting of the task file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qdynbench.errors import InputError, suggestion
from qdynbench.task.yaml import DEEPEST, Location

MOST_CHANGES = 100
"""Largest number of keys that a setting changes."""


@dataclass(frozen=True)
class Written:
    """A task as it was written, with the place of every entry.

    Attributes:
        path: the task file.
        data: the task, which is not changed: what is derived from it shares the parts that stay.
        lines: 1-based line of every entry of the file.
        moved: where the entries were written that the file has at another place, or not at all.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[Location, int] = field(default_factory=dict)
    moved: Mapping[Location, Location | str] = field(default_factory=dict)

    def place(self, location: Location) -> str:
        """Return where an entry, or else that which it would belong to, was written: file and line, or the `--set`."""
        parts = [location[:length] for length in range(len(location), -1, -1)]
        if (part := next((part for part in parts if part in self.moved), None)) is not None:
            source = self.moved[part]
            if isinstance(source, str):
                return source
            return Written(self.path, self.data, self.lines).place((*source, *location[len(part) :]))
        line = next((self.lines[part] for part in parts if part in self.lines), None)
        return str(self.path) if line is None else f"{self.path}:{line}"

    def changed(self, key: str, value: Any, source: Location | str, origin: str) -> Written:
        """Return the task with another value of a dotted key, such as `times.steps`, which was written at `source`.

        Raises:
            InputError: a part of the key is a single value and no section; the message begins with `origin`.
        """
        location = tuple(key.split("."))
        if len(location) > DEEPEST:
            raise InputError(f"{origin}: a key of {len(location)} parts; no task is that deep")
        if location[0] == "settings":
            raise InputError(f"{origin}: a setting is chosen with --setting, and changes other keys")
        data = section = dict(self.data)
        moved = {place: found for place, found in self.moved.items() if place[: len(location)] != location}
        for length, part in enumerate(location[:-1], 1):
            inner = section.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InputError(f"{origin}: {part!r} is a single value, not a section")
            if location[:length] not in self.lines:  # a section that only the change has
                moved.setdefault(location[:length], source)
            section[part] = section = dict(inner)
        section[location[-1]] = value
        return Written(self.path, data, self.lines, {**moved, location: source})

    def with_setting(self, name: str) -> Written:
        """Return the task with one of its settings applied.

        Raises:
            InputError: the task has no such setting, or the setting is no mapping of dotted keys.
        """
        settings, home = self.data.get("settings"), ("settings", name)
        if not isinstance(settings, dict) or name not in settings:
            known = suggestion(name, settings) if isinstance(settings, dict) else "; the task has no settings"
            raise InputError(f"{self.path}: unknown setting {name!r}{known}")
        changes, where = settings[name], f"{self.place(home)}: settings.{name}"
        if not isinstance(changes, dict):
            raise InputError(f"{where} has to be a mapping of keys, such as times.steps: 500")
        if len(changes) > MOST_CHANGES:
            raise InputError(f"{where} changes more than {MOST_CHANGES} keys")
        found = self
        for key, value in changes.items():
            place = self.place((*home, key))
            found = found.changed(key, value, (*home, key), f"{place}: settings.{name}: {key}")
        return found
