"""The curves and trajectories of a run as HDF5 with named axes, which xarray and netCDF-4 read as well."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qdynbench import text as write
from qdynbench.files import file_name
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord

if TYPE_CHECKING:
    import h5py
    from typing_extensions import Buffer

CASE = ("solver", "size", "seed")
AXES = {
    "solver": ("solver with its parameters", ""),
    "size": ("number of spins N", "1"),
    "seed": ("seed of the problem", "1"),
    "sample": ("number of the test state", "1"),
    "time": ("time, hbar = 1", "1/energy"),
    "amplitude": ("index b of the basis state, sum over sites j of n_j 2**(N-1-j); n_j = 0 is up", "1"),
    "part": ("real or imaginary part", ""),
}
BESIDE = {
    **{f"magnetization_{axis}": f"mean over sites of <{axis.upper()}_i>, normalised state" for axis in "xyz"},
    "spin_overlap": "mean over sites of r_i(0) . r_i(t), with the Bloch vectors r_i",
    "entropy": "von Neumann entropy of the left N // 2 sites, natural logarithm",
    "persistence_relative_entropy": "relative entropy of the forecast that nothing changes, for the skill",
}
"""Curves that metrics of the core keep beside their own; all are pure numbers."""
REFERENCE = "_reference"
"""Ends the name of the same of the reference."""
UNIT = re.compile(r"(?!\w*(?:days|hours|minutes|seconds)$)\S{1,40}")
"""What xarray leaves alone: of `days since ...` it would make dates."""
CHUNK = 1 << 18
"""Numbers that are compressed together; fewer where a cell has fewer."""


@dataclass(frozen=True)
class Variable:
    """A variable of the file of curves.

    Attributes:
        name: in the file.
        metric: the metric or curve as the run names it.
        axes: names of its axes.
        meaning, unit: empty where the run does not tell.
    """

    name: str
    metric: str
    axes: tuple[str, ...]
    meaning: str
    unit: str


def write_curves(run: Run, path: Path, summaries: Mapping[str, str], about: Mapping[str, str]) -> list[Variable]:
    """Write all curves of a run, one cell after the other, and return the variables that came of them.

    Each variable has the axes `solver, size, seed, sample, time`, or these without the time; cells without a curve are
    nan and take no room.

    Args:
        run: the run.
        path: of the file.
        summaries: what metrics are, by name.
        about: attributes of the file.
    """
    units = {score.metric: score.unit for cell in run.cells for score in cell.scores}
    known: dict[tuple[str, int], tuple[Variable, h5py.Dataset]] = {}
    with _written(path, about) as (file, disk):
        cells = _cells(run, file)
        _axis(file, "sample", np.arange(run.task.states))
        _axis(file, "time", run.task.times.grid())
        for cell, place in cells:
            disk.check()
            for curve, values in run.curves_of(cell).items():
                if (curve, values.ndim) not in known:
                    variable = _variable(curve, tuple(AXES)[: 3 + values.ndim], units, summaries, set(file))
                    dataset = _dataset(file, variable.name, variable.axes)
                    _describe(dataset, variable.meaning, variable.unit)
                    dataset.attrs["metric"] = variable.metric
                    known[curve, values.ndim] = variable, dataset
                _, dataset = known[curve, values.ndim]
                dataset[(*place, slice(len(values)))] = values
    return [variable for variable, _ in known.values()]


def write_trajectories(run: Run, path: Path, about: Mapping[str, str]) -> None:
    """Write the kept trajectories of a run: a group `n<size>` for each size, with prediction and reference."""
    with _written(path, about) as (file, disk):
        cells = _cells(run, file)
        _axis(file, "sample", np.arange(min(run.task.states, run.task.keep.trajectories)))
        _axis(file, "time", run.task.times.grid())
        _axis(file, "part", ["real", "imaginary"])
        for cell, (solver, _, seed) in cells:
            disk.check()
            found = run.trajectories(cell)
            if found is None:
                continue
            group = file.require_group(f"n{cell.size}")
            if not len(group):
                _axis(group, "amplitude", np.arange(found[0].shape[2]))
            for name, meaning, states in zip(
                ("prediction", "reference"), ("of the solver", "exact"), found, strict=True
            ):
                if name not in group:
                    dataset = _dataset(group, name, ("solver", "seed", "sample", "time", "amplitude", "part"))
                    _describe(dataset, f"amplitudes of the states, {meaning}", "1")
                values = np.stack([states.real, states.imag], axis=-1)
                group[name][(solver, seed, slice(len(values)), slice(None), slice(values.shape[2]))] = values


class _Disk(io.FileIO):
    """A new file whose first refusal to be written is kept to be raised later: HDF5 crashes when it meets one."""

    refused: OSError | None = None

    def write(self, data: Buffer) -> int:
        """Write all of it, or nothing after a refusal."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while self.refused is None and len(left):
                left = left[super().write(left) :]
        except OSError as error:
            self.refused = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Change the length, or do nothing after a refusal."""
        try:
            return super().truncate(size) if self.refused is None else 0
        except OSError as error:
            self.refused = error
            return 0

    def check(self) -> None:
        """Raise what the disk has refused."""
        if self.refused is not None:
            raise self.refused


@contextmanager
def _written(path: Path, about: Mapping[str, str]) -> Iterator[tuple[h5py.File, _Disk]]:
    import h5py

    with _Disk(str(path), "x+") as disk:
        # In the order in which they were made, as netCDF-4 wants its variables.
        with h5py.File(disk, "w", track_order=True) as file:
            file.attrs.update(about)
            yield file, disk
        disk.check()


def _cells(run: Run, file: h5py.File) -> list[tuple[CellRecord, tuple[int, int, int]]]:
    """Write the axes of the cells of a run, and return each cell with its place on them."""
    cells = [cell for cell in run.cells if run.cell(cell.solver, cell.size, cell.seed) is cell]
    solvers = list(dict.fromkeys(cell.solver for cell in cells))
    sizes, seeds = (sorted({getattr(cell, name) for cell in cells}) for name in ("size", "seed"))
    _axis(file, "solver", solvers)
    _axis(file, "size", np.array(sizes, np.int64))
    _axis(file, "seed", np.array(seeds, np.int64))
    places = [{value: number for number, value in enumerate(values)} for values in (solvers, sizes, seeds)]
    return [(cell, (places[0][cell.solver], places[1][cell.size], places[2][cell.seed])) for cell in cells]


def _variable(
    curve: str, axes: tuple[str, ...], units: Mapping[str, str], summaries: Mapping[str, str], taken: set[str]
) -> Variable:
    # Slashes and dots of a name from outside would be folders in the file.
    stem = re.sub(r"[^A-Za-z0-9_]", "_", file_name(curve))[:100] or "curve"
    name = next(one for count in range(len(taken) + 1) if (one := f"{stem}_{count}" if count else stem) not in taken)
    of = curve.removesuffix(REFERENCE)
    meaning = summaries.get(curve) or BESIDE.get(of, "")
    unit = units.get(curve, "1" if of in BESIDE else "")
    return Variable(
        name,
        write.plain(curve, 200),
        axes,
        f"{meaning}, of the reference" if of in BESIDE and of != curve else meaning,
        unit,
    )


def _axis(group: h5py.Group, name: str, values: Sequence[str] | np.ndarray[Any, Any]) -> None:
    import h5py

    dtype = None if isinstance(values, np.ndarray) else h5py.string_dtype()
    dataset = group.create_dataset(name, data=values, dtype=dtype, track_order=True)
    dataset.make_scale(name)
    _describe(dataset, *AXES[name])


def _dataset(group: h5py.Group, name: str, axes: Sequence[str]) -> h5py.Dataset:
    """Make a variable of nan, whose axes stand in its group or in the whole file."""
    scales = [group[axis] if axis in group else group.file[axis] for axis in axes]
    inner: list[int] = []
    for axis, scale in reversed(list(zip(axes, scales, strict=True))):
        room = 1 if axis in CASE else max(1, CHUNK // int(np.prod(inner, dtype=np.int64)))
        inner.insert(0, min(len(scale), room))
    dataset = group.create_dataset(
        name,
        tuple(map(len, scales)),
        np.float32,
        chunks=tuple(inner),
        compression="gzip",
        shuffle=True,
        fillvalue=np.nan,
        track_order=True,
    )
    for dimension, scale in zip(dataset.dims, scales, strict=True):
        dimension.attach_scale(scale)
    dataset.attrs["_FillValue"] = np.float32(np.nan)
    return dataset


def _describe(dataset: h5py.Dataset, meaning: str, unit: str) -> None:
    if meaning:
        dataset.attrs["long_name"] = meaning
    if UNIT.fullmatch(unit):
        dataset.attrs["units"] = unit
