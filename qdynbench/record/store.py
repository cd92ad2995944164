"""The run directory: written atomically and by one process at a time, and read as if a stranger had made it."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

import filelock
import pydantic
import pydantic_core

from qdynbench import files
from qdynbench.errors import CannotWrite, InputError, QdynbenchError
from qdynbench.record.schema import SCHEMA_VERSION, TRAJECTORIES, CellRecord, RunRecord
from qdynbench.task.spec import Task
from qdynbench.text import capped, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUN, TABLE, PAGE, LOCK, LIST = "run.json", "results.parquet", "page.html", "run.lock", "written.txt"
PARTS = ("cells", "curves", "logs", "figures")
_NAME = r"[A-Za-z0-9=_-][A-Za-z0-9.=_-]*"
OURS = re.compile(
    rf"(?:run\.json|results\.parquet|page\.html|cells/{_NAME}\.json|curves/{_NAME}\.npz|logs/{_NAME}\.log"
    rf"|figures/{_NAME}\.(?:png|svg)|run\.lock|written\.txt)"
)
"""What a run writes at all; nothing else is removed, whatever the list says."""
BEGINNING = f"{LIST}\n{LOCK}\n".encode()
"""Of the list; one that does not name itself says nothing."""
PARTIAL = ".partial"
"""Ends the name of a file while it is written."""
LARGEST_RECORD, LARGEST_CURVES, LARGEST_LIST = 8_000_000, 1 << 36, 8_000_000
"""Bytes of a file of JSON, of a file of curves, and of the list."""
DENSEST, LARGEST_EXCESS = 50, 64 << 20
"""Arrays are believed up to so many times the bytes of their file, and so many bytes beyond that in the whole run."""
USUAL_CELL = 20_000
"""Bytes of the record of a cell; those of a run may have `LARGEST_EXCESS` more in all."""
MOST_ARRAYS = 200
"""Arrays in a file of curves."""
ANEW = "the same `qdynbench run` makes it anew"
"""Said of a damaged file."""
MOST_NAMED = 3
"""Files that are named in a message."""


class Damaged(QdynbenchError):
    """A file of a run cannot be read; the message names it and says why."""


class Store:
    """A run directory: `run.json`, `cells/<key>.json`, `curves/<key>.npz`, `logs/`, and what is made of these.

    `written.txt` lists the files that runs have written here, each but the lock before it is made. Only these are ever
    replaced or removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells = folder / "cells"
        self.curves = folder / "curves"
        self.logs = folder / "logs"
        self._lock = filelock.FileLock(folder / LOCK, timeout=0)
        self._listed: set[str] | None = None
        self._begun = False
        self._excess: dict[tuple[str, bool], int] = {}
        self._bytes: dict[str, int] = {}
        self._beyond = 0

    @classmethod
    def create(cls, folder: Path, task: Task, *, fresh: bool) -> Store:
        """Open a folder for a run of `task`, and make or empty it as needed; use the result as a context manager.

        Raises:
            InputError: the folder cannot be written, holds a run of another task or anything else, or is in use.
        """
        store = cls(folder)
        try:
            if folder.exists() and not folder.is_dir():
                raise InputError(f"{str(folder)!r} is a file; choose another folder with --out")
            folder.mkdir(parents=True, exist_ok=True)
            store._refuse_foreign(fresh=fresh)
            store._acquire()
            store.claim(LIST, LOCK)
            if fresh:
                store._empty()
            elif store.has_run and (earlier := store.read_run().task.get("name")) != task.name:
                raise InputError(
                    f"{str(folder)!r} holds a run of task {plain(str(earlier), 80)!r}, not of {task.name!r}; "
                    "choose another folder with --out, or --fresh to replace it"
                )
            for part in (store.cells, store.curves, store.logs):
                files.own_folder(part)
        except OSError as error:
            store.close()
            raise InputError(
                f"cannot write to {str(folder)!r}: {error.strerror}; choose a folder with --out"
            ) from error
        except InputError:
            store.close()
            raise
        return store

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open an existing run to read it.

        Raises:
            InputError: there is none.
        """
        if not (folder / RUN).is_file():
            raise InputError(f"{str(folder)!r} holds no run (no run.json); `qdynbench list runs` shows those there are")
        return cls(folder)

    def _acquire(self) -> None:
        try:
            self._lock.acquire()
        except filelock.Timeout as error:
            raise InputError(
                f"another run is using {str(self.folder)!r}; wait for it, or choose another folder with --out"
            ) from error

    def close(self) -> None:
        """Release the folder for other processes."""
        self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What is ours

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield everything in the folder and in its parts, as a path below the folder."""
        for entry in sorted(self.folder.iterdir()):
            kind = entry.lstat()
            if entry.name in PARTS and stat.S_ISDIR(kind.st_mode):
                yield from ((f"{entry.name}/{inner.name}", inner.lstat()) for inner in sorted(entry.iterdir()))
            else:
                yield entry.name, kind

    def _refuse_foreign(self, *, fresh: bool) -> None:
        """Refuse a folder that no run has written in, and to empty one that holds anything else; name what it holds."""
        there, own = dict(self._entries()), self.listed
        odd = [name for name, kind in there.items() if not stat.S_ISREG(kind.st_mode)]
        foreign = [name for name in there if name.removesuffix(PARTIAL) not in own or name in odd]
        if {*there} <= {LOCK, LIST} and not odd and BEGINNING.startswith(self._list()):
            return  # a run that has just begun, or got no further
        if foreign and (fresh or not own):
            raise InputError(
                f"{str(self.folder)!r} holds files that are not a run's: {_named(foreign)}; choose another folder with "
                "--out" + (", or move them elsewhere" if own else "")
            )
        if links := [name for name in odd if name.removesuffix(PARTIAL) in own or name in PARTS]:
            raise InputError(
                f"{str(self.folder)!r} cannot be written into, since it holds what is no regular file: "
                f"{_named(links)}; choose another folder with --out"
            )

    @property
    def listed(self) -> set[str]:
        """The files that runs have written here, as far as such a file can be a run's."""
        if self._listed is None:
            lines = set(self._list().decode("ascii", "replace").split("\n"))
            if LIST not in lines:  # no run has begun here
                return set()
            self._listed = {line for line in lines if OURS.fullmatch(line)}
        return self._listed

    def _list(self) -> bytes:
        try:
            return files.read(self.folder, LIST, LARGEST_LIST)
        except OSError:
            return b""

    def claim(self, *names: str) -> None:
        """List files before they are written; one that somebody else has put there is refused by an OSError."""
        own = self.listed
        if not own and LIST not in names:
            raise OSError(errno.EPERM, f"is not written, since no {LIST} says that this folder is a run's", names[0])
        new = [name for name in dict.fromkeys(names) if name not in own]
        for name in new:
            if name not in {LOCK, LIST} and os.path.lexists(self.folder / name):
                raise OSError(errno.EEXIST, "was not written by this run, and is not replaced", str(self.folder / name))
        if not (new or LIST in names):
            return
        with files.appended(self.folder / LIST) as stream:
            # A line that a full disk has cut short ends here, and names nothing.
            stream.write(b"\n" if stream.tell() and not self._begun else b"")
            self._begun = True
            stream.write("".join(f"{name}\n" for name in new).encode("ascii"))
            stream.flush()
            os.fsync(stream.fileno())
        self._listed = {*own, *new}

    def _empty(self) -> None:
        """Remove what runs have written here, but for the list and the lock of this one."""
        for name in self.listed - {LIST, LOCK}:
            for path in (self.folder / name, self.folder / f"{name}{PARTIAL}"):
                path.unlink(missing_ok=True)
        # What is put here under one of these names from now on is somebody else's.
        with files.written_whole(self.folder / LIST, sync=True) as stream:
            stream.write(BEGINNING)
        self._listed = {LIST, LOCK}

    def page(self) -> Path:
        """Return the path of the page of the run to be written; raises OSError where it must not be."""
        self.claim(PAGE)
        return self.folder / PAGE

    def figure(self, name: str) -> Path:
        """Return the path of a picture to be written; raises OSError where it must not be."""
        if self.listed:  # else it is no run's folder, as the claim will say
            files.own_folder(self.folder / "figures")
        self.claim(f"figures/{name}")
        return self.folder / "figures" / name

    def log(self, path: Path) -> None:
        """List the log of a worker."""
        with guarded(path):
            self.claim(f"logs/{path.name}")

    # The records

    @property
    def has_run(self) -> bool:
        """Whether a run has been written."""
        return os.path.lexists(self.folder / RUN)

    def read_run(self) -> RunRecord:
        """Read `run.json`.

        Raises:
            InputError: the file is damaged or of another version.
        """
        path, way = self.folder / RUN, self._way()
        try:
            content = pydantic_core.from_json(files.read(self.folder, RUN, LARGEST_RECORD))
            version = content.get("schema_version") if isinstance(content, dict) else None
            if isinstance(version, int) and version != SCHEMA_VERSION:
                raise InputError(
                    f"{path} has format {plain(str(version), 20)}, and this version of qdynbench reads format "
                    f"{SCHEMA_VERSION}: {way}"
                )
            return RunRecord.model_validate(content)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as a run: {why(error)}; {way}") from error

    def _way(self) -> str:
        return (
            "`qdynbench run --fresh` replaces it" if RUN in self.listed else "run the task into another folder (--out)"
        )

    def read_task(self, record: RunRecord) -> Task:
        """Return the task of a run.

        Raises:
            InputError: it is none.
        """
        try:
            task = Task.model_validate(record.task, strict=False)
            if not isinstance(task.model.get("family"), str):
                raise ValueError("the model has no family")
        except (ValueError, InputError) as error:
            raise InputError(
                f"{self.folder / RUN} cannot be read as a run: task: {why(error)}; {self._way()}"
            ) from error
        return task

    def write_run(self, record: RunRecord) -> None:
        """Write `run.json`, and list the files of its cells."""
        with guarded(self.folder / LIST):
            self.claim(*(name for key in record.cells for name in (f"cells/{key}.json", f"curves/{key}.npz")))
        self._write(RUN, record.model_dump_json(indent=1).encode())

    def cell(self, key: str) -> CellRecord | None:
        """Return the record of a cell, or None if there is none.

        Raises:
            Damaged: it cannot be read.
        """
        name = f"cells/{key}.json"
        try:
            content = files.read(self.folder, name, LARGEST_RECORD)
            self._take(key, len(content))
            record = CellRecord.model_validate_json(content)
            if record.key != key:
                raise ValueError(f"it is that of {record.key!r}")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Damaged(f"{name} cannot be read: {why(error)}; {ANEW}") from error
        return record

    def read_cell(self, key: str) -> CellRecord | None:
        """Return the record of a cell, or None if it is missing or damaged and has to be run again."""
        try:
            return self.cell(key)
        except Damaged:
            return None

    def write_cell(self, record: CellRecord) -> None:
        """Write a cell; raises CannotWrite as well if it could not be read again for its size."""
        content = record.model_dump_json(indent=1).encode()
        try:
            self._take(record.key, len(content))
        except ValueError as error:
            raise CannotWrite(f"{record.key} cannot be written: {error}") from error
        self._write(f"cells/{record.key}.json", content)

    def _take(self, key: str, size: int) -> None:
        """Count the record of a cell to those of the run; raises ValueError where they are more than is ever read."""
        beyond = self._beyond + size - self._bytes.get(key, USUAL_CELL)
        if beyond > LARGEST_EXCESS:
            raise ValueError("the cells of the run are too large together; fewer rounds or launches make them smaller")
        self._bytes[key], self._beyond = size, beyond

    def curves_of(self, key: str) -> Path:
        """Return the file of a cell's curves."""
        return self.curves / f"{key}.npz"

    def has_curves(self, key: str, *, states: int, times: int) -> bool:
        """Return whether the file of a cell's curves is there and can be read, see `arrays`."""
        try:
            for kept in (False, True):
                self.arrays(key, None, kept=kept, states=states, times=times)
        except Damaged:
            return False
        return self.curves_of(key).is_file()

    def new_curves(self, key: str) -> Path:
        """Return the same for it to be written."""
        with guarded(self.folder / LIST):
            self.claim(f"curves/{key}.npz")
        return self.curves_of(key)

    def arrays(
        self, key: str, wanted: Iterable[str] | None, *, kept: bool, states: int, times: int
    ) -> dict[str, NDArray[Any]]:
        """Return the curves of a cell, or its trajectories, by name; nothing where there are none.

        Args:
            key: of the cell.
            wanted: names of curves; None for all.
            kept: whether the trajectories are meant.
            states: number of test states, of which an array has no more.
            times: number of times of the grid.

        Raises:
            Damaged: the file cannot be read, or holds anything else.
        """
        name = f"curves/{key}.npz"
        try:
            with files.opened(self.folder, name, LARGEST_CURVES) as stream, zipfile.ZipFile(stream) as archive:
                status = os.fstat(stream.fileno())
                taken = min(status.st_size, 512 * status.st_blocks)  # a hole in a file is no data
                if len(archive.infolist()) > MOST_ARRAYS:
                    raise ValueError(f"it holds {len(archive.infolist())} arrays")
                found: dict[str, NDArray[Any]] = {}
                others = sum(excess for of, excess in self._excess.items() if of != (key, kept))
                left = DENSEST * taken + LARGEST_EXCESS - others
                for info in archive.infolist():
                    array = info.filename.removesuffix(".npy")
                    if (array in TRAJECTORIES) is kept and (wanted is None or array in wanted):
                        with archive.open(info) as member:
                            found[array] = _array(member, info, left, "c" if kept else "f", (states, times))
                        left -= found[array].nbytes
                self._excess[key, kept] = max(self._excess.get((key, kept), 0), LARGEST_EXCESS - others - left)
            if len({len(values) for values in found.values()}) > 1:
                raise ValueError("its arrays are of different numbers of states")
        except FileNotFoundError:
            return {}
        except Exception as error:  # whatever an archive of somebody else's makes its reader raise
            raise Damaged(f"{name} cannot be read: {why(error)}; {ANEW}") from error
        return found

    def write_table(self, content: bytes) -> Path:
        """Write `results.parquet` and return its path."""
        return self._write(TABLE, content)

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        if name.endswith(".json") and len(content) > LARGEST_RECORD:
            raise CannotWrite(f"{str(path)!r} would have {len(content)} bytes, and is read up to {LARGEST_RECORD}")
        with guarded(path):
            self.claim(name)
            with files.written_whole(path, sync=True) as stream:
                stream.write(content)
        return path


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a message that says how to go on."""
    try:
        yield
    except OSError as error:
        room = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        raise CannotWrite(
            f"cannot write {str(path)!r}: {error.strerror or error}. What was finished before is kept; "
            f"{'make room and ' if room else ''}run the same command again to go on"
        ) from error


def why(error: Exception) -> str:
    """Return in one line what is wrong with a file, without any of its contents that a terminal might obey."""
    if isinstance(error, pydantic.ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        return plain(f"{capped(place, 100)}: {first['msg']}" if place else first["msg"], 200)
    if isinstance(error, OSError) and error.strerror:
        return plain(error.strerror, 200)
    return plain(str(error) or type(error).__name__, 200)


def _array(member: IO[bytes], info: zipfile.ZipInfo, left: int, kind: str, most: tuple[int, int]) -> NDArray[Any]:
    """Read one array; nothing is allocated before its header is known to agree with the size of the file."""
    import numpy as np
    from numpy.lib import format as npy

    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ValueError("an array is compressed in an unknown way")
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(member)]
    shape, fortran, dtype = read_header(member, max_header_size=1000)
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind != kind or dtype.itemsize > 8 or 0 in shape:
        raise ValueError(f"an array of {plain(str(dtype), 40)} and shape {shape} is none of a run's")
    states, times = most
    if len(shape) not in ((1, 2) if kind == "f" else (3,)) or (len(shape) > 1 and shape[1] != times):
        raise ValueError(f"an array has shape {shape}, and the task has {times} times")
    if shape[0] > states:
        raise ValueError(f"an array has shape {shape}, and the task has {states} states")
    if size != info.file_size - member.tell():
        raise ValueError(f"an array of shape {shape} has {info.file_size} bytes")
    if size > left:
        raise ValueError(f"an array of {size} bytes is too much for the size of the file")
    content = bytearray(size)
    if member.readinto(content) != size or member.read(1):  # type: ignore[attr-defined]
        raise ValueError("an array is cut short")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _named(names: list[str]) -> str:
    shown = [repr(plain(name, 80)) for name in names[:MOST_NAMED]]
    return ", ".join(shown) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
