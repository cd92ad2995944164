"""Every command and snippet in the documents is run, in the order of the page, in one folder per page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench import InputError, load_task
from qdynbench.cli.new import What, files
from tests.conftest import Command

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
SMALLER = [
    *("--set", "sizes=[2, 3]", "--set", "states=6", "--set", "report={}", "--set", "times.steps=20"),
    *("--set", "timing={batch_sizes: [1, 4], rounds: 3, launches: 2}"),
]
"""The documents run whole tasks, the tests small ones: `.ci/run` runs the README's first command as it stands."""
LITTLE_DATA = ["--set", "training.trajectories=30"]
"""Beside it, unless shipped weights (`sru`) are used: they belong to the training that the task names."""
ELSEWHERE = (
    "pip install",
    "pre-commit",
    "pytest -n 0 tests",
    "python benchmarks",
    "qdynbench sru",
    "qdynbench calibrate",
    "python plugins",
)
"""Run by `.ci/run` (installation), by a test of their own, or too long for a test (benchmarks, training)."""

WRITTEN = [page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "packages"]  # made by the build
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *WRITTEN, *ROOT.glob("kernels/*/README.md")])
LINKED = sorted([*PAGES, ROOT / "CHANGELOG.md", *ROOT.glob("plugins/*/README.md")])


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


Call = Callable[[list[str]], None]


@pytest.fixture
def call(qdynbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a function that runs `qdynbench ...` in this process, with the page's folder on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def run(command: list[str]) -> None:
        done = qdynbench(*command[1:], PYTHONPATH=str(tmp_path))
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    return run


def execute(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(folder)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def install(folder: Path) -> None:
    """Make the package in a folder known as `pip install -e .` would: by its name, version and entry points."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    about = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = [f"{name} = {target}" for name, target in project["entry-points"]["qdynbench"].items()]
    (about / "entry_points.txt").write_text("\n".join(["[qdynbench]", *points]))


def scaled(line: str, folder: Path) -> list[str]:
    """Return the command of a line as it is to be run, or nothing."""
    command = [] if line.startswith(ELSEWHERE) else shlex.split(line)
    if line.startswith("qdynbench run paper/"):
        # They train for minutes: only their plan is made here, the plugin's tests draw their figures.
        return [*command, *([] if "--dry-run" in line else ["--dry-run"])]
    return smaller(command, folder) if line.startswith("qdynbench run") else command


def smaller(command: list[str], folder: Path) -> list[str]:
    """Return `qdynbench run TASK ...` on a small scale."""
    task = folder / command[2]
    try:
        trained = load_task(task if task.is_file() else command[2]).training is not None
    except InputError:  # a task of the page's own package
        trained = False
    return [*command, *SMALLER, *(LITTLE_DATA if trained and "sru" not in command else [])]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_snippet_of_a_page_works(page: Path, tmp_path: Path, call: Call) -> None:
    if page == ROOT / "README.md":  # the page's first command, on a small scale, so that `compare sru ed` has a run
        execute(["qdynbench", "run", "ising_mixed", *SMALLER, "--solver", "sru", "--solver", "ed"], tmp_path)
    for block in BLOCK.finditer(page.read_text()):
        language, title, body = block["language"], block["title"], block["body"]
        if title:
            (tmp_path / title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / title).write_text(body)
            if title == "pyproject.toml":
                install(tmp_path)
            elif title.startswith("test_"):
                execute([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", title], tmp_path)
        elif language == "python":
            execute([sys.executable, "-c", body], tmp_path)
        elif language == "bash":
            for command in filter(None, (scaled(line, tmp_path) for line in body.splitlines())):
                if command[0] == "qdynbench" and page != ROOT / "README.md":  # an interpreter of its own is slow
                    call(command)
                else:
                    execute(command, tmp_path)
    if page.parent.name == "gallery" and page.name != "README.md":
        for picture in re.findall(r"!\[.*?\]\((.*?)\)", page.read_text()):
            assert (tmp_path / picture).is_file(), f"{picture} is not what the page draws"


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_snippets_import_what_is_public(page: Path) -> None:
    for block in BLOCK.finditer(page.read_text()):
        private = re.findall(r"^\s*(?:from|import) qdynbench\.(?!toolkit\b|testing\b)\S+", block["body"], re.MULTILINE)
        assert not private


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", page.read_text()):
        found = page.parent / target if target else page
        assert found.exists(), f"a link to {target}"
        if anchor:
            assert anchor in anchors(found), f"a link to {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("what", "page"),
    [
        (What.solver, "solver"),
        (What.learned_solver, "learned-solver"),
        (What.model, "model"),
        (What.metric, "metric"),
        (What.ensemble, "ensemble"),
        (What.task, "task"),
    ],
)
def test_the_example_of_a_page_is_what_new_writes(what: What, page: str) -> None:
    title, text = next(iter(files(what, "my_task" if what is What.task else f"my-{what.value}").items()))
    shown = {block["title"]: block["body"] for block in BLOCK.finditer((ROOT / f"docs/extend/{page}.md").read_text())}
    assert shown[title] == text
