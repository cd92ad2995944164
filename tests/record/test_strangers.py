"""Runs that a stranger has made or tampered with: nothing of them is executed, and what is damaged is one line."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaign import run_folders

from qdynbench.api import draw, load_run
from qdynbench.errors import InputError
from qdynbench.plugins.imports import contents_of
from qdynbench.record import trust
from tests.runs import Entry, ended, exact, make_run

Command = Callable[..., subprocess.CompletedProcess[str]]

EVIL = """\
from pathlib import Path
from qdynbench import hookimpl
Path("{marker}").write_text("executed")

@hookimpl
def register_figures(register):
    register("evil", dict, summary="")

@hookimpl
def register_solvers(register):
    register("evil", dict, summary="")
"""


@pytest.fixture
def folder(tmp_path: Path, qdynbench: Command) -> Path:
    """Return the folder of a run of three cells."""
    entries = {"ed": {3: exact()}, "new": {3: Entry(label="labelled", accuracy=["x"]), 4: ended("failed", "a reason")}}
    return make_run(tmp_path / "run", entries, {"new": {}}).folder


def edit(path: Path, **values: Any) -> None:
    """Set values in a file of JSON by dotted key, written with `__` for a dot."""
    content = json.loads(path.read_text())
    for key, value in values.items():
        *outer, last = [int(part) if part.isdigit() else part for part in key.split("__")]
        place = content
        for part in outer:
            place = place[part]
        place[last] = value
    path.write_text(json.dumps(content))


# Nothing is executed


@pytest.mark.parametrize("name", ["{folder}/evil.py", "evil.py", "./evil.py"])
def test_opening_a_run_executes_nothing_that_it_names(
    folder: Path, tmp_path: Path, qdynbench: Command, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    (folder / "evil.py").write_text(EVIL.format(marker=marker))
    edit(folder / "run.json", plugin_files=[name.format(folder=folder)], task__figures=["evil"])
    monkeypatch.chdir(folder)
    shown = qdynbench("report", ".", "--details")
    assert shown.returncode == 0
    assert "evil.py' of this run is left out: you have not run it here as it is now; --plugin FILE" in shown.stderr
    assert "evil: cannot be drawn: unknown figure 'evil'" in shown.stdout
    with pytest.warns(UserWarning, match="is left out"):
        draw(folder)
    for arguments in (
        ("compare", "new", "ed", "--run", "."),
        ("compare", "evil", "ed", "--run", "."),
        ("report", ".", "--metric", "infidelity"),
        ("page", "."),
        ("list", "runs"),
        ("list", "runs", "--json"),
        ("list", "fits"),
        ("run",),
        ("page", ".", "--out", tmp_path / "page.html"),
        ("export", ".", "--out", tmp_path / "archive"),
    ):
        assert qdynbench(*arguments).returncode in (0, 2)
    assert "evil.py" in (tmp_path / "archive" / "README.md").read_text(), "named, and not taken along"
    assert not list((tmp_path / "archive").rglob("*.py"))
    opened = load_run(folder)
    assert len(opened.table) > 0 < len(opened.curves)
    assert not marker.exists()
    assert repr(opened)
    assert opened._repr_html_()
    for asked in ("evil.py", "."):  # the user has asked for it
        shown = qdynbench("report", ".", "--plugin", asked)
        assert marker.exists()
        assert ("left out" in shown.stderr) is not name.startswith("{folder}")
        marker.unlink()


def test_a_plugin_file_is_known_by_its_place_and_its_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    mine, copy = tmp_path / "mine.py", tmp_path / "copy.py"
    mine.write_text("import helper")
    trust.remember(mine, contents_of(mine))
    assert trust.holds_file(mine)
    (tmp_path / "helper.py").write_text("something else")
    assert not trust.holds_file(mine)
    (tmp_path / "helper.py").unlink()
    copy.write_text("import helper")  # beside another `helper`
    assert not trust.holds_file(copy)
    mine.write_text("import other")
    assert not trust.holds_file(mine)
    trust.remember(mine, contents_of(mine))
    mine.write_text("import helper")
    assert trust.holds_file(mine)
    os.mkfifo(fifo := tmp_path / "fifo.py")
    for odd in (fifo, Path("mine.py"), Path("/dev/zero"), Path("a\0b"), tmp_path):
        assert not trust.holds_file(odd)


def test_what_was_run_here_is_used_again(folder: Path, tmp_path: Path, qdynbench: Command) -> None:
    (tmp_path / "mine.py").write_text(EVIL.format(marker=tmp_path / "marker"))
    edit(folder / "run.json", plugin_files=[str(tmp_path / "mine.py")], task__figures=["evil"])
    trust.remember(tmp_path / "mine.py", contents_of(tmp_path / "mine.py"))
    assert "left out" not in qdynbench("report", folder).stderr
    assert (tmp_path / "marker").exists()


def test_pictures_are_written_nowhere_else(folder: Path, tmp_path: Path, qdynbench: Command) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (folder / "figures").symlink_to(elsewhere)
    edit(folder / "run.json", task__figures=["prediction"])
    assert "is a symbolic link" in " ".join(qdynbench("report", folder).stdout.split())
    assert not list(elsewhere.iterdir())
    (folder / "figures").unlink()
    (folder / "figures").mkdir()
    (folder / "figures" / "prediction.png").write_text("mine")
    assert "was not written by this run" in " ".join(qdynbench("report", folder).stdout.split())
    assert (folder / "figures" / "prediction.png").read_text() == "mine"


# Numbers and texts

ODD_CELLS: dict[str, dict[str, Any]] = {
    "a batch of none": {"ledger__solve__0__batch_size": 0},
    "a huge integer": {"ledger__solve__0__batch_size": 10**400},
    "a time of nan": {"ledger__solve__0__launches__0__0": float("nan")},
    "a time beyond all": {"ledger__solve__0__launches__0__0": 1e308},
    "a negative time": {"ledger__solve__0__launches__0__0": -1.0},
    "no times": {"ledger__solve__0__launches": [[]]},
    "no launches": {"ledger__solve__0__launches": []},
    "a size of bits": {"size": 10**12},
    "a size of another task": {"size": 7},
    "no solver": {"solver": "not a solver[[["},
    "another solver": {"solver": "persistence"},
    "a step beyond": {"scores__0__step": 10**9},
    "another key": {"key": "../../x"},
    "an unknown key": {"of_another_version": 1},
    "a memory": {"ledger__peak_memory_host": -(10**30)},
}


@pytest.mark.parametrize("odd", ODD_CELLS)
def test_a_cell_that_cannot_be_is_one_line_and_the_rest_is_shown(folder: Path, qdynbench: Command, odd: str) -> None:
    edit(folder / "cells" / "cell-1-n3-s0.json", **ODD_CELLS[odd])
    for arguments in ((), ("--details",), ("--json",), ("--quiet",)):
        shown = qdynbench("report", folder, *arguments)
        assert shown.returncode == 0
        assert shown.stderr.count("\n") == 1
        assert shown.stderr.startswith("cells/cell-1-n3-s0.json ")
    assert "2 cells: 1 ok, 1 failed, 1 missing" in qdynbench("report", folder).stdout
    with pytest.warns(UserWarning, match=r"cells/cell-1-n3-s0\.json .*; it is left out"):
        assert len(load_run(folder).cells) == 2


def test_texts_reach_neither_the_terminal_nor_the_record_as_commands(folder: Path, qdynbench: Command) -> None:
    cell = folder / "cells" / "cell-1-n4-s0.json"
    odd = "\x1b[2J\x1b]0;title\x07\x9b31m[/nonsense] \ud800" + "x" * 10_000_000
    edit(cell, reason=odd, details=odd, label=odd, notes=[odd] * 3, knowledge=odd)
    edit(folder / "cells" / "cell-0-n3-s0.json", scores__1__metric="\x1b[2Jodd", scores__1__unit="\x1b[2J")
    edit(folder / "run.json", task__name="[/nonsense]", task__title=odd, provenance__hardware__processor=odd)
    for arguments in (("report", folder, "--details"), ("list", "runs"), ("report", folder, "--json")):
        shown = qdynbench(*arguments)
        assert not {letter for letter in shown.stdout + shown.stderr if not letter.isprintable() and letter != "\n"}
        assert len(shown.stdout) < 100_000


def test_scores_beyond_all_are_written(folder: Path, qdynbench: Command) -> None:
    # Rounded to one digit they are no number any more, and the report ended in a traceback.
    cell = folder / "cells" / "cell-1-n3-s0.json"
    for number in range(len(json.loads(cell.read_text())["scores"])):
        edit(cell, **{f"scores__{number}__value": 1e308, f"scores__{number}__high": 1.7e308})
    for arguments in ((), ("--details",), ("--json",), ("--quiet",)):
        shown = qdynbench("report", folder, *arguments)
        assert (shown.returncode, shown.stderr) == (0, "")


ODD_RUNS: dict[str, dict[str, Any]] = {
    "no task": {"task": {}},
    "another task": {"task__colour": "red"},
    "a task of text": {"task__sizes": "all"},
    "a model without a family": {"task__model": {"J": 1}},
    "cells elsewhere": {"cells": ["../../victim"]},
    "cells of null": {"cells": ["a\0b"]},
    "a made of lists": {"provenance": []},
    "hardware of numbers": {"provenance__hardware": 3},
    "a fit of numbers": {"fits__new__made": {"hardware": 3}},
    "a fit built upon nothing": {"fits__new__built_upon": {"name": 3}},
    "a costly fit": {"fits__new__fit_time": 1e300},
    "another format": {"schema_version": 99},
}


@pytest.mark.parametrize("odd", ODD_RUNS)
def test_a_run_that_cannot_be_is_refused_in_one_line(folder: Path, qdynbench: Command, odd: str) -> None:
    edit(folder / "run.json", **ODD_RUNS[odd])
    for command in (("report", folder), ("compare", "new", "ed", "--run", folder)):
        refused = qdynbench(*command)
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"error: {folder / 'run.json'} ")
        assert refused.stderr.count("\n") == 1
    with pytest.raises(InputError):
        load_run(folder)


def test_a_grid_without_an_end_is_not_made(folder: Path, qdynbench: Command) -> None:
    edit(folder / "run.json", task__times__steps=10**30)
    shown = qdynbench("report", folder, "--details")
    assert shown.returncode in (0, 2)
    assert shown.stderr


def test_json_without_an_end_is_refused(folder: Path) -> None:
    for content in (b"[" * 10**6, b'{"schema_version": ' + b"9" * 5000 + b"}", b"\xff\xfe{}", b""):
        (folder / "run.json").write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as a run"):
            load_run(folder)


# Files that are none


def replaced(path: Path, how: str, victim: Path) -> None:
    path.unlink()
    if how == "fifo":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
    elif how == "hole":
        path.touch()
        os.truncate(path, 1 << 40)
    else:
        path.symlink_to({"link": str(victim), "device": "/dev/zero", "loop": path.name}[how])


@pytest.mark.parametrize("how", ["fifo", "folder", "hole", "link", "device", "loop"])
def test_nothing_but_a_file_of_the_folder_is_opened(folder: Path, tmp_path: Path, qdynbench: Command, how: str) -> None:
    name = "cell-1-n3-s0"
    whole = (folder / "cells" / f"{name}.json").read_bytes()
    (victim := tmp_path / "victim.json").write_bytes(whole)
    replaced(folder / "curves" / f"{name}.npz", how, victim)
    shown = qdynbench("report", folder, "--details")
    assert shown.returncode == 0
    assert [line.partition(": ")[0] for line in shown.stderr.splitlines()] == [f"curves/{name}.npz cannot be read"]
    replaced(folder / "cells" / f"{name}.json", how, victim)
    shown = qdynbench("report", folder, "--details")
    assert [line.partition(": ")[0] for line in shown.stderr.splitlines()] == [f"cells/{name}.json cannot be read"]
    replaced(folder / "run.json", how, victim)
    assert qdynbench("report", folder).returncode == 2


class Pwned:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def archives(marker: Path, states: int = 200) -> dict[str, Callable[[Path], object]]:
    """Return what may lie in the place of curves."""
    curve = np.ones((states, 101), np.float32)
    return {
        "text": lambda path: path.write_text("no archive"),
        "nothing": lambda path: path.write_bytes(b""),
        "a pickle": lambda path: path.write_bytes(pickle.dumps(Pwned(marker))),
        "half": lambda path: path.write_bytes(path.read_bytes()[:1000]),
        "one array": lambda path: np.save(path.open("wb"), curve),
        "objects": lambda path: np.savez(path, infidelity=np.array([Pwned(marker)], dtype=object)),
        "texts": lambda path: np.savez(path, infidelity=np.array(["a"])),
        "a number": lambda path: np.savez(path, infidelity=np.float32(1)),
        "no states": lambda path: np.savez(path, infidelity=curve[:0]),
        "other times": lambda path: np.savez(path, infidelity=curve[:, :7]),
        "more states": lambda path: np.savez(path, infidelity=np.ones((201, 101), np.float32)),
        "unequal": lambda path: np.savez(path, infidelity=curve, skill=curve[:3]),
        "a bomb": lambda path: np.savez_compressed(
            path, infidelity=np.zeros((1, 101), np.float32), x=np.zeros(1 << 25)
        ),
        "bombs": lambda path: np.savez_compressed(path, **{f"x{n}": np.zeros(1 << 20, "f4") for n in range(20)}),
        "many": lambda path: np.savez(path, **{f"x{number}": curve[:1] for number in range(1000)}),
    }


@pytest.mark.parametrize("how", archives(Path()))
def test_curves_that_are_none_are_one_line(folder: Path, tmp_path: Path, qdynbench: Command, how: str) -> None:
    archives(tmp_path / "marker")[how](folder / "curves" / "cell-1-n3-s0.npz")
    shown = qdynbench("report", folder, "--details")
    assert shown.returncode == 0
    with pytest.warns(UserWarning, match=r"curves/cell-1-n3-s0\.npz .*; it is left out"):
        curves = load_run(folder).curves
    assert curves.infidelity.sel(solver="ed", size=3).notnull().any()
    opened = load_run(folder)
    assert [opened.trajectories(cell) for cell in opened.cells] == [None, None, None]
    assert not (tmp_path / "marker").exists()


def test_runs_spoilt_at_random(tmp_path: Path) -> None:
    outcomes = list(run_folders.run(int.from_bytes(os.urandom(3)), 15, tmp_path))
    assert len(outcomes) == 15
    assert not [f"{one.trial}: {one.fault}" for one in outcomes if one.fault]
