"""The run directory, which is written atomically and by one process at a time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import TracebackType

import filelock
import pydantic

from qdynbench.errors import InputError, QdynbenchError
from qdynbench.files import written_whole
from qdynbench.record.schema import SCHEMA_VERSION, CellRecord, RunRecord
from qdynbench.task.spec import Task

PAGE = "page.html"
"""The report of a run to open in a browser, in its folder."""


class Store:
    """A run directory: `run.json`, `cells/<key>.json`, `curves/<key>.npz`, `logs/`, and what is made of these."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells = folder / "cells"
        self.curves = folder / "curves"
        self.logs = folder / "logs"
        self.table = folder / "results.parquet"
        self.page = folder / PAGE
        self._lock = filelock.FileLock(folder / "run.lock", timeout=0)

    @classmethod
    def create(cls, folder: Path, task: Task, *, fresh: bool) -> Store:
        """Open a folder for a run of `task`, and make or empty it as needed; use the result as a context manager.

        Raises:
            InputError: the folder cannot be written, holds a run of another task, or is in use.
        """
        store = cls(folder)
        try:
            if folder.exists() and not folder.is_dir():
                raise InputError(f"{str(folder)!r} is a file; choose another folder with --out")
            if folder.is_dir() and not (folder / "run.json").exists() and any(folder.iterdir()):
                foreign = {entry.name for entry in folder.iterdir()} - {"run.lock", "cells", "curves", "logs"}
                if foreign:
                    raise InputError(
                        f"{str(folder)!r} holds files that are not a run; choose another folder with --out"
                    )
            folder.mkdir(parents=True, exist_ok=True)
            store._acquire()
            if (folder / "run.json").exists() and not fresh:
                earlier = store.read_run().task.get("name")
                if earlier != task.name:
                    raise InputError(
                        f"{str(folder)!r} holds a run of task {earlier!r}, not of {task.name!r}; "
                        "choose another folder with --out, or --fresh to replace it"
                    )
            if fresh:
                for part in (store.cells, store.curves, store.logs):
                    shutil.rmtree(part, ignore_errors=True)
                for file in (folder / "run.json", store.table, store.page):
                    file.unlink(missing_ok=True)
            for part in (store.cells, store.curves, store.logs):
                part.mkdir(exist_ok=True)
                _write(part / ".writable", b"")
                (part / ".writable").unlink()
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
        if not (folder / "run.json").is_file():
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

    @property
    def has_run(self) -> bool:
        """Whether a run has been written."""
        return (self.folder / "run.json").is_file()

    def read_run(self) -> RunRecord:
        """Read `run.json`.

        Raises:
            InputError: the file is damaged or of another version.
        """
        path = self.folder / "run.json"
        try:
            content = json.loads(path.read_bytes())
            version = content.get("schema_version") if isinstance(content, dict) else None
            if isinstance(version, int) and version != SCHEMA_VERSION:
                raise InputError(
                    f"{path} has format {version}, and this version of qdynbench reads format {SCHEMA_VERSION}: "
                    "run the task again into another folder (--out), or with --fresh to replace this run"
                )
            return RunRecord.model_validate(content)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as a run: {_first(error)}; --fresh replaces it") from error

    def write_run(self, record: RunRecord) -> None:
        """Write `run.json`."""
        self._write(self.folder / "run.json", record.model_dump_json(indent=1).encode())

    def read_cell(self, key: str) -> CellRecord | None:
        """Return the record of a cell, or None if it is missing or damaged and has to be run again."""
        try:
            return CellRecord.model_validate_json((self.cells / f"{key}.json").read_bytes())
        except (OSError, pydantic.ValidationError):
            return None

    def write_cell(self, record: CellRecord) -> None:
        """Write a cell."""
        self._write(self.cells / f"{record.key}.json", record.model_dump_json(indent=1).encode())

    def curves_of(self, key: str) -> Path:
        """Return the file of a cell's curves."""
        return self.curves / f"{key}.npz"

    def _write(self, path: Path, content: bytes) -> None:
        try:
            _write(path, content)
        except OSError as error:
            raise QdynbenchError(
                f"cannot write {str(path)!r}: {error.strerror}. What was finished before is kept; "
                "make room and run the same command again to go on"
            ) from error


def _write(path: Path, content: bytes) -> None:
    with written_whole(path, sync=True) as stream:
        stream.write(content)


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]
