"""Trajectories that are kept are those that were scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import qdynbench as package
from qdynbench import Initial, PauliSum, ScoreContext, Window
from qdynbench.scoring.kept import KeptTrajectories, joined


def test_kept_trajectories_give_the_curves_and_leave_them_alone(
    small_task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    metrics = ["infidelity", "mean_relative_entropy"]
    # Portions of two states, so that the third comes from another portion than the first.
    run = package.run(small_task, overrides={"keep.trajectories": 3, "metrics": metrics})
    assert set(run.curves.data_vars) == set(metrics)
    assert len(run.curves.sample) == 4
    for cell in run.cells:
        kept_of_cell = run.trajectories(cell)
        assert kept_of_cell is not None
        prediction, reference = kept_of_cell
        assert prediction.shape == reference.shape == (3, 6, 2**cell.size)
        assert prediction.dtype == reference.dtype == np.complex64
        curves = run.curves_of(cell)
        assert set(curves) == set(metrics)
        overlap = np.abs((prediction.conj() * reference).sum(-1)) ** 2
        assert 1 - overlap == pytest.approx(curves["infidelity"][:3], abs=2e-6)
        p, q = (np.abs(states) / np.abs(states).sum(-1, keepdims=True) for states in (reference, prediction))
        assert (p * np.log(p / q)).sum(-1) == pytest.approx(curves["mean_relative_entropy"][:3], abs=2e-6)
        if cell.solver == "persistence":
            assert np.array_equal(prediction, np.broadcast_to(reference[:, :1], prediction.shape))
    kept = {cell.key: cell.fingerprint for cell in run.cells}
    without = package.run(small_task, overrides={"metrics": metrics})
    assert all(cell.fingerprint != kept[cell.key] for cell in without.cells)
    assert all(without.trajectories(cell) is None for cell in without.cells)


def context(states: torch.Tensor) -> ScoreContext:
    return ScoreContext(1, np.arange(3.0), PauliSum.from_terms(1, [(1.0, "Z", (0,))]), Initial(states[:, 0]))


def test_portions_are_joined_and_no_more_is_kept_than_asked_for() -> None:
    states = torch.randn(4, 3, 2, dtype=torch.complex128)
    portions = []
    for start in (0, 2):
        part = states[start : start + 2]
        portion = KeptTrajectories(3 - start, context(part))
        for begin, end in ((0, 1), (1, 3)):
            portion.take(*(Window(context(part), begin, sign * part[:, begin:end]) for sign in (1, -1)))
        portions.append(portion)
    prediction, reference = joined(portions).values()
    assert np.array_equal(prediction, states[:3].numpy().astype(np.complex64))
    assert np.array_equal(reference, -prediction)


def test_a_prediction_of_observables_keeps_nothing() -> None:
    states = torch.randn(2, 3, 2, dtype=torch.complex128)
    portion = KeptTrajectories(2, context(states))
    observed = Window(context(states), 0, None, {"z": torch.zeros(2, 3, 1)})
    portion.take(observed, Window(context(states), 0, states))
    assert joined([portion]) == {}
