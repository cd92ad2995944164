"""`qdynbench sru`: a real fit through the core on as little data as possible, and the benchmark of the kernels."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from qdynbench_sru import command, shipped
from qdynbench_sru.solver import SimpleRecurrentUnit
from sru_kernels.benchmark import contenders, report
from sru_kernels.benchmark.contenders import Shape

from qdynbench import InputError

TASK = """
name: little
model: {family: ising, J: 1.0, g: 0.3, h: 0.1}
sizes: [1, 2]
times: {dt: 0.01, steps: 5}
training: {sizes: [1], trajectories: 4, steps: 6}
solvers: [persistence]
"""


def test_ship_puts_weights_and_manifest_in_place_of_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, home = tmp_path / "little.yaml", tmp_path / "weights"
    task.write_text(TASK)
    (home / "local").mkdir(parents=True)
    (home / "local" / "old.json").write_text("{}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(shipped, "SHIPPED", home)
    command.ship(str(task), encoder="local", with_=["effort=0.05"], threads=1)
    assert {path.name for path in home.iterdir()} == {"local"}
    files = {path.name for path in (home / "local").iterdir()}
    assert files == {"weights.safetensors", "architecture.json", "manifest.json"}
    manifest = json.loads((home / "local" / "manifest.json").read_text())
    assert manifest["training"]["dt"] == 0.01
    assert manifest["solver"] == "sru[effort=0.05]"
    assert len(manifest["curve"]) == 4  # the first entry is of the untrained network
    SimpleRecurrentUnit(effort=0.05).load(home / "local")


def test_ship_of_an_unknown_task_or_encoder_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    with pytest.raises(InputError, match="unknown task"):
        command.ship("nothing", encoder="local", threads=1)
    with pytest.raises(InputError, match="'local' or 'padded'"):
        command.ship("ising_mixed", encoder="other", threads=1)
    assert not list(tmp_path.iterdir())


def test_kernels_shows_every_section_and_writes_down_the_machine_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "PAPER_SHAPE": Shape(4, 3, 8),
        "SMALL": Shape(4, 1, 8),
        "LARGE": {"cpu": Shape(4, 16, 8)},
    }.items():
        monkeypatch.setattr(report, name, value)
    monkeypatch.setattr(contenders, "rollout", functools.partial(contenders.rollout, size=2, steps=5))
    out = tmp_path / "kernels.md"
    command.kernels(rounds=3, out=out)
    text, shown = out.read_text(), capsys.readouterr().out
    assert "Made by `qdynbench sru kernels --device cpu --out FILE`." in text
    about = ["date", "processor", "gpu", "threads", "scan", "commit", "versions"]
    assert [line[2:].split(":")[0] for line in text.splitlines() if line.startswith("- ")] == about
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert len(titles) == 6
    assert all(title in shown for title in titles)


@pytest.mark.parametrize(
    ("device", "out", "message"),
    [
        ("tpu", None, "must be cpu or cuda"),
        ("cuda", None, "no CUDA device"),
        ("cpu", Path("no/such/file.md"), "there is no folder"),
    ],
)
def test_wrong_options_of_kernels_are_named(device: str, out: Path | None, message: str) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("not applicable: there is a CUDA device")
    with pytest.raises(InputError, match=message):
        command.kernels(device, out=out)


def test_a_wrong_option_ends_the_command_with_status_2() -> None:
    program = Path(sys.executable).with_name("qdynbench")
    done = subprocess.run([program, "sru", "kernels", "--device", "tpu"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--device tpu: must be cpu or cuda" in " ".join(done.stderr.split())
