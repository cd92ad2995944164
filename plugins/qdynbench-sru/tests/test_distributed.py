"""Two real processes of torch's own launcher train what one does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from qdynbench_sru import distributed

TASK = """
name: little
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2]
times: {dt: 0.01, steps: 5}
training: {sizes: [2, 3], trajectories: 20, steps: 12}
solvers: [persistence]
"""
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def test_two_processes_agree_with_one_to_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same fifty updates of Adam, each on the same excerpts; two processes see half of them each."""
    task = tmp_path / "little.yaml"
    task.write_text(TASK)
    # Each has a cache of its own, or the second would find the checkpoint of the first.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-one"))
    distributed.main(str(task), "padded", out=tmp_path / "one", with_=["effort=0.0125"])
    said = capsys.readouterr()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-two"))
    command = [sys.executable, *TORCHRUN, "-m", "qdynbench_sru.distributed", "little.yaml", "--encoder", "padded"]
    options = ["--with", "effort=0.0125", "--out", "two"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    for out, err in ((said.out, said.err), (done.stdout, done.stderr)):
        assert "device-seconds" in out
        assert err.count("100 %") == 1  # rank 0 alone reports
    manifests, weights = (
        [read(tmp_path / name) for name in ("one", "two")]
        for read in (
            lambda folder: json.loads((folder / "manifest.json").read_text()),
            lambda folder: safetensors.torch.load_file(folder / "weights.safetensors"),
        )
    )
    assert [manifest["made"]["processes"] for manifest in manifests] == [1, 2]
    assert manifests[0]["training"] == manifests[1]["training"]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=0, atol=2e-4)
    assert not all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])  # the sums were split
    assert not list((tmp_path / "cache-two" / "qdynbench" / "fits").iterdir())
