"""What the tests of integrators share, whichever plugin has them: problems, and exact evolution by scipy's `expm`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch

from qdynbench import Drive, PauliSum, Problem, Segment
from qdynbench.testing import trajectories
from qdynbench.testing.trajectories import product_initial, random_strings

Evolve = Callable[..., torch.Tensor]


def strings(size: int, count: int, longest: int = 3, letters: str = "XYZ", seed: int = 0) -> PauliSum:
    """Random Pauli strings on one to `longest` sites in any order; some share their sites."""
    return random_strings(size, count, seed, letters=letters, longest=longest)


def xxz(size: int, *, periodic: bool = False) -> PauliSum:
    """The XXZ chain with anisotropy 0.7."""
    bonds = [(i, (i + 1) % size) for i in range(size if periodic else size - 1)]
    return PauliSum.from_terms(size, [(c, p, b) for b in bonds for c, p in ((1, "XX"), (1, "YY"), (0.7, "ZZ"))])


def kicked(size: int) -> Drive:
    """Strings for 0.3, a kick of strength 0.7, other strings for 0.2, and a kick backwards."""
    parts = [strings(size, 2 * size, seed=seed) for seed in range(1, 5)]
    return Drive(
        (Segment(parts[0], 0.3), Segment(parts[1], 0.0, 0.7), Segment(parts[2], 0.2), Segment(parts[3], 0.0, -0.4))
    )


@pytest.fixture
def posed() -> Callable[..., Problem]:
    """Pose a Hamiltonian or a drive on a grid, for two threads."""
    return functools.partial(trajectories.posed, threads=2)


@pytest.fixture
def evolve() -> Evolve:
    """Return the whole trajectory, after checking that its blocks come in order, and as they are sent."""
    return functools.partial(trajectories.trajectory, contiguous=True)


@pytest.fixture
def exact() -> Callable[[Problem, torch.Tensor], torch.Tensor]:
    """Return the trajectory by the exponentials of all pieces, of matrices made of Kronecker products."""
    return trajectories.exact


@pytest.fixture
def models() -> dict[str, Callable[..., PauliSum | Drive]]:
    """Chains to evolve, by name."""
    return {"strings": strings, "xxz": xxz, "kicked": kicked}


@pytest.fixture
def product() -> Callable[..., torch.Tensor]:
    """Random product states."""
    return lambda size, batch=3: product_initial(size, batch, seed=5).states


@pytest.fixture
def error() -> Callable[[torch.Tensor, torch.Tensor], float]:
    """The largest 2-norm of a difference of states."""
    return lambda actual, wanted: float(trajectories.errors(actual, wanted).max())
