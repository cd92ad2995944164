"""Write files completely or not at all, and make safe file names."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written_whole(path: Path, *, sync: bool = False) -> Iterator[IO[bytes]]:
    """Open a file for writing that replaces `path` only when it is complete; a failure leaves the old file as it was.

    Args:
        path: the file to be written.
        sync: whether the contents have to be on the disk before the file is replaced.
    """
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as stream:
        yield stream
        if sync:
            stream.flush()
            os.fsync(stream.fileno())
    os.replace(partial, path)


def file_name(text: str) -> str:
    """Return a text such as `ed[mode=per_state]` in a form that can be part of a file name."""
    return re.sub(r"[^A-Za-z0-9.=-]+", "_", text).strip("_")


def short_name(name: str, longest: int = 100) -> str:
    """Return a file name as it is, or, where it is too long, its beginning and a hash of the whole."""
    if len(name) <= longest:
        return name
    return f"{name[: longest - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
