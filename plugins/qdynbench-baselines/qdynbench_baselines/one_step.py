"""Least-squares propagator over one time step, from snapshots of trajectories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench import TrainingData

CHUNK_BYTES = 32e6


@dataclass(frozen=True)
class OneStep:
    """What the snapshots of one size say about `psi(t + dt) = U psi(t)`.

    Attributes:
        propagator: U, shape `(2**N, 2**N)`.
        rank: dimension of the space that the snapshots span, at most `2**N`; the propagator is the identity outside.
        residual: root mean square of `|psi(t + dt) - U psi(t)|` over all pairs of neighbouring snapshots.
    """

    propagator: NDArray[np.complex128]
    rank: int
    residual: float

    @property
    def full_rank(self) -> bool:
        """Whether the snapshots fix the propagator on the whole space."""
        return self.rank == len(self.propagator)


def fit_one_step(data: TrainingData, size: int) -> OneStep:
    """Return the propagator nearest to the identity among those with the least squared error over all snapshots.

    With rows `x = psi(t)^T` and `d = (psi(t + dt) - psi(t))^T`, the increment `W` of `x W = d` comes from the
    triangular factor of the rows `[x d]`, which is updated chunk by chunk (TSQR): the memory does not grow with the
    data, and the condition number is not squared as it would be by normal equations.
    """
    dim = 2**size
    steps = len(data.times) - 1
    chunk = max(1, int(CHUNK_BYTES // (16 * dim * (steps + 1))))
    factor = np.zeros((2 * dim, 2 * dim), dtype=np.complex128)
    for start in range(0, data.count, chunk):
        states = data.trajectories(size, start, min(start + chunk, data.count)).cpu().numpy()
        now = states[:, :-1].reshape(-1, dim)
        increment = np.diff(states, axis=1).reshape(-1, dim)
        (factor,) = scipy.linalg.qr(np.vstack([factor, np.hstack([now, increment])]), mode="r", check_finite=False)
        factor = factor[: 2 * dim]

    snapshots, increments, rest = factor[:dim, :dim], factor[:dim, dim:], factor[dim:, dim:]
    weights, _, rank, _ = np.linalg.lstsq(snapshots, increments, rcond=data.count * steps * np.finfo(float).eps)
    squares = np.linalg.norm(snapshots @ weights - increments) ** 2 + np.linalg.norm(rest) ** 2
    return OneStep(
        propagator=np.eye(dim, dtype=np.complex128) + weights.T,
        rank=int(rank),
        residual=float(np.sqrt(squares / (data.count * steps))),
    )
