"""What tests of a metric need: feed it two trajectories, block by block, as the core does."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch

from qdynbench.contract.initial import Initial
from qdynbench.contract.window import Pair, ScoreContext, Window
from qdynbench.testing.exercise import uniform_chain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qdynbench.contract.metric import Metric
    from qdynbench.physics.operators import PauliSum


def random_trajectories(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return normalised random states, complex128, of a shape such as `(B, T+1, 2**N)`: each time on its own."""
    random = np.random.default_rng(seed)
    states = random.normal(size=shape) + 1j * random.normal(size=shape)
    return torch.from_numpy(states / np.linalg.norm(states, axis=-1, keepdims=True))


def scored(
    metric: type[Metric],
    prediction: torch.Tensor,
    reference: torch.Tensor,
    *,
    split: Sequence[int] = (),
    hamiltonian: PauliSum | None = None,
) -> Metric:
    """Return a metric that has seen two trajectories.

    Args:
        metric: the class.
        prediction: states `(B, T+1, 2**N)`.
        reference: likewise; its first column is the initial state.
        split: indices into the time grid at which a block ends before the last one.
        hamiltonian: default: `uniform_chain`.
    """
    size = int(reference.shape[-1]).bit_length() - 1
    times = np.linspace(0, 0.1 * (reference.shape[1] - 1), reference.shape[1])
    context = ScoreContext(size, times, hamiltonian or uniform_chain(size), Initial(reference[:, 0].clone()))
    fed = metric(context)
    for start, stop in itertools.pairwise([0, *split, reference.shape[1]]):
        fed.update(Pair(*(Window(context, start, states[:, start:stop]) for states in (prediction, reference))))
    return fed
