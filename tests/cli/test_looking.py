"""What a newcomer looks for: the version, what a solver is, lists for programs, runs and fits wherever they are."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

import qdynbench as package
from qdynbench import InputError, Run, Status, load_run
from qdynbench.plugins.registry import Registry
from qdynbench.record.folders import remember
from tests.runs import Entry, ended, make_run

Command = Callable[..., subprocess.CompletedProcess[str]]
REGISTRY = Registry.discover()
NAMES = [name for kind in ("solvers", "models", "metrics", "ensembles", "figures") for name in REGISTRY.entries[kind]]


def test_the_version_is_shown(qdynbench: Command) -> None:
    assert qdynbench("--version").stdout == f"qdynbench {package.__version__}\n"


@pytest.mark.parametrize("name", [*NAMES, "ising_mixed"])
def test_everything_can_be_shown(qdynbench: Command, name: str) -> None:
    shown = qdynbench("show", name)
    assert shown.returncode == 0, shown.stderr
    assert name in shown.stdout
    about = json.loads(qdynbench("show", name, "--json").stdout)
    assert about["name"] == name
    assert about["source"]


def test_a_solver_says_what_it_takes_and_refuses(qdynbench: Command) -> None:
    about = json.loads(qdynbench("show", "chebyshev", "--json").stdout)
    tolerance = next(one for one in about["parameters"] if one["name"] == "tolerance")
    assert (tolerance["type"], tolerance["role"]) == ("float", "turns its error")
    assert about["knows"] == "the Hamiltonian"
    assert (
        "one spin: a chain of one spin has no bond"
        in json.loads(qdynbench("show", "tenpy-tebd", "--json").stdout)["limits"]
    )
    assert "trajectories alone" in qdynbench("show", "sru").stdout
    required = json.loads(qdynbench("show", "ising", "--json").stdout)["parameters"][1]
    assert required == {"name": "g", "type": "float | list[float]", "default": "required"}
    wrong = qdynbench("show", "chebyshev[tolernce=1]")
    assert wrong.returncode == 2
    assert "did you mean 'tolerance'" in wrong.stderr


def test_a_task_file_can_be_shown(qdynbench: Command, small_task: Path) -> None:
    about = json.loads(qdynbench("show", small_task, "--json").stdout)
    assert (about["kind"], about["sizes"], about["solvers"]) == ("task", "2, 3", "ed, persistence")


def test_lists_can_be_read_by_programs(qdynbench: Command) -> None:
    rows = json.loads(qdynbench("list", "solvers", "--json").stdout)
    assert {row["name"] for row in rows} == set(REGISTRY.entries["solvers"])
    assert list(csv.DictReader(io.StringIO(qdynbench("list", "solvers", "--csv").stdout))) == rows
    assert json.loads(qdynbench("list", "runs", "--json").stdout) == []


def test_a_run_is_found_from_anywhere_and_by_name(
    qdynbench: Command, tmp_path: Path, small_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert qdynbench("run", small_task, "--quiet", "--threads", "1", "--out", "elsewhere/mine").returncode == 0
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    (listed,) = json.loads(qdynbench("list", "runs", "--json").stdout)
    assert listed["run"] == str(tmp_path / "elsewhere" / "mine")
    assert qdynbench("report", "--quiet").returncode == 0
    assert qdynbench("report", "mine", "--quiet").returncode == 0
    assert load_run("mine").folder == load_run().folder == tmp_path / "elsewhere" / "mine"
    with pytest.raises(InputError, match="no run at 'yours'"):
        load_run("yours")


def test_a_run_elsewhere_is_compared_and_has_its_page_by_name(
    qdynbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere" / "mine"
    make_run(folder, {name: {2: Entry(seconds=1e-3)} for name in ("ed", "numpy")})
    remember(folder)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert qdynbench("compare", "numpy", "ed", "--run", "mine").returncode == 0
    assert qdynbench("page", "mine", "--out", "page.html").returncode == 0
    assert "mine" in (tmp_path / "other" / "page.html").read_text()
    wrong = qdynbench("compare", "numpy", "ed", "--run", "yours")
    assert "unknown task 'yours'" in wrong.stderr


def test_what_was_remembered_is_not_believed(
    qdynbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "cache" / "qdynbench" / "runs.txt"
    index.parent.mkdir(parents=True)
    folder = tmp_path / "kept"
    make_run(folder, {"ed": {2: Entry(seconds=1e-3)}})
    record = json.loads((folder / "run.json").read_text())
    record["task"]["name"] = "\x1b[31mred\nline, " + 1000 * "x"
    (folder / "run.json").write_text(json.dumps(record))
    odd = [b"\xff\xfe", b"gone", b"\0", 5000 * b"long", str(tmp_path).encode(), b"", str(folder).encode()]
    index.write_bytes(b"\n".join(odd))
    assert [Path(row["run"]) for row in json.loads(qdynbench("list", "runs", "--json").stdout)] == [Path("kept")]
    for form in ([], ["--csv"], ["--json"]):
        shown = qdynbench("list", "runs", *form)
        assert shown.returncode == 0
        assert "\x1b[31m" not in shown.stdout
        assert len(shown.stdout) < 3000
    index.unlink()
    index.symlink_to(tmp_path / "thesis")
    (tmp_path / "thesis").write_text("text\n")
    remember(tmp_path / "new")
    assert (tmp_path / "thesis").read_text() == "text\n"


def test_a_run_says_what_it_is(tmp_path: Path) -> None:
    run: Run = make_run(
        tmp_path / "run", {"ed": {2: Entry(seconds=1e-3)}, "ed[mode=<b>]": {2: ended(Status.FAILED, "")}}
    )
    assert repr(run).endswith("2 of 2 cells, solvers ed, ed[mode=<b>])")
    assert "<td>ed[mode=&lt;b&gt;]</td>" in run._repr_html_()


def test_public_names_are_completed() -> None:
    assert {"Solver", "run", "load_run", "testing"} <= set(dir(package))


def test_fits_are_listed_and_removed(qdynbench: Command, tmp_path: Path, small_text: str) -> None:
    (tmp_path / "task.yaml").write_text(small_text + "training: {sizes: [2, 3], trajectories: 5, steps: 5}\n")
    assert qdynbench("run", "task.yaml", "--quiet", "--threads", "1").returncode == 0
    (fit,) = json.loads(qdynbench("list", "fits", "--json").stdout)
    assert (fit["solver"], fit["trained"]) == ("linear", "5 trajectories each of 2, 3 spins")
    assert qdynbench("clean", "--days", "1", "--yes").stdout == "no fits to remove\n"
    assert Path(fit["folder"]).is_dir()
    assert "removed 1 fit of linear" in qdynbench("clean", "--yes").stdout
    assert not Path(fit["folder"]).exists()
    assert "no fits" in qdynbench("list", "fits").stdout


def test_clean_removes_nothing_but_fits(qdynbench: Command, tmp_path: Path) -> None:
    fits, digest = tmp_path / "cache" / "qdynbench" / "fits", 32 * "0"
    outside = tmp_path / "outside"
    for folder in (
        outside,
        fits / "notes",
        fits / f"linear-{digest}" / "weights",
        fits / f"mixed-{digest}" / "weights",
    ):
        folder.mkdir(parents=True)
        (folder / "kept.txt").write_text("thesis")
    (fits / f"linear-{digest}" / "weights" / "link").symlink_to(outside)
    (fits / f"mixed-{digest}" / "thesis.txt").write_text("thesis")
    (fits / f"link-{digest}").symlink_to(outside)
    for manifest in ("{", '{"training": {"sizes": 3}, "solver": "\\u001b[31m"}'):
        (fits / f"linear-{digest}" / "weights" / "manifest.json").write_text(manifest)
        (listed,) = json.loads(qdynbench("list", "fits", "--json").stdout)
        assert Path(listed["folder"]).name == f"linear-{digest}"
        assert "\x1b[31m" not in qdynbench("list", "fits").stdout
    asked = qdynbench("clean")
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    assert qdynbench("clean", "--yes").returncode == 0
    assert not (fits / f"linear-{digest}").exists()
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.txt")}
    inner = f"cache/qdynbench/fits/mixed-{digest}"
    assert left == {
        "outside/kept.txt",
        "cache/qdynbench/fits/notes/kept.txt",
        f"{inner}/weights/kept.txt",
        f"{inner}/thesis.txt",
    }


def test_a_fit_that_a_run_is_making_stays(qdynbench: Command, tmp_path: Path) -> None:
    home = tmp_path / "cache" / "qdynbench" / "fits" / f"linear-{32 * '0'}"
    (home / "work").mkdir(parents=True)
    with FileLock(home.with_suffix(".lock")):
        assert "1 fit in use stayed" in qdynbench("clean", "--yes").stdout
    assert home.is_dir()


def test_a_folder_of_plugins_is_loaded(qdynbench: Command, tmp_path: Path) -> None:
    assert qdynbench("new", "solver", "one", "--out", "mine").returncode == 0
    assert qdynbench("new", "model", "two", "--out", "mine").returncode == 0
    (tmp_path / "mine" / "helper.py").write_text("raise RuntimeError('this is no plugin')")
    for kind, name in (("solvers", "one"), ("models", "two")):
        assert name in {row["name"] for row in json.loads(qdynbench("list", kind, "--json", "--plugin", "mine").stdout)}
    (tmp_path / "outside.py").write_text("from qdynbench import hookimpl\nraise RuntimeError('not followed')")
    (tmp_path / "mine" / "link.py").symlink_to(tmp_path / "outside.py")
    os.mkfifo(tmp_path / "mine" / "pipe.py")
    assert qdynbench("list", "solvers", "--plugin", "mine").returncode == 0
    (tmp_path / "empty").mkdir()
    refused = qdynbench("list", "solvers", "--plugin", "empty")
    assert refused.returncode == 2
    assert "registers anything" in refused.stderr


def test_without_a_task_the_tasks_are_offered(qdynbench: Command, tmp_path: Path, small_task: Path) -> None:
    (tmp_path / "\x1b[31mtask.yaml").touch()
    done = qdynbench("run")
    assert done.returncode == 2
    assert "  small.yaml " in done.stderr
    assert "kicked_ising" in done.stderr
    assert "\x1b[31m" not in done.stderr


def test_the_shell_completes_commands(new_process: Command) -> None:
    done = new_process(_QDYNBENCH_COMPLETE="complete_bash", COMP_WORDS="qdynbench re", COMP_CWORD="1")
    assert done.stdout.split() == ["report"]


def test_a_class_and_a_dict_run_from_a_script(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        textwrap.dedent("""
        import torch
        import qdynbench
        from qdynbench import Block, Knowledge, Solver

        ORDER = 2

        def generator(problem):
            return -1j * problem.dt * torch.as_tensor(problem.hamiltonian.to_dense(), dtype=torch.complex128).T

        class Mine(Solver):
            knowledge = Knowledge.HAMILTONIAN

            def prepare(self, problem):
                super().prepare(problem)
                self.generator = generator(problem)

            def solve(self, given):
                psi = given.states
                yield Block(0, psi[:, None])
                for step in range(1, self.problem.steps + 1):
                    psi = psi + (psi + psi @ self.generator / ORDER) @ self.generator
                    yield Block(step, psi[:, None])

        task = {
            "model": {"family": "ising", "g": -1.05}, "sizes": [2], "times": {"dt": 0.01, "steps": 5}, "states": 4,
            "solvers": ["ed"], "timing": {"batch_sizes": [1], "launches": 1, "rounds": 1},
        }
        if __name__ == "__main__":
            run = qdynbench.run(task, solvers=[Mine, "ed"], threads=1, out="run")
            print(*[f"{cell.solver}:{cell.status.value}" for cell in run.cells])
            try:
                qdynbench.plan({**task, "size": 3})
            except qdynbench.InputError as error:
                print(error)
        """)
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    expected = ["Mine:ok ed:ok persistence:ok", "task: unknown key 'size'; did you mean 'sizes'?"]
    assert done.stdout.splitlines() == expected, done.stderr
