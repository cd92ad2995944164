"""Files that are written whole or not at all, and names that are safe for them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written_whole(path: Path, *, sync: bool = False) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its place only when all is written; a failure leaves what was there.

    Args:
        path: of the file.
        sync: whether it has to be on the disk before it takes its place.
    """
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as stream:
        yield stream
        if sync:
            stream.flush()
            os.fsync(stream.fileno())
    os.replace(partial, path)


def file_name(text: str) -> str:
    """Return a text such as `ed[mode=per_state]` as part of a file name."""
    return re.sub(r"[^A-Za-z0-9.=-]+", "_", text).strip("_")
