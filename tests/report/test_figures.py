"""The figures of a run: written and named, or a line that says why not; never a failed run."""

from __future__ import annotations

import re
import struct
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

import qdynbench as package
from qdynbench.report.figures.drawing import SCALE

Command = Callable[..., subprocess.CompletedProcess[str]]
PLUGIN = Path(__file__).parents[1] / "data" / "figures.py"


def png_size(path: Path) -> tuple[int, ...]:
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">2I", content[16:24])


def test_a_run_draws_its_figures_and_says_what_it_could_not_draw(
    qdynbench: Command, small_task: Path, tmp_path: Path
) -> None:
    names = "[dots, picky, broken, absent]"
    small_task.write_text(f"{small_task.read_text()}figures: {names}\nsettings: {{longer: {{times.steps: 6}}}}\n")
    done = qdynbench("run", small_task, "--setting", "longer", "--plugin", PLUGIN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "drawing dots, picky, broken, absent" in done.stderr
    folder = tmp_path / "runs" / "small-longer" / "figures"
    assert {path.name for path in folder.iterdir()} == {"dots.png", "dots.svg"}
    assert "dots: runs/small-longer/figures/dots.png, .svg" in done.stdout
    assert "picky: cannot be drawn: the run has no cell at 40 spins" in done.stdout
    assert "broken: cannot be drawn: KeyError: 'nothing'; ZeroDivisionError: division by zero" in done.stdout
    assert "absent: cannot be drawn: figure 'absent'" in done.stdout
    assert "4 of each" in done.stdout  # the table
    assert "Traceback" not in done.stdout + done.stderr

    root = ET.fromstring((folder / "dots.svg").read_text())  # noqa: S314 - written by this test's own run
    labels = {text for element in root.iter() for text in [element.text] if text}
    assert {"number of spins", "infidelity", "2", "3"} <= labels
    marks = [element for element in root.iter() if "circle" in element.get("aria-roledescription", "")]
    assert len(marks) == 2 * 4  # sizes times states
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    assert png_size(folder / "dots.png") == (round(SCALE * width), round(SCALE * height))

    compared = qdynbench("compare", "persistence", "ed", "--run", small_task, "--setting", "longer", "--plugin", PLUGIN)
    assert compared.returncode == 0, compared.stderr
    assert compared.stderr == ""  # nothing is missing
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["small-longer"]

    for path in folder.iterdir():
        path.write_bytes(b"")
    again = qdynbench("report", "small-longer", "--details")
    assert png_size(folder / "dots.png")[0] > 200
    assert re.search(r"figure broken .*\n.*Traceback", again.stdout)
    assert "in table" in again.stdout

    run = package.load_run(tmp_path / "runs" / "small-longer")
    run.cells = [cell for cell in run.cells if cell.solver != "persistence"]
    drawn = {figure.name: figure for figure in package.draw(run)}
    assert drawn["dots"].reason == "no cell of persistence"
    assert not list(folder.iterdir())  # a picture of an earlier drawing would mislead


def test_figures_are_listed(qdynbench: Command) -> None:
    listed = qdynbench("list", "figures", "--plugin", PLUGIN)
    assert listed.returncode == 0
    assert re.search(r"picky +Needs what no run has\. +figures\.py", listed.stdout)


@pytest.mark.parametrize("name", ["Figure", "CannotDraw", "draw"])
def test_the_contract_is_public(name: str) -> None:
    assert name in package.__all__
