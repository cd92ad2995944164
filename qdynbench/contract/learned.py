"""The contract of a learned solver: what it is trained on, and how what it learned is kept."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qdynbench.contract.solver import Solver

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


class TrainingData(Protocol):
    """Trajectories that the task allows a learned solver to see, made on the fly by the reference."""

    @property
    def sizes(self) -> Sequence[int]:
        """Numbers of spins that trajectories exist for."""

    @property
    def times(self) -> NDArray[np.float64]:
        """Time grid of the training trajectories, shape `(T+1,)`."""

    @property
    def count(self) -> int:
        """Trajectories per size."""

    def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return trajectories `start` to `stop` of one size: complex128, shape `(stop - start, T+1, 2**size)`."""


class FitContext(Protocol):
    """What the core offers to `fit` beside the data."""

    @property
    def folder(self) -> Path:
        """Folder that outlives an interrupted fit: keep checkpoints here and resume from them."""

    @property
    def seed(self) -> int:
        """Seed for everything random in the fit."""

    @property
    def device(self) -> str:
        """Device to train on, "cpu" or "cuda"."""

    def progress(self, fraction: float, **figures: float) -> None:
        """Show how far the fit is, 0 to 1, with named figures such as `loss`; they are kept as the learning curve."""

    def note(self, text: str) -> None:
        """Say one thing that whoever reads the result has to know; it is shown and stands in the manifest."""


class LearnedSolver(Solver):
    """A solver that learns from trajectories before it solves: `fit` once, or `load` what an earlier fit saved."""

    @abstractmethod
    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Learn from trajectories."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `fit` learned to an empty folder (safetensors, npz or JSON, never pickle)."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""

    def shipped(self) -> Sequence[Path]:
        """Return folders of weights that came with the package, each made by `save`.

        The core uses the first one whose `manifest.json` describes the very training that the task asks for.
        """
        return ()

    def starts_from(self) -> Path | None:
        """Return a folder of finished weights that `fit` goes on from, or None.

        The core adds what these had cost, as their `manifest.json` says, to the cost of the fit; without a manifest the
        solver is refused.
        """
        return None
