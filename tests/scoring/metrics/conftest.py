from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from qdynbench.contract.initial import Initial
from qdynbench.contract.metric import Metric
from qdynbench.contract.window import ScoreContext, Window
from qdynbench.physics.operators import PauliSum

Score = Callable[..., Metric]


def ising(size: int) -> PauliSum:
    bonds = [(1.0, "ZZ", (i, i + 1)) for i in range(size - 1)]
    fields = [(c, p, (i,)) for i in range(size) for c, p in ((-1.05, "X"), (0.5, "Z"))]
    return PauliSum.from_terms(size, [*bonds, *fields])


@pytest.fixture
def random_states() -> Callable[..., torch.Tensor]:
    """Normalised random states of a given shape."""

    def draw(*shape: int, seed: int = 0) -> torch.Tensor:
        random = np.random.default_rng(seed)
        states = random.normal(size=shape) + 1j * random.normal(size=shape)
        return torch.from_numpy(states / np.linalg.norm(states, axis=-1, keepdims=True))

    return draw


@pytest.fixture
def score() -> Score:
    """Feed a metric blocks of two trajectories, the first ones ending at the indices in `split`."""

    def score(
        metric: type[Metric],
        prediction: torch.Tensor,
        reference: torch.Tensor,
        split: Sequence[int] = (),
        hamiltonian: PauliSum | None = None,
    ) -> Metric:
        size = int(reference.shape[-1]).bit_length() - 1
        times = np.linspace(0, 0.1 * (reference.shape[1] - 1), reference.shape[1])
        context = ScoreContext(size, times, hamiltonian or ising(size), Initial(reference[:, 0].clone()))
        scored = metric(context)
        edges = [0, *split, reference.shape[1]]
        for start, stop in itertools.pairwise(edges):
            windows = (Window(context, start, states[:, start:stop]) for states in (prediction, reference))
            scored.update(*windows)
        return scored

    return score
