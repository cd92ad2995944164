"""`qdynbench sru kernels`: every case is measured and written down with the command that made it."""

from __future__ import annotations

import functools

import pytest
import torch
from qdynbench_sru.kernels import contenders, report
from qdynbench_sru.kernels.command import document
from qdynbench_sru.kernels.contenders import ScanCase, Shape, plain_loop, tensors
from qdynbench_sru.kernels.measure import Reading, side_by_side
from qdynbench_sru.scan import sru_scan


def test_all_sections_are_measured_and_written(monkeypatch):
    monkeypatch.setattr(report, "PAPER_SHAPE", Shape(4, 3, 8))
    monkeypatch.setattr(report, "SMALL", Shape(4, 1, 8))
    monkeypatch.setattr(report, "LARGE", {"cpu": Shape(4, 16, 8)})
    monkeypatch.setattr(contenders, "rollout", functools.partial(contenders.rollout, size=2, steps=5))
    sections = list(report.measure("cpu", rounds=3, compiled=False))
    text = document(sections, report.about("cpu"), "--device cpu")
    assert text.count("\n## ") == len(sections) == 6
    assert "qdynbench sru kernels --device cpu" in text
    for name in ("sru_scan", "plain loop of torch", "nn.LSTM", "nn.GRU", "padded, batch 256", "local, batch 1"):
        assert f"| {name} |" in text
    assert text.count("times ours") == 4  # the plain loop at two shapes, LSTM and GRU
    rows = [row for section in sections for row in section.rows]
    assert all(float(row.time.split()[0]) > 0 for row in rows)


def test_a_share_of_the_bandwidth_is_counted_bytes_over_time(monkeypatch):
    seconds = torch.full((3,), 2e-3).numpy()
    monkeypatch.setattr(report, "side_by_side", lambda works, *_: dict.fromkeys(works, Reading(seconds, None)))
    rows = report._scan(Shape(10, 10, 10), "cpu", 3, rate=1e9, compiled=False)
    shares = {row.what: row.bandwidth for row in rows}
    # 6, 10 and 16 numbers of 4 bytes for each of 1000 elements, in 2 ms, of 1 GB/s.
    expected = {"forward alone": "1%", "backward alone": "2%", "sru_scan": "3%", "plain loop of torch": ""}
    assert shares == expected


def test_ratios_are_taken_round_by_round():
    ours, other = (
        Reading(torch.tensor([1.0, 2.0, 4.0]).numpy(), None),
        Reading(torch.tensor([3.0, 6.0, 12.0]).numpy(), None),
    )
    assert ours.times_faster_than(other) == (3.0, 3.0, 3.0)


def test_all_contenders_compute_the_same():
    inputs = tensors(Shape(6, 3, 4), "cpu")
    ours, plain = ScanCase(sru_scan, inputs), ScanCase(plain_loop, inputs)
    torch.testing.assert_close(ours._h, plain._h)
    found = side_by_side({"ours": ours.both, "plain": plain.both}, "cpu", rounds=3)
    assert set(found) == {"ours", "plain"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "tpu"], "must be cpu or cuda"),
        (["--device", "cuda"], "no CUDA device"),
        (["--out", "no/such/file.md"], "there is no folder"),
    ],
)
def test_wrong_options_are_named(arguments, message):
    import subprocess
    import sys
    from pathlib import Path

    if arguments == ["--device", "cuda"] and torch.cuda.is_available():
        pytest.skip("not applicable: there is a CUDA device")
    command = [str(Path(sys.executable).with_name("qdynbench")), "sru", "kernels", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
