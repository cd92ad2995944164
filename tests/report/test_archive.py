"""The folder for an archive: complete, read without qdynbench, and written nowhere else."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr

import qdynbench
from qdynbench import Run, load_task
from qdynbench.report.archive.tables import CELLS, RESULTS, TIMINGS
from qdynbench.stats import typical
from tests.runs import DRIFT, Entry, ended, exact, make_run

Command = Callable[..., subprocess.CompletedProcess[str]]
HOSTILE = "<script>alert(1)</script> [link](https://example.org) `code` *bold* |"

READER = """\
import json, re, sys

class Blocked:
    def find_spec(self, name, *_):
        assert name.partition(".")[0] != "qdynbench", "a reader has no qdynbench"

sys.meta_path.insert(0, Blocked())
exec(re.search(r"```python\\n(.*?)```", open("README.md").read(), re.DOTALL)[1])
import pyarrow.parquet

assert pyarrow.parquet.read_table("cells.parquet").num_rows == len(cells)
with h5py.File("curves.h5") as file:
    solvers = file["solver"].asstr()[:].tolist()
    end = file["infidelity"][solvers.index("new"), 0, 0, :, -1].tolist()
    unit = file["infidelity"].attrs["units"], file["time"].attrs["units"]
with xr.open_dataset("curves.h5") as curves:
    mean = curves.infidelity.sel(solver="new", size=4, seed=7).mean("sample").values.tolist()
    absent = bool(curves.infidelity.sel(solver="refused").isnull().all())
print("-----")
print(json.dumps({
    "ends": dict(zip(cells["solver"] + cells["size"].astype(str), cells["status"] + ": " + cells["reason"])),
    "seconds": timings.query("solver == 'new' and size == 4 and seed == 7 and batch_size == 64")
        .pivot(index="launch", columns="round", values="seconds").values.tolist(),
    "error": errors.query("solver == 'new' and size == 4 and seed == 7 and step == 100")["value"].item(),
    "end": end, "unit": unit, "mean": mean, "times": times.tolist(), "absent": absent,
}))
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    entries = {
        "ed": {4: exact(1e-4), 5: exact(2e-4)},
        "new": {4: Entry(error=1e-6, seconds=1e-5, jitter=0.05), 5: ended("failed", "a reason", "a traceback")},
        "refused": {4: ended("unsupported", "no data"), 5: ended("unsupported", "no data")},
    }
    return make_run(tmp_path / "run", entries, {"new": {"fit_time": 7.0}}, seeds=(3, 7))


def read(folder: Path) -> dict[str, Any]:
    """Return what a reader finds who has no qdynbench and follows the README."""
    command = [sys.executable, "-c", READER]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    found: dict[str, Any] = json.loads(shown.stdout.rpartition("-----")[2])
    return found


def test_a_reader_without_qdynbench_finds_the_numbers_of_the_run(run: Run, tmp_path: Path) -> None:
    found = read(qdynbench.export(run, tmp_path / "archive"))
    cell = run.cell("new", 4, 7)
    assert cell is not None
    assert found["ends"] == {f"{one.solver}{one.size}": f"{one.status}: {one.reason}" for one in run.cells}
    assert len(found["ends"]) == 6
    (timing,) = (one for one in cell.ledger.solve if one.batch_size == 64)
    assert np.array_equal(found["seconds"], timing.launches)
    assert typical(found["seconds"]) == timing.seconds
    assert np.shape(found["seconds"]) == DRIFT.shape
    infidelity = run.curves_of(cell)["infidelity"]
    assert np.allclose(found["mean"], infidelity.mean(0), rtol=1e-5, atol=0)
    other = run.cell("new", 4, 3)
    assert other is not None
    assert np.array_equal(found["end"], run.curves_of(other)["infidelity"][:, -1])
    assert found["error"] == next(one.value for one in cell.scores if one.metric == "infidelity")
    assert np.array_equal(found["times"], run.task.times.grid())
    assert found["unit"] == ["1", "1/energy"]
    assert found["absent"] is True


def test_every_column_and_curve_is_explained_where_it_stands(run: Run, tmp_path: Path) -> None:
    folder = qdynbench.export(run, tmp_path / "archive")
    readme = (folder / "README.md").read_text()
    for name, columns in (("cells", CELLS), ("timings", TIMINGS), ("results", RESULTS)):
        schema = pq.read_schema(folder / f"{name}.parquet")
        described = {column.name for column in columns}
        for field in schema:
            assert field.metadata[b"description"], field.name
            written = field.name if field.name in described else f"{field.name.partition('.')[0]}.*"
            assert f"| `{written}` |" in readme
    with h5py.File(folder / "curves.h5") as file:
        assert set(file) == {*run.curves, "solver", "size", "seed", "sample", "time"} - {"number"}
        for name in file:
            assert file[name].attrs["long_name"], name
            assert f"| `{name}` |" in readme
            assert file[name].is_scale or file[name].dims[0].keys() == ["solver"]
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "results.parquet"), run.table, check_dtype=False)
    assert {path.name for path in folder.iterdir()} - {"ro-crate-metadata.json"} == set(
        re.findall(r"^\| `([\w.]+\.\w+)` \|", readme.partition("## Reading")[0], re.MULTILINE)
    )


def test_what_happened_can_be_repeated_and_says_no_place_on_the_machine(
    small_task: Path, qdynbench: Command, tmp_path: Path
) -> None:
    ran = qdynbench("run", small_task, "--set", "keep.trajectories=2", "--out", "made/run", "--threads", 1)
    assert ran.returncode == 0, ran.stderr
    shown = qdynbench("export", "made/run", "--out", "made/archive", "--author", "Ada", "--license", "CC0-1.0")
    assert (shown.returncode, shown.stdout) == (0, "made/archive\n"), shown.stderr
    folder, run = tmp_path / "made/archive", Run(tmp_path / "made/run")
    assert load_task(folder / "task.yaml").model_dump() == run.task.model_dump()
    assert "    qdynbench run task.yaml --threads 1 --device cpu\n" in (folder / "README.md").read_text()
    for size in (2, 3):
        cell = run.cell("ed", size, 0)
        assert cell is not None
        kept = run.trajectories(cell)
        assert kept is not None
        with xr.open_datatree(folder / "trajectories.h5", engine="h5netcdf") as sizes:
            states = sizes[f"n{size}"]
            assert states.sizes["time"] == 6
            for name, wanted in zip(("prediction", "reference"), kept, strict=True):
                found = states[name].sel(solver="ed", seed=0)
                complex_ = found.sel(part="real") + 1j * found.sel(part="imaginary")
                assert np.array_equal(complex_.transpose("sample", "time", "amplitude"), wanted)
    for path in folder.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name
    for name in ("findings.json", "provenance.json", "ro-crate-metadata.json"):
        json.loads((folder / name).read_text(), parse_constant=pytest.fail)
    assert json.loads((folder / "provenance.json").read_text())["provenance"]["threads"] == 1


def test_the_metadata_names_all_that_is_there(run: Run, tmp_path: Path) -> None:
    license_ = "https://creativecommons.org/licenses/by/4.0/"
    folder = qdynbench.export(run, tmp_path / "archive", license=license_, authors=["Ada Lovelace"])
    data = json.loads((folder / "ro-crate-metadata.json").read_text())
    assert data["@context"] == "https://w3id.org/ro/crate/1.1/context"
    entities = {one["@id"]: one for one in data["@graph"]}
    assert len(entities) == len(data["@graph"])
    root = entities[entities["ro-crate-metadata.json"]["about"]["@id"]]
    assert root["name"] == run.task.title
    assert {root["license"]["@id"], *(one["@id"] for one in root["author"])} == {license_, "#author-1"}
    files = {one["@id"]: one for one in data["@graph"] if one["@type"] == "File"}
    assert {one["@id"] for one in root["hasPart"]} == set(files)
    assert {*files, "ro-crate-metadata.json"} == {path.name for path in folder.iterdir()}
    assert {name: one["contentSize"] for name, one in files.items()} == {
        name: str((folder / name).stat().st_size) for name in files
    }
    named = re.findall(r'"@id": "([^"]*)"', json.dumps([*root.values(), *entities["#run"].values()]))
    assert set(named) <= set(entities), "every reference leads somewhere"
    assert entities["#run"]["startTime"] == "2026-11-22T16:21:16+00:00"


def test_names_from_outside_do_nothing(tmp_path: Path) -> None:
    solver = f"evil[x={HOSTILE.replace('[', '(').replace(']', ')')}]"
    entries = {"ed": {2: exact()}, solver: {2: Entry(label=HOSTILE, notes=[HOSTILE])}}
    run = make_run(tmp_path / "run", entries, {solver: {"notes": [HOSTILE]}}, title=HOSTILE)
    curve = np.ones((200, 101), np.float32)
    odd = {"../../up": curve, "/root": 2 * curve, "time": 3 * curve, "..": 4 * curve, HOSTILE: 5 * curve, "root": curve}
    np.savez(run.folder / "curves" / f"{run.cells[1].key}.npz", infidelity=curve[:, 0], **odd)
    cell = run.folder / "cells" / f"{run.cells[1].key}.json"
    content = json.loads(cell.read_text())
    content["scores"][0] |= {"metric": "time", "unit": "days since 2000-01-01"}
    content["scores"][1] |= {"metric": HOSTILE, "unit": HOSTILE}
    cell.write_text(json.dumps(content))
    folder = qdynbench.export(run.folder, tmp_path / "archive")
    assert {path.name for path in tmp_path.iterdir()} == {"run", "archive"}
    readme = (folder / "README.md").read_text()
    assert "<script" not in readme
    assert not re.search(r"(?<!\\)\[link|(?<!\\)`code|(?<!\\)\*bold", readme)
    with xr.open_dataset(folder / "curves.h5", engine="h5netcdf") as curves:
        named = {found.attrs["metric"]: name for name, found in curves.items()}
        assert all(re.fullmatch(r"\w+", name) for name in named.values())
        for name, values in odd.items():
            found = curves[named[" ".join(name.split())]].sel(solver=solver, size=2, seed=0)
            assert np.array_equal(found, values)
        assert curves["infidelity"].dims == (*curves["infidelity_1"].dims, "time"), "once with a time, once without"


def test_what_is_damaged_is_said_in_the_archive(run: Run, tmp_path: Path) -> None:
    first, second = run.cells[0].key, run.cells[1].key
    (run.folder / "cells" / f"{first}.json").write_text("{")
    (run.folder / "curves" / f"{second}.npz").write_text("no archive")
    with pytest.warns(UserWarning, match="is left out"):
        folder = qdynbench.export(run.folder, tmp_path / "archive")
    readme = (folder / "README.md").read_text()
    assert "**1 more are missing**" in readme
    assert f"- cells/{first}.json cannot be read" in readme
    assert f"- curves/{second}.npz cannot be read" in readme
    assert pd.read_parquet(folder / "cells.parquet")["cell"].tolist() == [one.key for one in run.cells[1:]]


def test_nothing_of_anybody_is_replaced_and_nothing_half_is_left(run: Run, qdynbench: Command, tmp_path: Path) -> None:
    (mine := tmp_path / "mine").mkdir()
    (link := tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (file := tmp_path / "file").write_text("mine")
    inside = run.folder / "archive"
    for place, what in ((mine, "exists"), (link, "exists"), (file, "exists"), (inside, "lies in the run")):
        refused = qdynbench("export", run.folder, "--out", place)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert what in refused.stderr
    refused = qdynbench("export", run.folder, "--out", file / "archive")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    (run.folder / "curves").rename(run.folder / "elsewhere")
    (run.folder / "curves").symlink_to("elsewhere")  # which nobody follows
    shown = qdynbench("export", run.folder, "--out", "empty")
    assert shown.returncode == 0
    assert "is a symbolic link" in shown.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"run", "mine", "link", "file", "empty"}
    assert not list(mine.iterdir())
    assert file.read_text() == "mine"


@pytest.mark.parametrize("most", [0, 20_000, 200_000])
def test_a_full_disk_ends_in_a_message(run: Run, tmp_path: Path, most: int) -> None:
    done = subprocess.run(  # in a process of its own: that of the tests writes files as well
        [Path(sys.executable).with_name("qdynbench"), "export", str(run.folder), "--out", "archive"],
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "archive' cannot be written: File too large" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
