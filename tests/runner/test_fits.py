"""Where weights come from and what they cost: built upon others, one of several shipped folders, another time step."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench.record.ledger import bill
from qdynbench.record.manifest import weights_of, write_manifest
from qdynbench.record.results import Run
from qdynbench.record.schema import FitRecord, Status

Command = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = """\
import json
import os
import signal
import time
from pathlib import Path

from qdynbench import Block, Knowledge, LearnedSolver, hookimpl

HERE = Path(__file__).parent

class Learner(LearnedSolver):
    knowledge = Knowledge.TRAJECTORIES
    base: str = ""
    dies: bool = False
    meets: bool = False
    def starts_from(self):
        return HERE / self.base if self.base else None
    def shipped(self):
        return [HERE / "first", HERE / "second"] if not self.base else []
    def fit(self, data, context):
        self.dt = float(data.times[1])
        context.note("learned the time step")
        if self.meets:  # long enough for another run to come to its own fit
            (HERE / "fitting").touch()
            until = time.monotonic() + 120
            while not (HERE / "go-on").exists() and time.monotonic() < until:
                time.sleep(0.05)
        if self.dies and not (context.folder / "half-way").exists():
            context.progress(0.25, dt=1.0)
            (context.folder / "half-way").touch()
            context.progress(0.5, dt=2.0)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.dies:
            context.progress(0.5, dt=3.0)
        context.progress(1.0, dt=self.dt)
    def save(self, folder):
        (folder / "learned.json").write_text(json.dumps({"dt": self.dt}))
    def load(self, folder):
        self.dt = json.loads((folder / "learned.json").read_text())["dt"]
    def solve(self, given):
        yield Block(0, given.states[:, None].expand(-1, self.problem.steps + 1, -1))

@hookimpl
def register_solvers(register):
    register("learner", Learner, summary="learns the time step")
"""
BASE = {"solver": "learner", "training": {"sizes": [2]}, "data_time": 7.0, "fit_time": 100.0}


@pytest.fixture
def learner(small_task: Path, tmp_path: Path) -> tuple[object, ...]:
    """Return what a command needs to run the solver: a task with training, and the plugin with weights beside it."""
    (tmp_path / "learner.py").write_text(PLUGIN)
    weights(tmp_path / "base", BASE)
    small_task.write_text(small_task.read_text() + "training: {sizes: [2], trajectories: 2, steps: 4, dt: 0.005}\n")
    return "run", small_task, "--plugin", "learner.py", "--set", "sizes=[2]", "--solver"


def weights(folder: Path, manifest: dict[str, object]) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "learned.json").write_text('{"dt": 0.005}')


def test_the_cost_of_weights_that_a_fit_builds_upon_is_in_the_ledger(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    done = qdynbench(*learner, "learner[base=base]")
    assert done.returncode == 0, done.stderr
    assert "learned the time step" in done.stderr
    assert "(107.0 s of both for the weights 'base' that it started from)" in done.stderr
    opened = Run(tmp_path / "runs" / "small")
    record = opened.record.fits["learner[base=base]"]
    assert 100 < (record.fit_time or 0) < 110
    assert 7 <= (record.data_time or 0) < 17
    assert record.built_upon is not None
    assert {key: record.built_upon[key] for key in ("name", "data_time", "fit_time")} == {
        "name": "base",
        "data_time": 7.0,
        "fit_time": 100.0,
    }
    assert record.notes == ["learned the time step"]
    assert record.curve == [{"fraction": 1.0, "dt": 0.005}]  # the training's step, not the task's
    cell = opened.cell("learner[base=base]", 2, 0)
    assert set(cell.track.split("+")) == {"other-step", "longer-time"}
    paid = bill(cell, opened.record.fits)
    assert paid is not None
    assert paid.fixed > 107
    table = opened.table
    assert (table[(table.metric == "fit_time") & (table.solver == cell.solver)].value > 100).all()
    # Kept, it is found again, until the weights that it was built upon are others.
    again = qdynbench(*learner, "learner[base=base]")
    assert "an earlier run's weights" in again.stderr
    (tmp_path / "base" / "learned.json").write_text('{"dt": 0.006}')
    anew = qdynbench(*learner, "learner[base=base]")
    assert "learned the time step" in anew.stderr


def test_weights_without_a_stated_cost_end_their_own_cells_alone(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "base" / "manifest.json").write_text("{}")
    done = qdynbench(*learner, "learner[base=base]", "--solver", "ed")
    assert done.returncode == 1
    assert "would hide that cost" in done.stderr
    assert Run(tmp_path / "runs" / "small").cell("ed", 2, 0).status is Status.OK
    assert qdynbench(*learner, "learner[base=base]", "--refit").returncode == 1


def test_of_several_shipped_folders_the_one_with_the_tasks_training_is_used(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    done = qdynbench(*learner, "learner[base=base]")
    assert done.returncode == 0, done.stderr
    made = Run(tmp_path / "runs" / "small").record.fits["learner[base=base]"]
    manifest = json.loads((Path(made.folder) / "manifest.json").read_text())
    weights(tmp_path / "first", BASE)
    weights(tmp_path / "second", manifest | {"solver": "learner"})
    done = qdynbench(*learner, "learner")
    assert done.returncode == 0, done.stderr
    record = Run(tmp_path / "runs" / "small").record.fits["learner"]
    assert (record.source, Path(record.folder).name) == ("shipped", "second")


def shipped_from(folder: Path, record: FitRecord) -> Path:
    """Copy the weights of a fit to a folder that comes with the plugin, and return their file."""
    shutil.copytree(record.folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"solver": "learner"}))
    return folder / "learned.json"


def test_weights_are_held_to_the_hash_in_their_manifest(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    assert qdynbench(*learner, "learner[base=base]").returncode == 0
    file = shipped_from(tmp_path / "first", Run(tmp_path / "runs" / "small").record.fits["learner[base=base]"])
    assert qdynbench(*learner, "learner").returncode == 0
    record = Run(tmp_path / "runs" / "small").record.fits["learner"]
    assert record.source == "shipped"
    assert record.notes == ["learned the time step"]
    kept = file.read_text()
    file.write_text('{"dt": 0.006}')
    for status, command in {
        1: learner,
        2: ("run", *learner[1:], "learner", "--weights", "learner=first", "--solver"),
    }.items():
        refused = qdynbench(*command, "learner")
        assert refused.returncode == status
        assert "are not those of their manifest.json: it has the hash" in refused.stderr
    assert qdynbench(*learner, "learner", "--refit").returncode == 0
    file.write_text(kept)
    manifest = json.loads((tmp_path / "first" / "manifest.json").read_text())
    del manifest["weights"]
    (tmp_path / "first" / "manifest.json").write_text(json.dumps(manifest))
    assert qdynbench(*learner, "learner", "--out", "unhashed").returncode == 0
    assert "no hash" in Run(tmp_path / "unhashed").record.fits["learner"].notes[-1]


def test_damaged_weights_are_made_anew_and_a_line_says_so(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    assert qdynbench(*learner, "learner", "--quiet").returncode == 0
    home = Path(Run(tmp_path / "runs" / "small").record.fits["learner"].folder)
    manifest, file, sound = home / "manifest.json", home / "learned.json", tmp_path / "sound"
    shutil.copytree(home, sound)

    def a_file() -> None:
        shutil.rmtree(home)
        home.write_text("no folder")

    damages: dict[str, Callable[[], object]] = {
        "a digit": lambda: file.write_text(file.read_text().replace("5", "4")),
        "gone": file.unlink,
        "half a manifest": lambda: manifest.write_text(manifest.read_text()[:100]),
        "no cost": lambda: manifest.write_text('{"solver": "learner", "weights": "x"}'),
        "odd types": lambda: manifest.write_text('{"data_time": -1e9, "fit_time": "x", "weights": 3, "curve": 1}'),
        "a file": a_file,
    }
    for name, damage in damages.items():
        shutil.rmtree(home)
        shutil.copytree(sound, home)
        damage()
        planned = qdynbench(*learner, "learner", "--dry-run")
        assert "fit learner: the kept weights are damaged, and are made anew: " in planned.stderr, name
    (home.parent / "progress.json").write_text('{"fit_time": 1.0, "data_time": 1.0, "curve": [3], "notes": 7}')
    assert qdynbench(*learner, "learner").returncode == 0
    assert file.read_text() == (sound / "learned.json").read_text()


def test_a_fit_that_cannot_be_kept_ends_its_own_cells_alone(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    done = qdynbench(*learner, "learner", "--solver", "ed", XDG_CACHE_HOME="/proc/nope")
    assert done.returncode == 1
    assert "learner at 2 spins: failed: fit: it cannot be kept in '/proc/nope/" in done.stderr
    assert Run(tmp_path / "runs" / "small").cell("ed", 2, 0).status is Status.OK


@pytest.mark.parametrize(
    ("save", "status"),
    [
        ("(folder / 'holes').open('wb').truncate(30_000_000_000)", Status.INVALID),
        ("open(os.fsencode(folder) + b'/w\\xff', 'wb').close()", Status.OK),
    ],
)
def test_whatever_is_saved_ends_the_cells_of_no_other(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path, save: str, status: Status
) -> None:
    # An odd name ended the run in a traceback, and a large file was read into the main process as a whole.
    with (tmp_path / "learner.py").open("a") as file:
        file.write(f"\nplain = Learner.save\ndef save(self, folder):\n    plain(self, folder)\n    {save}\n")
        file.write("Learner.save = save\n")
    done = qdynbench(*learner, "learner", "--solver", "ed", "--quiet")
    assert "Traceback" not in done.stderr
    run = Run(tmp_path / "runs" / "small")
    assert (run.cell("learner", 2, 0).status, run.cell("ed", 2, 0).status) == (status, Status.OK)
    shutil.rmtree(tmp_path / "cache")  # the folder of the test is kept, and other tools stumble over such a name


def test_a_strangers_run_leads_to_no_weights(qdynbench: Command, learner: tuple[object, ...], tmp_path: Path) -> None:
    assert qdynbench(*learner, "learner", "--quiet").returncode == 0
    path = tmp_path / "runs" / "small" / "run.json"
    content = json.loads(path.read_text())
    weights(tmp_path / "theirs", BASE)
    write_manifest(tmp_path / "theirs", BASE)
    hashed = weights_of(tmp_path / "theirs")
    content["fits"]["learner"] |= {"source": "given", "folder": str(tmp_path / "theirs"), "fingerprint": hashed}
    path.write_text(json.dumps(content))
    assert qdynbench(*learner, "learner", "--quiet").returncode == 0
    assert Run(tmp_path / "runs" / "small").record.fits["learner"].source == "cache"


def test_shipped_weights_are_trained_again_and_compared(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    verify = ("verify", learner[1], "learner", "--plugin", "learner.py", "--set", "sizes=[2]")
    nothing = qdynbench(*verify)
    assert nothing.returncode == 2
    assert "no weights of learner come with its plugin" in nothing.stderr
    assert qdynbench(*learner, "learner[base=base]").returncode == 0
    file = shipped_from(tmp_path / "first", Run(tmp_path / "runs" / "small").record.fits["learner[base=base]"])
    done = qdynbench(*verify)
    assert done.returncode == 0, done.stderr
    assert "weights: the same, bit for bit" in done.stdout
    assert "1 min 47 s as its plugin says" in done.stdout or "100 s as its plugin says" in done.stdout
    assert "1.00 times state by state: equal within a factor of two" in done.stdout
    # Other weights that are as good are as good; `learner` never looks at them.
    file.write_text('{"dt": 0.006}')
    manifest = json.loads((tmp_path / "first" / "manifest.json").read_text())
    write_manifest(tmp_path / "first", manifest)
    done = qdynbench(*verify)
    assert done.returncode == 0, done.stderr
    assert "weights: not the same" in done.stdout
    assert "equal within a factor of two" in done.stdout


def test_a_killed_fit_keeps_the_learning_curve_of_before(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    done = qdynbench(*learner, "learner[dies=true]")
    assert done.returncode == 1
    failed = Run(tmp_path / "runs" / "small").record.fits["learner[dies=true]"]
    assert [point["fraction"] for point in failed.curve] == [0.25, 0.5]
    done = qdynbench(*learner, "learner[dies=true]")
    assert done.returncode == 0, done.stderr
    fit = Run(tmp_path / "runs" / "small").record.fits["learner[dies=true]"]
    assert [(point["fraction"], point["dt"]) for point in fit.curve] == [(0.25, 1.0), (0.5, 3.0), (1.0, 0.005)]
    assert fit.notes == ["learned the time step"]


def test_a_run_waits_for_another_ones_fit_and_uses_it(learner: tuple[object, ...], tmp_path: Path) -> None:
    def started(folder: str) -> subprocess.Popen[str]:
        command = [Path(sys.executable).with_name("qdynbench"), *learner, "learner[meets=true]", "--out", folder]
        return subprocess.Popen(
            list(map(str, command)),
            cwd=tmp_path,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "200"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    with started("first-run") as first:
        while not (tmp_path / "fitting").exists():
            assert first.poll() is None, first.communicate()
            time.sleep(0.05)
        with started("second-run") as second:
            assert second.stderr is not None
            assert any("waiting for it to end" in line for line in second.stderr)
            (tmp_path / "go-on").touch()
            for run in (first, second):
                said = run.communicate(timeout=60)
                assert run.returncode == 0, said
    fits = [Run(tmp_path / name).record.fits["learner[meets=true]"] for name in ("first-run", "second-run")]
    assert fits[0].source == "fitted"
    assert (fits[1].source, fits[1].made) == ("cache", fits[0].made)


def test_a_fit_that_ends_unsupported_ends_its_own_cells_alone(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    refuses = PLUGIN.replace(
        "        self.dt = float(data.times[1])\n", '        raise Unsupported("too few trajectories")\n', 1
    ).replace("LearnedSolver, hookimpl", "LearnedSolver, Unsupported, hookimpl", 1)
    (tmp_path / "learner.py").write_text(refuses)
    done = qdynbench(*learner, "learner[base=base]", "--solver", "ed")
    assert "Traceback" not in done.stderr
    cells = {cell.solver: cell for cell in Run(tmp_path / "runs" / "small").cells}
    assert cells["ed"].status == "ok"
    refused = cells["learner[base=base]"]
    assert refused.status == "unsupported"
    assert "too few trajectories" in (refused.reason or "")


def test_a_fit_outlives_changed_code_where_the_user_says_so(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    run = (*learner, "learner[base=base]", "--out", "one")
    assert qdynbench(*run).returncode == 0
    made = Run(tmp_path / "one").record.fits["learner[base=base]"]
    (tmp_path / "learner.py").write_text(PLUGIN + "# a comment\n")
    kept = qdynbench(*run, "--keep-fit")
    assert kept.returncode == 0, kept.stderr
    assert "an earlier run's weights" in kept.stderr
    fit = Run(tmp_path / "one").record.fits["learner[base=base]"]
    assert (fit.fingerprint, fit.made, fit.fit_time) == (made.fingerprint, made.made, made.fit_time)
    assert "fitted by an earlier version of the solver's code, see --keep-fit" in fit.notes
    again = qdynbench(*run)  # without saying so again
    assert "an earlier run's weights" in again.stderr
    assert again.stderr.count("from an earlier run") == 3
    (tmp_path / "learner.py").write_text(PLUGIN + "# another comment\n")
    assert "learned the time step" in qdynbench(*run).stderr  # it was said of that code alone


def test_weights_from_elsewhere_are_used_from_then_on(
    qdynbench: Command, learner: tuple[object, ...], tmp_path: Path
) -> None:
    weights(tmp_path / "brought", {"data_time": 7.0, "fit_time": 100.0})
    for arguments in (["--weights", "brought"], ["--weights", "learner=brought"], []):
        done = qdynbench(*learner, "learner", "--out", "one", *arguments)
        assert done.returncode == 0, done.stderr
        assert "given weights, which had cost fit 100.0 s, data 7.0 s" in done.stderr
    assert done.stderr.count("from an earlier run") == 3
    record = Run(tmp_path / "one").record.fits["learner"]
    assert (record.source, record.folder) == ("given", str(tmp_path / "brought"))
    assert "do not say what they were trained on" in record.notes[0]
    (tmp_path / "brought" / "learned.json").write_text('{"dt": 0.006}')
    other = qdynbench(*learner, "learner", "--out", "one", "--weights", "brought")
    assert "learner: 1 result of other code or another fit will be measured again" in other.stderr


@pytest.mark.parametrize(
    ("manifest", "solver", "weights_option", "expected"),
    [
        ({}, "learner", "brought", "write the seconds that these weights had cost into brought/manifest.json"),
        (BASE, "learner", "brought", "trained on something else than the task says (trajectories: none there"),
        (BASE, "learner", "linaer=brought", "learned solvers of this run: learner, linear"),
        (BASE, "ed", "brought", "learned solvers of this run: linear"),
        (BASE, "learner", "absent", "there is no such folder"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(
    qdynbench: Command,
    learner: tuple[object, ...],
    tmp_path: Path,
    manifest: dict[str, object],
    solver: str,
    weights_option: str,
    expected: str,
) -> None:
    weights(tmp_path / "brought", {name: value for name, value in manifest.items() if name != "solver"})
    done = qdynbench(*learner, solver, "--weights", weights_option)
    assert done.returncode == 2
    assert expected in done.stderr
