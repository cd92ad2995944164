"""What products and combinations of vectors cost, measured on two CPU cores at 7 to 22 spins; see the benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdynbench.toolkit.strings import flips

if TYPE_CHECKING:
    from qdynbench import PauliSum

ONCE_SECONDS = 3e-10
"""For one amplitude of a product: its diagonal, and writing the result, in the cache."""

PASS_SECONDS = 6e-11
"""For one amplitude and one string of H that flips spins, in the cache."""

FAR_SECONDS = 4e-9
"""For one amplitude of 16 bytes of a product beyond the cache, on top of that."""

COMBINE_SECONDS = 1e-10
"""For one amplitude of one vector in one combination, in the cache."""

STREAM_SECONDS = 8e-10
"""For reading or writing one amplitude of 16 bytes beyond the cache."""

CALL_SECONDS = 2e-5
"""For one call of an evolution from Python."""

PREPARE_SECONDS = 3e-3
"""For sorting the strings of a Hamiltonian, the bounds of its spectrum and the coefficients of a window."""

CACHE_BYTES = 2**22
"""Vectors beyond this no longer lie in the cache."""


def passes_of(hamiltonian: PauliSum) -> int:
    """Return how often a product reads the state: once, and once more for every set of spins flipped together."""
    return len(flips(hamiltonian) | {()})


def product_seconds(dimension: float, passes: float, itemsize: int = 16) -> float:
    """Predict the time of one product on one state by one thread."""
    far = FAR_SECONDS if dimension * itemsize > CACHE_BYTES else 0.0
    return dimension * itemsize / 16 * (ONCE_SECONDS + passes * PASS_SECONDS + far)


def combine_seconds(dimension: float, vectors: int, outputs: int, rows: int, itemsize: int = 16) -> float:
    """Predict the time of combining so many vectors of one state to so many outputs, `rows` vectors at a time."""
    seconds = vectors * outputs * COMBINE_SECONDS
    if dimension * itemsize > CACHE_BYTES:
        seconds += STREAM_SECONDS * (vectors + 2 * outputs * max(1.0, vectors / rows))
    return dimension * itemsize / 16 * seconds
