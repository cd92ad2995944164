"""Read files that others may have made, write files completely or not at all, and make safe file names."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO


@contextmanager
def written_whole(path: Path, *, sync: bool = False) -> Iterator[IO[bytes]]:
    """Open a file for writing that replaces `path` only when it is complete; a failure leaves the old file as it was.

    Args:
        path: the file to be written.
        sync: whether the contents have to be on the disk before the file is replaced.
    """
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)  # it is made anew: whatever else lies there, such as a link, is not written through
    with partial.open("xb") as stream:
        yield stream
        if sync:
            stream.flush()
            os.fsync(stream.fileno())
    os.replace(partial, path)


@contextmanager
def opened(folder: Path, name: str, largest: int) -> Iterator[IO[bytes]]:
    """Open the file `name` below a folder whose contents somebody else may have made.

    Nothing but a regular file is opened, and no symbolic link below the folder is followed.

    Args:
        folder: the folder.
        name: path of the file below it.
        largest: number of bytes that it may have.

    Raises:
        OSError: the file is not there, cannot be read, or is none of this; its `strerror` says which.
    """
    path, kind = folder, folder.stat()
    for part in PurePath(name).parts:
        path = path / part
        kind = path.lstat()
        if stat.S_ISLNK(kind.st_mode):
            raise OSError(errno.ELOOP, "is a symbolic link, which is not followed", str(path))
    if not stat.S_ISREG(kind.st_mode):
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    if kind.st_size > largest:
        raise OSError(errno.EFBIG, f"has {kind.st_size} bytes, more than {largest}", str(path))
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
        yield stream


def read(folder: Path, name: str, largest: int) -> bytes:
    """Return the contents of a file, see `opened`."""
    with opened(folder, name, largest) as stream:
        return stream.read(largest + 1)


@contextmanager
def appended(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to be added to, or made; a link or anything else that is no regular file is refused by an OSError."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(path, flags, 0o666), "ab") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        yield stream


def own_folder(path: Path) -> Path:
    """Make a folder where there is none; one that a symbolic link stands for is refused by an OSError."""
    path.mkdir(exist_ok=True)
    if path.is_symlink():
        raise OSError(errno.ELOOP, "is a symbolic link, which is not followed", str(path))
    return path


def synced(folder: Path) -> None:
    """Have everything in a folder on the disk before this returns."""
    for path in (*folder.rglob("*"), folder):
        if path.is_file() or path.is_dir():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def file_name(text: str) -> str:
    """Return a text such as `ed[mode=per_state]` in a form that can be part of a file name."""
    return re.sub(r"[^A-Za-z0-9.=-]+", "_", text).strip("_")


def short_name(name: str, longest: int = 100) -> str:
    """Return a file name as it is, or, where it is too long, its beginning and a hash of the whole."""
    if len(name) <= longest:
        return name
    return f"{name[: longest - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
