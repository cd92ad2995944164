"""The run directory: whole or not at all, one user at a time, nobody else's files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from qdynbench.errors import CannotWrite, InputError, QdynbenchError
from qdynbench.record.schema import CellRecord, FitRecord, RunRecord
from qdynbench.record.store import BEGINNING, Damaged, Store
from qdynbench.runner.earlier import earlier_run
from qdynbench.task.spec import Task
from qdynbench.workers.process import Environment, Worker

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


@pytest.mark.parametrize("name", ["logs/ed.log", "run.json"])
def test_a_partial_file_hides_no_link(tmp_path: Path, name: str) -> None:
    (victim := tmp_path / "victim").write_text("mine")
    store = written(tmp_path / "run")
    store.log(store.logs / "ed.log")
    (store.folder / name).unlink(missing_ok=True)
    (store.folder / name).symlink_to(victim)
    (store.folder / f"{name}.partial").touch()
    with pytest.raises(InputError, match=name):
        Store.create(tmp_path / "run", TASK, fresh=False)


def test_a_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    (victim := tmp_path / "victim").write_text("mine")
    (tmp_path / "ed.log").symlink_to(victim)
    with pytest.raises(CannotWrite):
        Worker("scorer", "ed", Environment(1, "cpu", 1 << 30, tmp_path))
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("kept", [0, 4, 12, 16])
def test_a_run_that_the_disk_did_not_let_begin_goes_on(tmp_path: Path, kept: int, fresh: bool) -> None:
    (tmp_path / "run.lock").touch()
    (tmp_path / "written.txt").write_bytes(BEGINNING[:kept])
    Store.create(tmp_path, TASK, fresh=fresh).close()
    written(tmp_path)


def test_drawing_makes_no_folder_ours(tmp_path: Path) -> None:
    store = written(tmp_path)
    (tmp_path / "written.txt").unlink()
    (tmp_path / "thesis.tex").write_text("ten years of work")
    before = contents(tmp_path)
    for write in (Store(tmp_path).page, lambda: Store(tmp_path).figure("scaling.png")):
        with pytest.raises(OSError, match=r"no written\.txt says that this folder is a run's"):
            write()
    assert contents(tmp_path) == before
    (tmp_path / "written.txt").write_text("figures/scaling.png\n")  # as an earlier version left it
    with pytest.raises(InputError, match="files that are not a run's"):
        Store.create(store.folder, TASK, fresh=False)


def test_a_list_forgets_what_fresh_has_removed(tmp_path: Path) -> None:
    (written(tmp_path).figure("scaling.png")).write_text("the run's")
    Store.create(tmp_path, TASK, fresh=True).close()
    (tmp_path / "figures" / "scaling.png").write_text("mine")
    with pytest.raises(InputError, match=r"files that are not a run's: 'figures/scaling\.png'"):
        Store.create(tmp_path, TASK, fresh=True)
    with pytest.raises(OSError, match="was not written by this run"):
        Store(tmp_path).figure("scaling.png")


def test_what_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    point = {"fraction": 0.5, **{f"a long name of a number {number}": 1 / 3 for number in range(20)}}
    fit = FitRecord(solver="new", source="fitted", folder="", curve=[point] * 10_000)
    store = written(tmp_path)
    store.write_run(RUN.model_copy(update={"fits": {f"new[x={number}]": fit for number in range(10)}}))
    assert len(store.read_run().fits["new[x=0]"].curve) == 500
    with pytest.raises(CannotWrite, match="is read up to"):
        store.write_run(RUN.model_copy(update={"conditions": {"x": "y" * 8_000_000}}))
    assert len(store.read_run().fits) == 10


def test_curves_of_a_run_take_no_more_than_their_budget(tmp_path: Path) -> None:
    store = written(tmp_path)
    for key in "abc":
        np.savez_compressed(store.new_curves(key), x=np.zeros((1 << 22, 2), np.float32))  # 32 MB in 33 kB
    for key in ("a", "b", "a"):
        assert store.arrays(key, None, kept=False, states=1 << 22, times=2)
    with pytest.raises(Damaged, match="and the task has 4 states"):
        store.arrays("a", None, kept=False, states=4, times=2)
    with pytest.raises(Damaged, match="too much for the size of the file"):
        store.arrays("c", None, kept=False, states=1 << 22, times=2)
    assert not store.has_curves("c", states=1 << 22, times=2)


@pytest.mark.parametrize("task", [{}, {"name": "chain"}, {**RUN.task, "limits": None}])
def test_a_run_without_a_task_is_not_gone_on_with(tmp_path: Path, task: dict[str, object]) -> None:
    store = written(tmp_path)
    store.write_cell(CELL)
    store.write_run(RUN.model_copy(update={"task": task}))
    with pytest.raises(InputError, match="`qdynbench run --fresh` replaces it"):
        earlier_run(store, {})


def test_records_of_a_run_take_no_more_than_their_budget(tmp_path: Path) -> None:
    store = written(tmp_path)
    for number in range(12):
        text = CELL.model_copy(update={"key": f"a{number}"}).model_dump_json()
        (tmp_path / "cells" / f"a{number}.json").write_text(text + " " * 7_000_000)
    found = []
    with pytest.raises(Damaged, match="the cells of the run are too large together"):
        found.extend(store.cell(f"a{number}") for number in range(12))
    assert store.cell("a0")


def test_a_cell_that_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qdynbench.record.store.USUAL_CELL", 0)
    monkeypatch.setattr("qdynbench.record.store.LARGEST_EXCESS", 1.5 * len(CELL.model_dump_json(indent=1)))
    store = written(tmp_path)
    store.write_cell(CELL)
    store.write_cell(CELL)  # again, in the place of the first
    with pytest.raises(CannotWrite, match="too large together; fewer rounds or launches"):
        store.write_cell(CELL.model_copy(update={"key": "another"}))
