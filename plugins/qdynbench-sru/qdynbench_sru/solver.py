"""The solver `sru`: simple recurrent units that learn dynamics from trajectories (Zhang et al., CPL 37, 018401)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qdynbench import (
    Block,
    Cost,
    FitContext,
    Given,
    InputError,
    Knowledge,
    LearnedSolver,
    Problem,
    TrainingData,
    block_length,
    hash_files,
)
from qdynbench_sru import shipped, weight_files
from qdynbench_sru.networks import Architecture, Encoder
from qdynbench_sru.start import started
from qdynbench_sru.training import FINE_TUNING, RECIPES, Options, Precision, Training
from qdynbench_sru.training.trajectories import Trajectories

if TYPE_CHECKING:
    from sru_kernels import Propagator

LARGEST = 11
"""Spins that the `padded` encoder can have room for: its layers of default width then have 16 million weights each."""
FLIPS = {1: "single spin flips", 2: "flips of one spin or two neighbouring ones"}
"""What each neighbourhood of the `local` encoder assumes."""
RANDOM = "random"
"""What `start` is where no weights are named."""
LOCAL_WIDTH = 8
"""Default number of channels of the `local` encoder, whatever the sizes."""


class SimpleRecurrentUnit(LearnedSolver):
    """Predicts the change of the state per step by simple recurrent units, from the initial state on.

    What the default encoder has learned is in effect a linear multistep recurrence; see the plugin's README.

    Not to be confused with the "simple recurrent network" of Elman: here the recurrence is elementwise.

    Attributes:
        encoder: `local` sees every amplitude with those a spin flip away, by weights that are alike along the chain,
            and so works for every size; `padded` is the paper's, one vector for all sizes, and works for those that it
            was trained on.
        neighbourhood: of `local`: 1 for flips of single spins, which is enough for fields; 2 for those of neighbouring
            pairs as well, which exchange couplings need.
        width: channels of the recurrent units; 0 is 8 for `local`, and for `padded` `2**(largest + 1)`, the numbers in
            a state of the largest size: with fewer, some directions cannot be told apart.
        layers: recurrent layers.
        dropout: probability with which a channel is dropped in the Adam phase of the training.
        noise: 2-norm of the Gaussian noise that is added to every input of a training excerpt (states have norm 1).
        rollout: training steps at the end of an excerpt on which the network is fed its own predictions.
        precision: of Adam's products: `single`, or `mixed` with bfloat16 on a GPU.
        patience: chunks of 50 updates without a smaller rollout error after which a phase of the training ends; 0 for
            never.
        effort: factor on the number of training updates.
        start: `random`, or weights to start from: the name of a shipped folder, as `paper` for those of the paper's
            tasks, or a path; what they had cost is charged to the fit.
        largest: for `padded`, spins that there is room for; 0 for the largest size in the training data.
    """

    knowledge = Knowledge.TRAJECTORIES

    encoder: Encoder = "local"
    width: int = 0
    layers: int = 1
    dropout: float = 0.0
    noise: float = 0.0
    rollout: int = 0
    precision: Precision = "single"
    patience: int = 20
    effort: float = 1.0
    start: str = RANDOM
    largest: int = 0
    neighbourhood: int = 1

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            ValueError: one is out of its range.
        """
        if self.encoder not in RECIPES:
            raise ValueError(f"encoder={self.encoder}: must be local or padded")
        if not 0 <= self.width <= 4096:
            raise ValueError(f"width={self.width}: must lie between 1 and 4096, or be 0 for the encoder's default")
        if not 1 <= self.layers <= 16:
            raise ValueError(f"layers={self.layers}: must lie between 1 and 16")
        if not 0 <= self.largest <= LARGEST:
            raise ValueError(f"largest={self.largest}: must lie between 1 and {LARGEST}, or be 0 for the trained sizes")
        if self.largest and self.encoder != "padded":
            raise ValueError(f"largest={self.largest}: only the padded encoder has room for so many spins and no more")
        if self.neighbourhood not in {1, 2}:
            raise ValueError(f"neighbourhood={self.neighbourhood}: must be 1 or 2")
        if self.neighbourhood != 1 and self.encoder != "local":
            raise ValueError(f"neighbourhood={self.neighbourhood}: the padded encoder knows of no neighbours")
        self._check_training()
        self._architecture: Architecture | None = None

    def _check_training(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout}: must be at least 0 and below 1")
        if not 0 <= self.noise < 1:
            raise ValueError(f"noise={self.noise}: must be at least 0 and below 1, the norm of a state")
        if not 0 <= self.rollout <= 1000:
            raise ValueError(f"rollout={self.rollout}: must lie between 0 and 1000")
        if self.precision not in {"single", "mixed"}:
            raise ValueError(f"precision={self.precision}: must be single or mixed")
        if self.patience < 0:
            raise ValueError(f"patience={self.patience}: must not be negative")
        if not 0 < self.effort <= 100:
            raise ValueError(f"effort={self.effort}: must be above 0 and at most 100")

    @property
    def label(self) -> str:
        """What the encoder assumes, and where the weights started."""
        what = {
            "local": f"not the paper's: assumes {FLIPS[self.neighbourhood]}, alike along the chain",
            "padded": "the paper's encoder, for the trained sizes alone",
        }[self.encoder]
        text = f"{what}; never sees the Hamiltonian"
        return f"{text}; fine-tuned from {self.start}" if self.start != RANDOM else text

    def supports(self, problem: Problem) -> str | None:
        """Refuse a time step that is no multiple of the trained one and, for `padded`, a size not trained on."""
        trained = self._architecture
        if trained is None:
            return None
        if not math.isclose(problem.dt, self._every(problem) * trained.dt, rel_tol=1e-9):
            return f"trained for steps of {trained.dt:g}, and {problem.dt:g} is not a whole multiple of that"
        if self.encoder == "padded" and problem.size > trained.room:
            return f"the padded encoder was trained with room for {trained.room} spins, not {problem.size}"
        if self.encoder == "padded" and problem.size not in trained.sizes:
            return f"the padded encoder was trained on {', '.join(map(str, trained.sizes))} spins, not {problem.size}"
        return None

    def estimate(self, problem: Problem) -> Cost:
        """Predict the cost of the rollout; that of `local` is linear in the number of amplitudes."""
        amplitudes = 2.0 ** min(problem.size, 300)
        columns = amplitudes * problem.batch
        block = 16 * columns * max(1.0, min(problem.steps + 1, 32e6 / (16 * columns)))
        width = self.known_width or (self._architecture.width if self._architecture else 2 * amplitudes)
        if self.encoder == "local":
            tables = amplitudes * (8 * 5 * 4 * width * 3 + 40 * problem.size)
            work = columns * (16 + 4 * (7 + self.layers * width))
            # A channel takes three products with the channels below it, and two sigmoids.
            step = columns * width * self.layers * (6 * width + 40)
        else:
            parameters = width * (4 * amplitudes + 3 * width * self.layers)
            tables, work = 8 * parameters, 32 * columns
            # Every step reads all weights anew, which takes as long as to multiply five states by them.
            step = 2 * (problem.batch + 5) * parameters
        return Cost(tables + work + block, problem.steps * self._every(problem) * step)

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Train, or go on training from the checkpoint in the context's folder, to the same result.

        Raises:
            InputError: the weights to start from do not fit; no room for a size.
            ValueError: the data holds numbers that are not finite, or too few steps for the rollout.
            FloatingPointError: the loss is not finite; the last good checkpoint stays.
        """
        recipe = (RECIPES if self.start == RANDOM else FINE_TUNING)[self.encoder].scaled(self.effort)
        trajectories = Trajectories(data, recipe, self.rollout, context.device)
        dt = float(data.times[1] - data.times[0])
        key: dict[str, Any] = {}
        if folder := self.starts_from():
            network, self._architecture = started(folder, self._expected, data.sizes, dt)
            network.sru.dropout = self.dropout
            key["start"] = hash_files([folder / weight_files.WEIGHTS])
        else:
            self._architecture = self._anew(tuple(data.sizes), dt)
            network = self._architecture.build(self.dropout, context.seed)
            network.scale.fill_(trajectories.change_per_amplitude)
        key["architecture"] = dataclasses.asdict(self._architecture)
        options = Options(self.dropout, self.noise, self.rollout, self.precision, self.patience)
        self._network = Training(network.to(context.device), recipe, options, trajectories, context, key).run()

    def _anew(self, sizes: tuple[int, ...], dt: float) -> Architecture:
        room = self.largest or max(sizes)
        if self.encoder == "padded" and max(sizes) > room:
            raise InputError(f"sru with largest={room} has no room for the {max(sizes)} spins of the training data")
        if self.encoder == "padded" and room > LARGEST:
            raise InputError(f"the padded encoder has room for at most {LARGEST} spins, not {room}")
        width = self.known_width or 2 << room
        return Architecture(self.encoder, width, self.layers, sizes, dt, self.largest, self.neighbourhood)

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors` and `architecture.json`."""
        weight_files.save(self._network, self._trained, folder)

    def load(self, folder: Path) -> None:
        """Read what `save` wrote.

        Raises:
            InputError: the weights are damaged or of another architecture.
        """
        self._network, self._architecture = weight_files.load(folder, self._expected)

    def shipped(self) -> list[Path]:
        """Return the packaged weights that were trained with these very parameters, on whatever data."""
        return shipped.made_by(self, lambda solver: dataclasses.asdict(solver) | {"width": solver.known_width})

    def starts_from(self) -> Path | None:
        """Return the folder that `start` means.

        Raises:
            InputError: there is none.
        """
        return None if self.start == RANDOM else shipped.named(self.start, self.encoder)

    def prepare(self, problem: Problem) -> None:
        """Fold the weights into what this size needs."""
        super().prepare(problem)
        self._propagator: Propagator = self._network.propagator(problem.size, problem.device)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield contiguous blocks, complex128, shape `(B, k, 2**N)`; the first column is the initial state itself."""
        problem, batch = self.problem, len(given.states)
        length = block_length(problem, batch)
        buffer = given.states.new_empty(length * given.states.numel())
        rollout = self._propagator.start(given.states)
        for start in range(0, problem.steps + 1, length):
            count = min(length, problem.steps + 1 - start)
            block = buffer[: count * given.states.numel()].view(batch, count, -1)
            rollout.advance(block, self._every(problem))
            yield Block(start, block)

    @property
    def known_width(self) -> int:
        """Channels of the recurrent units, or 0 while that depends on the training data."""
        return self.width or (LOCAL_WIDTH if self.encoder == "local" else 0)

    @property
    def _expected(self) -> dict[str, Any]:
        """Attributes that the architecture of weights must have to be used."""
        known = {"width": self.known_width, "largest": self.largest, "neighbourhood": self.neighbourhood}
        return {"encoder": self.encoder, "layers": self.layers} | {key: value for key, value in known.items() if value}

    def _every(self, problem: Problem) -> int:
        """Return how many steps of the network make up one of the problem."""
        return 1 if self._architecture is None else max(1, round(problem.dt / self._architecture.dt))

    @property
    def _trained(self) -> Architecture:
        if self._architecture is None:
            raise RuntimeError("sru has neither been fitted nor loaded")
        return self._architecture
