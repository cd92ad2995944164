"""`qdynbench sru ship`: a real fit through the core, on as little data as possible."""

from __future__ import annotations

import json

import pytest
from qdynbench_sru import command, shipped
from qdynbench_sru.solver import SimpleRecurrentUnit

from qdynbench.errors import InputError

TASK = """
name: little
model: {family: ising, J: 1.0, g: 0.3, h: 0.1}
sizes: [1, 2]
times: {dt: 0.01, steps: 5}
training: {sizes: [1], trajectories: 4, steps: 6}
solvers: [persistence]
"""


def test_ship_puts_weights_and_manifest_in_place_of_the_old_ones(tmp_path, monkeypatch):
    task, home = tmp_path / "little.yaml", tmp_path / "weights"
    task.write_text(TASK)
    (home / "local").mkdir(parents=True)
    (home / "local" / "old.json").write_text("{}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(shipped, "SHIPPED", home)
    command.ship(str(task), encoder="local", threads=1)
    assert {path.name for path in home.iterdir()} == {"local"}
    files = {path.name for path in (home / "local").iterdir()}
    assert files == {"weights.safetensors", "architecture.json", "manifest.json"}
    manifest = json.loads((home / "local" / "manifest.json").read_text())
    assert manifest["training"]["dt"] == 0.01
    assert len(manifest["curve"]) == 35  # the first entry is of the untrained network
    SimpleRecurrentUnit().load(home / "local")


def test_ship_of_an_unknown_task_or_encoder_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    with pytest.raises(InputError, match="unknown task"):
        command.ship("nothing", encoder="local", threads=1)
    with pytest.raises(InputError, match="'local' or 'padded'"):
        command.ship("ising_mixed", encoder="other", threads=1)
    assert not list(tmp_path.iterdir())
