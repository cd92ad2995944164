"""Read YAML as plain data, with the line of every value for error messages."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from qdynbench.errors import InputError

Location = tuple[str | int, ...]
MAXIMUM_BYTES = 1_000_000


class _Loader(yaml.SafeLoader):
    """Safe YAML with 1.2 numbers (`1e-3` is a float) and no implicit dates."""


_Loader.yaml_implicit_resolvers = {
    letter: [pair for pair in resolvers if pair[0] not in {"tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"}]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"),
    list("-+0123456789."),
)


def read(path: Path) -> tuple[dict[str, Any], dict[Location, int]]:
    """Return the mapping in a file and the 1-based line of every key and list entry.

    Raises:
        InputError: the file is unreadable, empty or no mapping, or has an object tag or a key given twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if len(text) > MAXIMUM_BYTES:
        raise InputError(f"{path}: {len(text)} characters are more than a task file may have ({MAXIMUM_BYTES})")
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise InputError(f"{path}: the file is empty; a task needs at least model, sizes, times and solvers")
        if not isinstance(node, yaml.MappingNode):
            raise InputError(
                f"{path}:1: a task is a mapping of keys to values, this is a {type(node).__name__[:-4].lower()}"
            )
        lines: dict[Location, int] = {}
        _locate(path, node, (), lines, depth=0)
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"{where}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: {error}") from error
    finally:
        loader.dispose()
    return data, lines


def _locate(path: Path, node: yaml.Node, location: Location, lines: dict[Location, int], depth: int) -> None:
    lines[location] = node.start_mark.line + 1
    if depth > 50:
        raise InputError(f"{path}:{lines[location]}: nested too deeply")
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            if key.value in seen:
                raise InputError(f"{path}:{key.start_mark.line + 1}: key {key.value!r} is given twice")
            seen.add(key.value)
            inner = (*location, key.value)
            _locate(path, value, inner, lines, depth + 1)
            lines[inner] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _locate(path, value, (*location, index), lines, depth + 1)
