"""How a fit is doing: held-out errors, the best weights so far, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from qdynbench_sru.networks import Network
from qdynbench_sru.training.loss import Excerpts, Loss
from qdynbench_sru.training.trajectories import Trajectories

VALIDATION_EXCERPTS = 16
"""Held-out excerpts of each size that the validation loss is the mean over."""


@dataclass
class Standing:
    """What is kept of the past of a fit, beside weights and optimiser.

    Attributes:
        updates: so far, over all phases.
        pieces: see `Gradients`.
        best_error: smallest rollout error so far.
        waited: chunks of this phase since then.
        best: the weights that had it.
    """

    updates: int = 0
    pieces: int = 1
    best_error: float = math.inf
    waited: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)

    def judge(self, error: float, network: Network) -> None:
        """Take note of the rollout error of the present weights."""
        if error < self.best_error:
            self.best_error, self.waited = error, 0
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
        else:
            self.waited += 1

    def scalars(self) -> dict[str, Any]:
        """Return what JSON can hold; infinity it cannot."""
        error = self.best_error if math.isfinite(self.best_error) else None
        return {"updates": self.updates, "pieces": self.pieces, "best_error": error, "waited": self.waited}

    @classmethod
    def of(cls, scalars: Mapping[str, Any], best: dict[str, torch.Tensor]) -> Standing:
        """Return what a checkpoint has kept."""
        error = scalars["best_error"]
        return cls(
            updates=int(scalars["updates"]),
            pieces=int(scalars["pieces"]),
            best_error=math.inf if error is None else float(error),
            waited=int(scalars["waited"]),
            best=best,
        )


@torch.no_grad()
def validation_loss(network: Network, trajectories: Trajectories, seed: int) -> float:
    """Return the teacher-forced loss on held-out excerpts: always the same ones, without noise and dropout."""
    random = np.random.default_rng([seed, 1 << 40])
    dtype = next(network.parameters()).dtype
    batch = [
        Excerpts(size, *trajectories.draw(size, VALIDATION_EXCERPTS, random, dtype, held_out=True))
        for size in trajectories.sizes
    ]
    return float(Loss(trajectories.mean_change, trajectories.burn_in)(network, batch))


@torch.no_grad()
def rollout_error(network: Network, trajectories: Trajectories, device: str) -> float:
    """Return the infidelity at the end of held-out trajectories, predicted from their first state alone.

    The mean over states, then over sizes: the worst size decides.
    """
    errors = []
    for size in trajectories.sizes:
        truth = trajectories.held_out(size)
        predicted = predicted_end(network, truth[:, 0], truth.shape[1] - 1, device)
        errors.append(float(1 - (truth[:, -1].conj() * predicted).sum(-1).abs().square().mean()))
    error = float(np.mean(errors))
    return error if math.isfinite(error) else math.inf


def predicted_end(network: Network, states: torch.Tensor, steps: int, device: str) -> torch.Tensor:
    """Return the state after so many steps.

    Args:
        network: predicts.
        states: initial states, complex128, shape `(B, 2**N)`.
        steps: at least 1.
        device: "cpu" or "cuda".
    """
    size = int(states.shape[-1]).bit_length() - 1
    block = states.new_empty(len(states), 2, states.shape[-1])
    network.propagator(size, device).start(states).advance(block, every=steps)
    return block[:, 1]
