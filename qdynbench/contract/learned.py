"""The contract of a learned solver: its training data, and how its weights are saved and loaded."""

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
    """The training trajectories of a task, computed by the reference when they are asked for."""

    @property
    def sizes(self) -> Sequence[int]:
        """Numbers of spins for which there are trajectories."""

    @property
    def times(self) -> NDArray[np.float64]:
        """Time grid of the training trajectories, shape `(T+1,)`."""

    @property
    def count(self) -> int:
        """Trajectories per size."""

    def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return trajectories `start` to `stop` of one size: complex128, shape `(stop - start, T+1, 2**size)`."""


class FitContext(Protocol):
    """What the core offers to `fit` besides the data."""

    @property
    def folder(self) -> Path:
        """Folder that survives an interrupted fit: keep checkpoints here and resume from them."""

    @property
    def seed(self) -> int:
        """Seed for all random numbers of the fit."""

    @property
    def device(self) -> str:
        """Device to train on, "cpu" or "cuda"."""

    def progress(self, fraction: float, **numbers: float) -> None:
        """Report the progress of the fit, 0 to 1, with named numbers such as `loss`, which form the learning curve."""

    def note(self, text: str) -> None:
        """Add a remark for the reader of the result; it is shown and written to the manifest."""


class LearnedSolver(Solver):
    """A solver that learns from trajectories: the core calls `fit`, or `load` with the result of an earlier fit."""

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
        """Return folders of weights that come with the package, each written by `save`.

        The core uses the first folder whose `manifest.json` describes the same training as the task.
        """
        return ()

    def starts_from(self) -> Path | None:
        """Return a folder of weights from which `fit` starts, or None.

        The core adds the cost of these weights, which it reads from their `manifest.json`, to the cost of the fit. It
        refuses the solver if there is no manifest.
        """
        return None
