"""What all rollouts have in common: a network's predictions, each of which is its next input."""

from __future__ import annotations

from typing import Protocol

import torch


class Rollout(Protocol):
    """Autoregressive prediction for one batch of B states: each output is the next input."""

    def advance(self, block: torch.Tensor, every: int = 1) -> None:
        """Fill a block, some consecutive times, with the next states; the first of all are the initial states.

        Args:
            block: complex128, contiguous, shape `(B, k, 2**N)`.
            every: steps of the network between two times of the block.
        """


class Restartable(Rollout, Protocol):
    """A rollout that can begin anew in the same memory."""

    def restart(self, states: torch.Tensor) -> None:
        """Begin anew at as many states of the same size, complex128, shape `(B, 2**N)`."""


class Step(Protocol):
    """One step in place. From the second call after a start on it must do the same operations in the same memory."""

    def __call__(self) -> torch.Tensor:
        """Take a step and return the states, float64, shape `(B, 2**N, 2)`, in the same memory every time."""

    def restart(self, states: torch.Tensor) -> None:
        """Begin anew at as many states of the same size, complex128, shape `(B, 2**N)`, in the same memory."""


class SteppedRollout:
    """A rollout that calls one step after the other; see `Rollout`.

    Args:
        states: initial states, complex128, shape `(B, 2**N)`.
        step: started at these states.
    """

    def __init__(self, states: torch.Tensor, step: Step) -> None:
        self._initial: torch.Tensor | None = states
        self._step = step

    def advance(self, block: torch.Tensor, every: int = 1) -> None:
        """Fill a block with the next states."""
        parts = torch.view_as_real(block)
        for column in range(block.shape[1]):
            if self._initial is not None:
                block[:, column], self._initial = self._initial, None
                continue
            for _ in range(every):
                states = self._step()
            parts[:, column] = states


def normalise(states: torch.Tensor, dim: tuple[int, ...]) -> None:
    """Divide by the norm over `dim`, in place: the one invariant that holds for every closed system."""
    states.div_(torch.linalg.vector_norm(states, dim=dim, keepdim=True))
