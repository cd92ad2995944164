"""The solver `sru`: simple recurrent units that learn dynamics from trajectories (Zhang et al., CPL 37, 018401)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from qdynbench.solver import (
    Block,
    Cost,
    FitContext,
    Initial,
    Knowledge,
    Problem,
    Solver,
    TrainingData,
    block_length,
)
from qdynbench_sru import weights
from qdynbench_sru.command import SHIPPED
from qdynbench_sru.training import RECIPES, Training
from qdynbench_sru.weights import Architecture, Encoder
from qdynbench_sru.windows import Windows

if TYPE_CHECKING:
    from qdynbench_sru.network import Propagator

DEFAULT_WIDTH = {"local": 8, "padded": 128}

# Cost of the local encoder, measured on two shared CPU cores at 2 to 12 spins with width 8 and rounded up.
SECONDS_PER_STEP = 2e-4
SECONDS_PER_CHANNEL = 2.5e-8


class SimpleRecurrentUnit(Solver):
    """Predicts the change of the state per step by simple recurrent units, from the initial state on.

    Not to be confused with the "simple recurrent network" of Elman: here the recurrence is elementwise.

    Attributes:
        encoder: `local` sees every amplitude with those one spin flip away, and works for every size; `padded` is the
            paper's, one vector for all sizes, and works for the sizes it was trained on.
        width: channels of the recurrent units; 0 is 8 for `local` and 128 for `padded`.
        layers: recurrent layers.
        dropout: probability with which a channel is dropped in the Adam phase of the training.
        effort: factor on the number of training updates.
    """

    knowledge = Knowledge.TRAJECTORIES
    learned = True

    encoder: Encoder = "local"
    width: int = 0
    layers: int = 1
    dropout: float = 0.0
    effort: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            ValueError: one is out of its range.
        """
        if self.encoder not in DEFAULT_WIDTH:
            raise ValueError(f"encoder={self.encoder}: must be local or padded")
        if not 0 <= self.width <= 4096:
            raise ValueError(f"width={self.width}: must lie between 1 and 4096, or be 0 for the encoder's default")
        if not 1 <= self.layers <= 16:
            raise ValueError(f"layers={self.layers}: must lie between 1 and 16")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout}: must be at least 0 and below 1")
        if not 0 < self.effort <= 100:
            raise ValueError(f"effort={self.effort}: must be above 0 and at most 100")
        self._architecture: Architecture | None = None

    @property
    def label(self) -> str:
        """What the encoder assumes."""
        if self.encoder == "local":
            return "assumes that amplitudes couple by single spin flips; never sees the Hamiltonian"
        return "the paper's encoder, for the trained sizes alone; never sees the Hamiltonian"

    def supports(self, problem: Problem) -> str | None:
        """Say no to another time step than the trained one and, for `padded`, to a size that it does not know."""
        trained = self._architecture
        if trained is None:
            return None
        if not math.isclose(problem.dt, trained.dt, rel_tol=1e-9):
            return f"trained for steps of {trained.dt:g}, not {problem.dt:g}"
        if self.encoder == "padded" and problem.size > max(trained.sizes):
            return f"the padded encoder was trained with room for {max(trained.sizes)} spins, not {problem.size}"
        if self.encoder == "padded" and problem.size not in trained.sizes:
            return f"the padded encoder was trained on {', '.join(map(str, trained.sizes))} spins, not {problem.size}"
        return None

    def estimate(self, problem: Problem) -> Cost:
        """Predict memory and time, finite at any size; `local` is linear in the number of amplitudes."""
        amplitudes = 2.0 ** min(problem.size, 300)
        columns = amplitudes * problem.batch
        block = 16 * columns * max(1.0, min(problem.steps + 1, 32e6 / (16 * columns)))
        if self.encoder == "local":
            tables = amplitudes * (8 * 5 * 4 * self._width * 3 + 40 * problem.size)
            work = columns * (16 + 4 * (7 + self.layers * self._width))
            channels = columns * self._width * self.layers
        else:
            tables, work = 16 * amplitudes * self._width, 32 * columns
            channels = 4 * problem.batch * self._width * (self._width * self.layers + amplitudes) / 8
        return Cost(
            bytes=tables + work + block,
            seconds=problem.steps * (SECONDS_PER_STEP + SECONDS_PER_CHANNEL * channels),
        )

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Train, or go on training from the checkpoint in the context's folder, to the same result.

        Raises:
            ValueError: the data holds numbers that are not finite.
            FloatingPointError: the loss is not finite; the last good checkpoint stays.
        """
        self._architecture = Architecture(
            encoder=self.encoder,
            width=self._width,
            layers=self.layers,
            sizes=tuple(data.sizes),
            dt=float(data.times[1] - data.times[0]),
        )
        recipe = RECIPES[self.encoder].scaled(self.effort)
        windows = Windows(data, context.device)
        self._network = Training(self._architecture, recipe, self.dropout, windows, context).run()

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors` and `architecture.json`."""
        weights.save(self._network, self._trained, folder)

    def load(self, folder: Path) -> None:
        """Read what `save` wrote.

        Raises:
            InputError: the weights are damaged or of another architecture.
        """
        expected = {"encoder": self.encoder, "width": self._width, "layers": self.layers}
        self._network, self._architecture = weights.load(folder, expected)

    def shipped(self) -> Path | None:
        """Return the packaged weights of an encoder with default parameters, where there are some."""
        folder = SHIPPED / self.encoder
        default = (self._width, self.layers, self.dropout, self.effort) == (DEFAULT_WIDTH[self.encoder], 1, 0.0, 1.0)
        return folder if default and folder.is_dir() else None

    def prepare(self, problem: Problem) -> None:
        """Fold the weights into what this size needs."""
        self._propagator: Propagator = self._network.propagator(problem.size, problem.device)

    def solve(self, initial: Initial) -> Iterator[Block]:
        """Yield contiguous blocks, complex128, shape `(B, k, 2**N)`; the first column is the initial state itself."""
        problem, batch = self.problem, len(initial.states)
        length = block_length(problem, batch)
        buffer = initial.states.new_empty(length * initial.states.numel())
        steps = self._propagator.steps(initial.states)
        for start in range(0, problem.steps + 1, length):
            count = min(length, problem.steps + 1 - start)
            block = buffer[: count * initial.states.numel()].view(batch, count, -1)
            for column in range(count):
                if start + column == 0:
                    block[:, 0] = initial.states
                else:
                    torch.view_as_real(block)[:, column] = next(steps)
            yield Block(start, block)

    @property
    def _width(self) -> int:
        return self.width or DEFAULT_WIDTH[self.encoder]

    @property
    def _trained(self) -> Architecture:
        if self._architecture is None:
            raise RuntimeError("sru has neither been fitted nor loaded")
        return self._architecture
