"""Two real processes of torch's own launcher train what one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import safetensors.torch
import torch

TASK = """
name: little
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2]
times: {dt: 0.01, steps: 5}
training: {sizes: [2, 3], trajectories: 20, steps: 12}
solvers: [persistence]
"""
MODULE = ("-m", "qdynbench_sru.distributed", "little.yaml", "--encoder", "padded", "--with", "effort=0.0125")


def test_two_processes_agree_with_one_to_rounding(tmp_path):
    """The same fifty updates of Adam, each on the same windows; two processes see half of them each."""
    (tmp_path / "little.yaml").write_text(TASK)
    commands = {
        "one": [sys.executable, *MODULE, "--out", "one"],
        "two": ["torchrun", "--standalone", "--nproc-per-node", "2", *MODULE, "--out", "two"],
    }
    commands["two"][0] = os.fspath(os.path.join(os.path.dirname(sys.executable), "torchrun"))
    for name, command in commands.items():
        # Each has a cache of its own, or the second would find the checkpoint of the first.
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / f"cache-{name}")}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "device-seconds" in done.stdout
        assert done.stderr.count("100 %") == 1  # rank 0 alone reports
    manifests, weights = (
        [read(tmp_path / name) for name in commands]
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
