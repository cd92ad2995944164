"""Every command and snippet in the documents is run, in the order of the page, in one folder per page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
SMALLER = [
    *("--set", "sizes=[2, 3]", "--set", "states=6", "--set", "report={}", "--set", "times.steps=20"),
    *("--set", "timing={batch_sizes: [1, 4], rounds: 3}"),
]
"""The documents run whole tasks, the tests small ones: `.ci/run` runs the README's first command as it stands."""
LITTLE_DATA = ["--set", "training.trajectories=30"]
"""Beside it, where no shipped weights are used: they belong to the training that the task names."""
ELSEWHERE = ("pip install", "pre-commit", "python benchmarks", "qdynbench sru", "python plugins")
"""Run by `.ci/run` (installation) or too long for a test (benchmarks, training)."""

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def execute(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(folder)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_snippet_of_a_page_works(page: Path, tmp_path: Path) -> None:
    if page.name == "README.md":  # the page's first command, on a small scale, so that `compare sru ed` has a run
        execute(["qdynbench", "run", "ising_mixed", *SMALLER, "--solver", "sru", "--solver", "ed"], tmp_path)
    text = page.read_text()
    for block in BLOCK.finditer(text):
        language, title, body = block["language"], block["title"], block["body"]
        if title:
            (tmp_path / title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / title).write_text(body)
            if language == "yaml" and not re.search(rf"^qdynbench run {title}(?!.*--dry-run)", text, re.MULTILINE):
                execute(["qdynbench", "run", title, *SMALLER, *LITTLE_DATA], tmp_path)
            elif title.startswith("test_"):
                execute([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", title], tmp_path)
        elif language == "python":
            execute([sys.executable, "-c", body], tmp_path)
        elif language == "bash":
            for line in body.splitlines():
                if line and not line.startswith(ELSEWHERE):
                    extra = [*SMALLER, *LITTLE_DATA] if line.startswith("qdynbench run") else []
                    if line.startswith("qdynbench run paper/"):
                        # They train for minutes: only their plan is made here, the plugin's tests draw their figures.
                        extra = [] if "--dry-run" in line else ["--dry-run"]
                    execute([*shlex.split(line), *extra], tmp_path)


def test_links_between_documents_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
