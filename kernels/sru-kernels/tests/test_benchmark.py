"""The benchmark: every case is measured and written down with the command that made it."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sru_kernels import sru_scan
from sru_kernels.benchmark import __main__ as command
from sru_kernels.benchmark import contenders, report
from sru_kernels.benchmark.contenders import ScanCase, Shape, plain_loop, tensors
from sru_kernels.benchmark.measure import Reading, median_of, side_by_side


def test_all_sections_are_measured_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PAPER_SHAPE", Shape(4, 3, 8))
    monkeypatch.setattr(report, "SMALL", Shape(4, 1, 8))
    monkeypatch.setattr(report, "LARGE", {"cpu": Shape(4, 16, 8)})
    monkeypatch.setattr(contenders, "rollout", functools.partial(contenders.rollout, size=2, steps=5))
    out = tmp_path / "kernels.md"
    monkeypatch.setattr(sys, "argv", ["benchmark", "--rounds", "3", "--out", str(out)])
    command.main()
    text = out.read_text()
    assert text.count("\n## ") == 6
    assert "Made by `python -m sru_kernels.benchmark --rounds 3" in text
    networks = ("padded, 2 layers of 256 channels, batch 256", "local, 1 layer of 8 channels, batch 1")
    for name in ("sru_scan", "plain loop of torch", "nn.LSTM", "nn.GRU", *networks):
        assert f"| {name} |" in text
    assert text.count("times ours") == 4  # the plain loop at two shapes, LSTM and GRU
    rows = [line for line in text.splitlines() if " ms (" in line]
    assert all(float(row.split("|")[2].split()[0]) > 0 for row in rows)
    assert len(rows) == 1 + 4 + 3 + 4 + 3 + 4


def test_a_share_of_the_bandwidth_is_counted_bytes_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = np.full(3, 2e-3)
    monkeypatch.setattr(report, "side_by_side", lambda works, *_: dict.fromkeys(works, Reading(seconds, None)))
    rows = report._scan(Shape(10, 10, 10), "cpu", 3, rate=1e9, compiled=False)
    shares = {row.what: row.bandwidth for row in rows}
    # 6, 10 and 16 numbers of 4 bytes for each of 1000 elements, in 2 ms, of 1 GB/s.
    expected = {"forward alone": "1%", "backward alone": "2%", "sru_scan": "3%", "plain loop of torch": ""}
    assert shares == expected


def test_ratios_are_taken_round_by_round() -> None:
    ours, other = Reading(np.array([1.0, 2.0, 4.0]), None), Reading(np.array([3.0, 6.0, 12.0]), None)
    assert ours.times_faster_than(other) == (3.0, 3.0, 3.0)


def test_an_interval_holds_the_median_of_what_is_measured_in_19_of_20_cases() -> None:
    random = np.random.default_rng(1)
    intervals = [median_of(random.exponential(size=15)) for _ in range(400)]
    assert 0.9 < np.mean([low <= np.log(2) <= high for _, low, high in intervals]) <= 1


def test_all_contenders_compute_the_same() -> None:
    inputs = tensors(Shape(6, 3, 4), "cpu")
    ours, plain = ScanCase(sru_scan, inputs), ScanCase(plain_loop, inputs)
    torch.testing.assert_close(ours._h, plain._h)
    found = side_by_side({"ours": ours.both, "plain": plain.both}, "cpu", rounds=3)
    assert set(found) == {"ours", "plain"}
