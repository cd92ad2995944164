"""Read YAML as plain data, bounded in every way, with the line of every value for error messages.

What is read are mappings, lists, texts, numbers, `true`, `false` and `null`, as in the core schema of YAML 1.2. The
parser gives one event after another, and each is checked before the next is asked for, so that nothing grows or nests
without end. Aliases and tags, by which YAML refers to other entries and constructs objects, are refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from qdynbench.errors import InputError

Location = tuple[str | int, ...]
MOST_BYTES = 1_000_000
"""Largest size of a file."""
MOST_VALUES = 50_000
"""Largest number of values and list entries; all couplings of four among 20 spins, written out, are 39,000."""
DEEPEST = 20
"""Largest number of mappings and lists within each other."""
LONGEST_TEXT = 2_000
"""Largest number of characters of one text."""
LONGEST_NUMBER = 64
"""Largest number of characters of one number."""

_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML does not allow, among them halves of surrogate pairs."""
_INTEGER = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the parser in C is part of all wheels of PyYAML


def read(path: Path) -> tuple[dict[str, Any], dict[Location, int]]:
    """Return the mapping in a file and the 1-based line of every key and list entry.

    Raises:
        InputError: the file is unreadable, empty or no mapping, or holds what is refused here.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: it is larger than the {MOST_BYTES} bytes that a task file may have")
    reader = _Reader(text, str(path), numbered=True)
    data = reader.document()
    if not reader.lines:
        raise InputError(f"{path}: the file is empty; a task needs at least model, sizes, times and solvers")
    if not isinstance(data, dict):
        kind = "list" if isinstance(data, list) else "single value"
        raise InputError(f"{path}:{reader.lines[()]}: a task is a mapping of keys to values, this is a {kind}")
    return data, reader.lines


def parse(text: str, origin: str) -> Any:
    """Return the value of a text such as `[1, 2]`; nothing is None.

    Args:
        text: the YAML.
        origin: where it was given, as messages begin.

    Raises:
        InputError: the text is no YAML, or holds what is refused here.
    """
    if len(text) > MOST_BYTES:
        raise InputError(f"{origin}: it is longer than {MOST_BYTES} characters")
    return _Reader(text, origin, numbered=False).document()


def check_text(text: str, origin: str) -> str:
    """Return a text that is not too long and has none of the characters that YAML does not allow.

    Raises:
        InputError: it is too long or has one; the message begins with `origin`.
    """
    if len(text) > LONGEST_TEXT:
        raise InputError(f"{origin}: a text of {len(text)} characters is longer than {LONGEST_TEXT}")
    if found := _CONTROL.search(text):
        raise InputError(f"{origin}: the character {found[0]!r} is not allowed")
    return text


class _Reader:
    """Builds the value of one document.

    Args:
        text: the YAML.
        origin: where it was given.
        numbered: whether messages name the line.

    Attributes:
        lines: 1-based line of every key and list entry; empty where there is no document.
    """

    def __init__(self, text: str, origin: str, *, numbered: bool) -> None:
        self.lines: dict[Location, int] = {}
        self._origin, self._numbered = origin, numbered
        self._count = 0
        if found := _CONTROL.search(text):
            line = text.count("\n", 0, found.start()) + 1
            raise self._refusal(line, f"the character {found[0]!r} is not allowed")
        self._events = yaml.parse(text, Loader=_LOADER)

    def document(self) -> Any:
        """Return the value of the document, or None if there is none."""
        self._next()  # the start of the stream
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        value = self._value(self._next(), ())
        self._next()  # the end of the document
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            raise self._refusal(_line(event), "a second document begins here, and one is read")
        return value

    def _next(self) -> yaml.Event:
        try:
            return next(self._events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._refusal(mark.line + 1 if mark else 1, str(error.problem)) from error
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # without a mark; of the parser that is not in C
            raise self._refusal(1, " ".join(str(error).split())) from error

    def _value(self, event: yaml.Event, location: Location) -> Any:
        line = _line(event)
        self.lines.setdefault(location, line)
        self._count += 1
        if self._count > MOST_VALUES:
            raise self._refusal(line, f"more than {MOST_VALUES} values")
        if len(location) > DEEPEST:
            raise self._refusal(line, f"nested more than {DEEPEST} levels deep")
        self._check_plain(event, line)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, line)
        if isinstance(event, yaml.SequenceStartEvent):
            entries: list[Any] = []
            while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                entries.append(self._value(event, (*location, len(entries))))
            return entries
        found: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            if key in found:
                raise self._refusal(_line(event), f"key {key!r} is given twice")
            self.lines[*location, key] = _line(event)
            found[key] = self._value(self._next(), (*location, key))
        return found

    def _check_plain(self, event: yaml.Event, line: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise self._refusal(line, f"aliases such as *{str(event.anchor)[:20]} are not read; write the value out")
        if (tag := getattr(event, "tag", None)) is not None:
            raise self._refusal(line, f"tags such as {tag[:80]!r} are not read; a task is plain data")

    def _key(self, event: yaml.Event) -> str:
        """Return a key as it is written: `1` and `true` are words here."""
        line = _line(event)
        self._check_plain(event, line)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refusal(line, "a key is a single word, this is a list or a mapping")
        return check_text(event.value, self._place(line))

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> Any:
        text = check_text(event.value, self._place(line))  # an escape such as "\e" may stand for what is refused
        if not event.implicit[0]:  # it stands in quotes
            return text
        if text in _WORDS:
            return _WORDS[text]
        whole = _INTEGER.fullmatch(text)
        if not whole and not _FLOAT.fullmatch(text):
            return text
        if len(text) > LONGEST_NUMBER:
            raise self._refusal(line, f"{text[:20]}... has {len(text)} digits, more than {LONGEST_NUMBER}")
        if whole:
            return int(text, 0 if text[1:2] in {"x", "o"} else 10)
        return float(text.replace(".", "") if text[-1].isalpha() else text)  # `.inf` and `.nan`

    def _place(self, line: int) -> str:
        return f"{self._origin}:{line}" if self._numbered else self._origin

    def _refusal(self, line: int, message: str) -> InputError:
        return InputError(f"{self._place(line)}: {message}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
