"""Training data: the trajectories that the task allows, and the windows that are cut from them."""

from __future__ import annotations

import numpy as np
import torch

from qdynbench.solver import TrainingData

TRAJECTORIES = 500
"""Trajectories per size that are asked for, where the task allows so many; L-BFGS uses a few dozen windows in all."""
BYTES = 128e6
"""Memory for the trajectories of one size; fewer are asked for where they are large."""
WINDOW = 30
"""Steps of a window: several times what the memory of a trained unit lasts."""
BURN_IN = 5
"""First steps of a window that are not part of the loss: the memory has yet to see enough."""


class Windows:
    """Trajectories of all sizes, as reals on a device; the last few are held out to measure predictions against.

    Attributes:
        length: steps of a window; `WINDOW`, or all there are.
        burn_in: steps at its start that do not count.
        mean_change: mean `|psi(t + dt) - psi(t)|^2` by size, which the loss is relative to.
    """

    def __init__(self, data: TrainingData, device: str) -> None:
        steps = len(data.times) - 1
        self.length = min(WINDOW, steps)
        self.burn_in = min(BURN_IN, self.length // 6)
        self.mean_change: dict[int, float] = {}
        self._device = device
        self._training: dict[int, torch.Tensor] = {}
        self._held_out: dict[int, torch.Tensor] = {}
        for size in data.sizes:
            affordable = int(BYTES // (16 * (steps + 1) << size))
            count = max(1, min(TRAJECTORIES, data.count, affordable))
            states = data.trajectories(size, 0, count)
            if not bool(torch.isfinite(torch.view_as_real(states)).all()):
                raise ValueError(f"the training trajectories of {size} spins hold numbers that are not finite")
            change = (states[:, 1:] - states[:, :-1]).abs().square().sum(-1).mean()
            self.mean_change[size] = max(float(change), np.finfo(np.float64).tiny)
            held_out = min(16, count // 10)
            self._training[size] = torch.view_as_real(states[: count - held_out]).to(device)
            self._held_out[size] = states[count - held_out :].to(device) if held_out else states[:1].to(device)

    @property
    def sizes(self) -> list[int]:
        """Sizes that there are trajectories of."""
        return list(self._training)

    def held_out(self, size: int) -> torch.Tensor:
        """Return trajectories that no window is cut from (but where there is hardly any), `(B, T+1, 2**N)`."""
        return self._held_out[size]

    def draw(
        self, size: int, count: int, random: np.random.Generator, dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return states and their changes in random windows, each of shape `(length, count, 2**N, 2)`."""
        pool = self._training[size]
        which = torch.from_numpy(random.integers(len(pool), size=(1, count))).to(self._device)
        start = random.integers(pool.shape[1] - self.length, size=count)
        when = torch.from_numpy(start + np.arange(self.length + 1)[:, None]).to(self._device)
        states = pool[which, when]
        # The difference is taken in double precision: it is a thousandth of the states.
        return states[:-1].to(dtype), (states[1:] - states[:-1]).to(dtype)
