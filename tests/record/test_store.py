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
    with pytest.raises(InputError, match="`qdynbench run --fresh` replaces it"):
        store.read_run()
    store.write_run(RUN.model_copy(update={"schema_version": 99}))
    with pytest.raises(
        InputError, match=r"has format 99, and this version of qdynbench reads format 2: `qdynbench run --fresh`"
    ):
        store.read_run()


def test_a_folder_is_let_go_when_its_user_is_done(tmp_path: Path) -> None:
    with Store.create(tmp_path, TASK, fresh=False), pytest.raises(InputError, match="another run is using"):
        Store.create(tmp_path, TASK, fresh=False)
    Store.create(tmp_path, TASK, fresh=False).close()


@pytest.mark.parametrize("fresh", [False, True])
def test_files_of_others_are_left_alone(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(InputError, match="holds files that are not a run's: 'thesis\\.tex'"):
        Store.create(tmp_path, TASK, fresh=fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_fresh_removes_what_a_run_wrote(tmp_path: Path) -> None:
    store = written(tmp_path)
    (store.cells / f"{CELL.key}.json.partial").write_text("cut short")
    with Store.create(tmp_path, TASK, fresh=True):
        assert sorted(contents(tmp_path)) == ["run.lock", "written.txt"]


@pytest.mark.parametrize("mine", ["notes.txt", "cells/sample1.tif", "cells/sample.json", "logs/server.log", "more/x"])
def test_a_run_is_not_replaced_where_anything_else_lies_beside_it(tmp_path: Path, mine: str) -> None:
    written(tmp_path)
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match=f"files that are not a run's: '{mine.removesuffix('/x')}'"):
        Store.create(tmp_path, TASK, fresh=True)
    assert contents(tmp_path) == before
    with Store.create(tmp_path, TASK, fresh=False) as store:  # to go on with it harms nobody
        assert store.read_cell(CELL.key) == CELL
    assert (tmp_path / mine).read_text() == "mine"


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(
    "mine", ["cells/sample1.tif", "cells/sample.json", "logs/server.log", "run.json", "run.lock/x"]
)
def test_a_folder_that_only_looks_like_a_run_is_left_alone(tmp_path: Path, mine: str, fresh: bool) -> None:
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("{}")
    with pytest.raises(InputError, match="files that are not a run's"):
        Store.create(tmp_path, TASK, fresh=fresh)
    assert contents(tmp_path) == {mine: b"{}"}


def test_a_list_names_nothing_that_a_run_does_not_write(tmp_path: Path) -> None:
    (victim := tmp_path / "victim.txt").write_text("mine")
    written(tmp_path / "run")
    (tmp_path / "run" / "thesis.tex").write_text("mine")
    with (tmp_path / "run" / "written.txt").open("a") as stream:
        stream.write(f"../victim.txt\n{victim}\nthesis.tex\ncells/../../victim.txt\n")
    with pytest.raises(InputError, match=r"files that are not a run's: 'thesis\.tex'"):
        Store.create(tmp_path / "run", TASK, fresh=True)
    (tmp_path / "run" / "thesis.tex").rename(tmp_path / "thesis.tex")
    Store.create(tmp_path / "run", TASK, fresh=True).close()
    assert victim.read_text() == (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("part", ["cells", "curves", "logs"])
@pytest.mark.parametrize("fresh", [False, True])
def test_nothing_is_written_or_removed_through_a_link(tmp_path: Path, part: str, fresh: bool) -> None:
    written(tmp_path / "run")
    (tmp_path / "run" / part).rename(tmp_path / "elsewhere")
    (tmp_path / "run" / part).symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path)
    with pytest.raises(InputError, match=f"'{part}'"):
        Store.create(tmp_path / "run", TASK, fresh=fresh)
    assert contents(tmp_path) == before


def test_a_damaged_run_is_replaced_as_its_message_says(tmp_path: Path) -> None:
    store = written(tmp_path)
    for content in ("{", "[]", '{"schema_version": 99}', '{"task": 1}'):
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(InputError, match="`qdynbench run --fresh` replaces it"):
            Store.create(tmp_path, TASK, fresh=False)
    with Store.create(tmp_path, TASK, fresh=True):
        assert not store.has_run


def test_a_folder_without_a_run_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run\.json"):
        Store.open(tmp_path)
