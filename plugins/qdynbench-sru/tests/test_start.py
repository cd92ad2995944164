"""Fine-tuning: from which weights, with what room, and at what cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from qdynbench_sru import shipped
from qdynbench_sru.solver import SimpleRecurrentUnit

from qdynbench import InputError, TrainingData
from qdynbench.record.manifest import foundation_of
from qdynbench.testing.exercise import FitRecorder

from .helpers import exact_data

MANIFEST = {"solver": "sru[encoder=padded,largest=3]", "training": {"sizes": [2]}, "data_time": 1.5, "fit_time": 40.0}


@pytest.fixture
def base(little: SimpleRecurrentUnit, tmp_path: Path) -> Path:
    """Weights of the padded encoder, trained on 2 spins with room for 3, in a folder of the test's own."""
    folder = tmp_path / "base"
    folder.mkdir()
    little.save(folder)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    return folder


def fine_tuned(
    base: Path | str, data: TrainingData, tmp_path: Path, **more: Any
) -> tuple[SimpleRecurrentUnit, FitRecorder]:
    recorder = FitRecorder(tmp_path / f"work-{len(list(tmp_path.iterdir()))}", seed=3)
    recorder.folder.mkdir()
    solver = SimpleRecurrentUnit(**({"encoder": "padded", "start": str(base), "effort": 0.05} | more))
    solver.fit(data, recorder)
    return solver, recorder


def test_a_fine_tuned_fit_begins_where_the_weights_left_off(base: Path, tmp_path: Path) -> None:
    data = exact_data(sizes=(2,), count=30)
    solver, recorder = fine_tuned(base, data, tmp_path)
    _, scratch = fine_tuned("random", data, tmp_path, largest=3)
    assert recorder.curve[0]["updates"] == 0
    assert recorder.curve[0]["validation_loss"] < 0.05 * scratch.curve[0]["validation_loss"]
    # The weights that it began with are kept where training made nothing better of them.
    assert min(entry["rollout_error"] for entry in recorder.curve) <= recorder.curve[0]["rollout_error"]
    assert "fine-tuned from" in solver.label


def test_a_new_size_begins_with_the_gains_of_the_nearest_one_and_is_then_supported(base: Path, tmp_path: Path) -> None:
    from qdynbench_sru.start import started

    network, architecture = started(base, {"encoder": "padded"}, [3], 0.002)
    assert torch.equal(network.gains[3], network.gains[2])
    assert (architecture.sizes, architecture.room, architecture.width) == ((2, 3), 3, 16)
    solver, _ = fine_tuned(base, exact_data(sizes=(3,), count=30), tmp_path)
    assert solver._architecture.sizes == (2, 3)


@pytest.mark.parametrize(
    ("parameters", "sizes", "message"),
    [
        ({}, (4,), "room for 3 spins, not 4: train them with largest=4"),
        ({"width": 12}, (2,), "have width=16, but width=12 is asked for: fit with their parameters"),
        ({"layers": 2}, (2,), "have layers=1, but layers=2 is asked for"),
        ({"encoder": "local"}, (2,), "have encoder=padded, but encoder=local is asked for"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    base: Path, tmp_path: Path, parameters: dict[str, Any], sizes: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fine_tuned(base, exact_data(sizes=sizes, count=10), tmp_path, **parameters)


def test_weights_of_another_time_step_or_cut_off_are_refused(base: Path, tmp_path: Path) -> None:
    import dataclasses

    data = exact_data(sizes=(2,), count=10)
    with pytest.raises(
        InputError, match=r"for steps of 0\.002, the training data has steps of 0\.004: set training\.dt"
    ):
        fine_tuned(base, dataclasses.replace(data, times=2 * data.times), tmp_path)
    file = base / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"weights\.safetensors' cannot be read.*name other weights with start="):
        fine_tuned(base, data, tmp_path)


def test_names_of_shipped_weights(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "weights"
    for name in ("local", "paper-local", "paper-padded", "half.partial"):
        (home / name).mkdir(parents=True)
    monkeypatch.setattr(shipped, "SHIPPED", home)
    assert shipped.named("paper", "padded") == home / "paper-padded"
    assert shipped.named("local", "padded") == home / "local"
    assert shipped.named(str(base), "padded") == base
    with pytest.raises(InputError, match="no weights of that name ship with sru; did you mean 'local'"):
        SimpleRecurrentUnit(start="locl").starts_from()
    assert SimpleRecurrentUnit().starts_from() is None


def test_several_shipped_folders_are_told_apart_by_the_parameters_that_made_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "weights"
    made = {"local": "sru", "paper-local": "sru", "wide": "sru[width=9]", "other": "sru[no_such=1]", "bad": "[["}
    for name, solver in made.items():
        (home / name).mkdir(parents=True)
        (home / name / "manifest.json").write_text(json.dumps({"solver": solver}))
    (home / "empty").mkdir()
    monkeypatch.setattr(shipped, "SHIPPED", home)
    assert SimpleRecurrentUnit(width=8).shipped() == [home / "local", home / "paper-local"]
    assert SimpleRecurrentUnit(width=9).shipped() == [home / "wide"]
    assert SimpleRecurrentUnit(encoder="padded").shipped() == []


def test_weights_that_hide_their_cost_are_no_foundation(base: Path) -> None:
    known = foundation_of(base)
    assert (known["name"], known["data_time"], known["fit_time"]) == ("base", 1.5, 40.0)
    (base / "manifest.json").write_text(json.dumps({key: MANIFEST[key] for key in ("solver", "training")}))
    with pytest.raises(InputError, match=r"manifest\.json that says what they had cost"):
        foundation_of(base)
