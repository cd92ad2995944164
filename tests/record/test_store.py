"""The run directory: whole or not at all, one user at a time, nobody else's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qdynbench.errors import InputError, QdynbenchError
from qdynbench.record.schema import CellRecord, RunRecord
from qdynbench.record.store import Store
from qdynbench.task.spec import Task

TASK = Task.model_validate(
    {
        "name": "chain",
        "model": {"family": "ising", "J": 1.0, "g": 0.5, "h": 0.0},
        "sizes": [2],
        "times": {"dt": 0.1, "steps": 2},
        "solvers": ["ed"],
    }
)
CELL = CellRecord(key="ed-n2", task="chain", solver="ed", size=2, seed=0, track="", fingerprint="f")
RUN = RunRecord(task=TASK.model_dump(mode="json"), cells=[CELL.key])


def written(folder: Path) -> Store:
    with Store.create(folder, TASK, fresh=False) as store:
        store.write_cell(CELL)
        store.write_run(RUN)
    return store


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written(tmp_path / "run")
    opened = Store.open(tmp_path / "run")
    assert opened.read_run() == RUN
    assert opened.read_cell(CELL.key) == CELL
    assert opened.read_cell("another") is None


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = written(tmp_path / "run")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(QdynbenchError, match="No space left on device"):
        store.write_cell(CELL.model_copy(update={"reason": "a later one"}))
    assert store.read_cell(CELL.key) == CELL


@pytest.mark.parametrize("content", ["", "{", '{"key": "ed-n2", "of_another_version": 1}'])
def test_a_damaged_cell_is_one_that_is_missing(tmp_path: Path, content: str) -> None:
    store = written(tmp_path / "run")
    (store.cells / "ed-n2.json").write_text(content)
    assert store.read_cell(CELL.key) is None


def test_a_damaged_run_says_how_to_go_on(tmp_path: Path) -> None:
    store = written(tmp_path / "run")
    (store.folder / "run.json").write_text("{")
    with pytest.raises(InputError, match="--fresh replaces it"):
        store.read_run()
    store.write_run(RUN.model_copy(update={"schema_version": 99}))
    with pytest.raises(
        InputError, match=r"has format 99, and this version of qdynbench reads format 2: run the task again .*--fresh"
    ):
        store.read_run()


def test_a_folder_is_let_go_when_its_user_is_done(tmp_path: Path) -> None:
    with Store.create(tmp_path, TASK, fresh=False), pytest.raises(InputError, match="another run is using"):
        Store.create(tmp_path, TASK, fresh=False)
    Store.create(tmp_path, TASK, fresh=False).close()


@pytest.mark.parametrize("fresh", [False, True])
def test_files_of_others_are_left_alone(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(InputError, match="holds files that are not a run"):
        Store.create(tmp_path, TASK, fresh=fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_fresh_removes_what_a_run_wrote_and_nothing_else(tmp_path: Path) -> None:
    store = written(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with Store.create(tmp_path, TASK, fresh=True):
        assert store.read_cell(CELL.key) is None
        assert not (tmp_path / "run.json").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_without_a_run_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run\.json"):
        Store.open(tmp_path)
