"""Training data: the trajectories that the task allows, and the excerpts that are cut from them."""

from __future__ import annotations

import math

import numpy as np
import torch

from qdynbench import TrainingData
from qdynbench_sru.training.recipe import Recipe

SHORTEST = 2
"""A burn-in is at most the excerpt over this: at least half of a short one has to count."""
BYTES = 512e6
"""Memory for the trajectories of one size; fewer are asked for where they are large."""


class Trajectories:
    """Trajectories of all sizes, as reals on a device; the last few are held out to measure predictions against.

    Args:
        data: of the task.
        recipe: how many trajectories, and how long an excerpt.
        rollout: steps of an excerpt on which the network is fed its own predictions, beyond those of the recipe.
        device: that the trajectories are kept on.

    Attributes:
        length: steps of an excerpt, as asked for, or all there are.
        burn_in: steps at its start that do not count.
        mean_change: mean `|psi(t + dt) - psi(t)|^2` by size, which the loss is relative to.
    """

    def __init__(self, data: TrainingData, recipe: Recipe, rollout: int, device: str) -> None:
        steps = len(data.times) - 1
        if rollout >= steps:
            raise ValueError(
                f"rollout={rollout}: the training trajectories have {steps} steps, and at least one comes first"
            )
        self.length = min(recipe.length + rollout, steps)
        self.burn_in = min(recipe.burn_in, (self.length - rollout) // SHORTEST)
        self.mean_change: dict[int, float] = {}
        self._device = device
        self._training: dict[int, torch.Tensor] = {}
        self._held_out: dict[int, torch.Tensor] = {}
        for size in data.sizes:
            affordable = int(BYTES // (16 * (steps + 1) << size))
            count = max(1, min(recipe.trajectories, data.count, affordable))
            states = data.trajectories(size, 0, count)
            if not bool(torch.isfinite(torch.view_as_real(states)).all()):
                raise ValueError(f"the training trajectories of {size} spins hold numbers that are not finite")
            change = (states[:, 1:] - states[:, :-1]).abs().square().sum(-1).mean()
            self.mean_change[size] = max(float(change), np.finfo(np.float64).tiny)
            held_out = min(16, count // 10)
            self._training[size] = torch.view_as_real(states[: count - held_out]).to(device)
            self._held_out[size] = (states[count - held_out :] if held_out else states[:1]).to(device)

    @property
    def sizes(self) -> list[int]:
        """Sizes that there are trajectories of."""
        return list(self._training)

    @property
    def change_per_amplitude(self) -> float:
        """Root mean square of the change of one amplitude over one step, over all sizes."""
        return math.sqrt(np.mean([change / 2**size for size, change in self.mean_change.items()]))

    def held_out(self, size: int) -> torch.Tensor:
        """Return trajectories that no excerpt is cut from (but where there is hardly any), `(B, T+1, 2**N)`."""
        return self._held_out[size]

    def draw(
        self, size: int, count: int, random: np.random.Generator, dtype: torch.dtype, *, held_out: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return states and their changes in random excerpts, each of shape `(length, count, 2**N, 2)`.

        Args:
            size: number of spins N.
            count: excerpts.
            random: decides which.
            dtype: of the result.
            held_out: cut them from the trajectories that are held out, and not from the others.
        """
        pool = torch.view_as_real(self._held_out[size]) if held_out else self._training[size]
        which = torch.from_numpy(random.integers(len(pool), size=(1, count))).to(self._device)
        start = random.integers(pool.shape[1] - self.length, size=count)
        when = torch.from_numpy(start + np.arange(self.length + 1)[:, None]).to(self._device)
        states = pool[which, when]
        # The difference is taken in double precision: it is a thousandth of the states.
        return states[:-1].to(dtype), (states[1:] - states[:-1]).to(dtype)
