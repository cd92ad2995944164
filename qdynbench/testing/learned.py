"""Checks on learned solvers: a fit on little data, saving and loading."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np

from qdynbench.contract.learned import LearnedSolver
from qdynbench.testing.behaviour import rounding
from qdynbench.testing.check import Check
from qdynbench.testing.outcome import Failure, Skip
from qdynbench.testing.output import VALID
from qdynbench.testing.subject import distance

if TYPE_CHECKING:
    from pathlib import Path

    from qdynbench.contract.solver import Solver
    from qdynbench.testing.subject import Subject


def learned(solver_class: type[Solver]) -> str | None:
    """Exempt solvers that learn nothing."""
    return None if issubclass(solver_class, LearnedSolver) else "it learns nothing"


def fit(subject: Subject) -> str:
    """The fit ends, reports progress from 0 to 1, and what it learned can be saved and loaded."""
    if subject.shipped is None:
        fractions = subject.fitted[1].fractions
        if any(not 0 <= fraction <= 1 for fraction in fractions):
            raise Failure(f"progress must run from 0 to 1, it went to {max(fractions, key=abs):g}")
        if fractions != sorted(fractions):
            raise Failure("progress must not go back")
    subject.new()
    return subject.course.source


def fit_repeats(subject: Subject) -> str:
    """A second fit under the same seed predicts the same."""
    if subject.shipped is not None:
        raise Skip("the weights are shipped, the kit trains nothing")
    solver, _ = subject.fit("second")
    again = subject.run(subject.exercise, subject.prepared(subject.exercise, solver))
    difference = distance(subject.trajectory.tensors, again.tensors)
    if difference > rounding(again, learned=True):
        raise Failure(f"two fits under one seed predict trajectories that differ by {difference:.1e}")
    return f"within {difference:.1e}"


def save_and_load(subject: Subject) -> str:
    """Saved, and loaded by a new solver, it predicts the same; no file is a pickle."""
    saver = subject.fitted[0] if subject.shipped is None else subject.learning()
    if subject.shipped is not None:
        saver.load(subject.shipped)
    folder = subject.folder / "saved"
    folder.mkdir()
    saver.save(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise Failure("save has written no file")
    for path in files:
        refuse_pickle(path)
    loader = subject.learning()
    loader.load(folder)
    before, after = (subject.run(subject.exercise, subject.prepared(subject.exercise, s)) for s in (saver, loader))
    difference = distance(before.tensors, after.tensors)
    # Loaded arrays may lie in memory in another order, and so may sums; weights that were rounded show far above this.
    if difference > (1e-6 if after.single else 1e-12):
        raise Failure(f"predictions before saving and after loading differ by {difference:.1e}")
    return f"within {difference:.1e}; {', '.join(path.name for path in files)}"


def refuse_pickle(path: Path) -> None:
    """Refuse a file that only pickle reads: loading it would run whatever it says."""
    if zipfile.is_zipfile(path):
        if path.suffix == ".npz":
            try:
                with np.load(path, allow_pickle=False) as arrays:
                    for name in arrays.files:
                        arrays[name]
            except ValueError as error:
                raise Failure(f"{path.name} holds pickled objects") from error
        elif any(name.endswith(".pkl") for name in zipfile.ZipFile(path).namelist()):
            raise Failure(f"{path.name} is written with torch.save, which is pickle: use safetensors")
    with path.open("rb") as stream:
        head = stream.read(2)
    # Every pickle protocol from 2 on opens with 0x80 and its number.
    if len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 9:
        raise Failure(f"{path.name} is a pickle: use safetensors, npz or JSON")


FIRST = (Check("fit", fit, applies=learned),)
CHECKS = (
    Check("save_and_load", save_and_load, applies=learned, needs=VALID),
    Check("fit_repeats", fit_repeats, applies=learned, needs=VALID),
)
