"""How long, how fast and on how much to train: the part of a fit that was settled by measurement."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

CHUNK = 50
"""Updates between two checkpoints."""
WARM_UP = 20
"""Adam updates over which the learning rate rises from zero."""


@dataclass(frozen=True)
class Recipe:
    """How long, how fast and on how much to train.

    Attributes:
        adam_chunks: of `CHUNK` updates each.
        lbfgs_chunks: of `CHUNK` iterations each, after those of Adam.
        learning_rate: of Adam at its highest; it falls to nearly zero along a cosine.
        adam_excerpts: excerpts in an update of Adam: of N spins, `adam_excerpts * 2**(growth * N)`.
        lbfgs_excerpts: the same for L-BFGS.
        growth: whether larger sizes get fewer excerpts (each has more amplitudes) or more.
        fewest: excerpts of one size.
        most: excerpts of one size.
        length: steps of an excerpt, without those of the rollout.
        burn_in: first steps of an excerpt that are not part of the loss: the memory has yet to see enough.
        trajectories: of one size that are asked for, where the task allows so many.
    """

    adam_chunks: int
    lbfgs_chunks: int
    learning_rate: float
    adam_excerpts: float
    lbfgs_excerpts: float = 192
    growth: float = -1.0
    fewest: int = 4
    most: int = 24
    length: int = 30
    burn_in: int = 5
    trajectories: int = 500

    def scaled(self, effort: float) -> Recipe:
        """Return the recipe with the number of updates multiplied by `effort`, at least one chunk a phase."""
        chunks = {
            name: max(1, round(effort * getattr(self, name))) if getattr(self, name) else 0
            for name in ("adam_chunks", "lbfgs_chunks")
        }
        return dataclasses.replace(self, **chunks)

    @property
    def chunks(self) -> int:
        """Chunks of all phases."""
        return self.adam_chunks + self.lbfgs_chunks

    def excerpts(self, size: int, scale: float) -> int:
        """Return how many excerpts of one size an update has, given `adam_excerpts` or `lbfgs_excerpts`."""
        return min(self.most, max(self.fewest, int(scale * 2.0 ** (self.growth * size))))

    def rate(self, update: int) -> float:
        """Return the learning rate of one update of Adam, counted from 0."""
        done = update / (self.adam_chunks * CHUNK)
        # What is left at the end is a thousandth, not nothing: the last updates are to do something.
        return self.learning_rate * min(1.0, (update + 1) / WARM_UP) * (0.5 * (1 + math.cos(math.pi * done)) + 1e-3)


RECIPES = {
    "local": Recipe(adam_chunks=4, lbfgs_chunks=30, learning_rate=1e-2, adam_excerpts=170, most=42),
    "padded": Recipe(
        adam_chunks=60,
        lbfgs_chunks=0,
        learning_rate=5e-3,
        adam_excerpts=16,
        growth=0.5,
        most=512,
        length=2,
        burn_in=1,
        trajectories=2000,
    ),
}
FINE_TUNING = {
    # Adam would first undo what L-BFGS has found, to the last five orders of magnitude.
    "local": dataclasses.replace(RECIPES["local"], adam_chunks=0),
    "padded": dataclasses.replace(RECIPES["padded"], learning_rate=3e-3),
}
"""Where a fit starts from finished weights."""
