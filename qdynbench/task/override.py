"""Change keys of a task before it is checked: single keys as with `--set`, or a named setting of the task file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qdynbench.errors import InputError, suggestion
from qdynbench.task.yaml import Location


def override(data: dict[str, Any], key: str, value: Any, origin: str = "--set ") -> None:
    """Set a dotted key, such as `times.steps`, in the data of a task.

    Raises:
        InputError: a part of the key is a single value and no section; the message begins with `origin`.
    """
    *path, last = key.split(".")
    for part in path:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise InputError(f"{origin}{key}: {part!r} is a single value, not a section")
    data[last] = value


def with_setting(
    data: Mapping[str, Any], lines: Mapping[Location, int], name: str, path: Path
) -> tuple[dict[str, Any], dict[Location, int]]:
    """Return the data of a task with one of its settings applied, and the lines of all its entries.

    Raises:
        InputError: the task has no such setting, or the setting is no mapping of dotted keys.
    """
    settings = data.get("settings") or {}
    if not isinstance(settings, dict) or name not in settings:
        known = suggestion(name, settings) if isinstance(settings, dict) and settings else "; the task has no settings"
        raise InputError(f"{path}: unknown setting {name!r}{known}")
    changes, home = settings[name], ("settings", name)
    if not isinstance(changes, dict) or not all(isinstance(key, str) for key in changes):
        raise InputError(f"{path}:{lines[home]}: settings.{name} has to be a mapping of keys, such as times.steps: 500")
    changed, where = dict(copy.deepcopy(data)), dict(lines)
    for key, value in changes.items():
        override(changed, key, value, f"{path}:{lines[*home, key]}: settings.{name}: ")
        target = tuple(key.split("."))
        for length in range(1, len(target)):  # sections that only the setting has
            where.setdefault(target[:length], lines[*home, key])
        for location, line in lines.items():
            if location[:3] == (*home, key):
                where[*target, *location[3:]] = line
    return changed, where
