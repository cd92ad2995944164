"""The wave function that is evolved: correlators of up to a few spins in the exponent. No JAX here.

    log psi(s) = sum_C J_C prod_{i in C} s_i,    s_i = +1 (up) or -1 (down), J_C complex,

over all clusters C of 1 to `order` sites. Order 2 is the Jastrow wave function of G. Carleo, F. Becca, M. Schiro and
M. Fabrizio, Sci. Rep. 2, 243 (2012), with all pairs; order N is any state without a vanishing amplitude. A product
state has `J_i = log(up_i / down_i) / 2` and nothing else, which is exact unless a component vanishes. The constant,
norm and global phase, is left out: the variational principle does not determine it.

Sites are numbered, and basis states ordered, as in `qdynbench.physics.basis`.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from qdynbench import basis

if TYPE_CHECKING:
    from numpy.typing import NDArray


def count(size: int, order: int) -> int:
    """Return the number P of couplings."""
    return sum(math.comb(size, length) for length in range(1, min(order, size) + 1))


def clusters(size: int, order: int) -> NDArray[np.int64]:
    """Return the sites of each cluster, short ones first, shape `(P, order)`; what is missing is filled with `size`."""
    longest = min(order, size)
    rows = [
        [*sites, *[size] * (longest - length)]
        for length in range(1, longest + 1)
        for sites in itertools.combinations(range(size), length)
    ]
    return np.array(rows, dtype=np.int64)


def table(size: int, order: int) -> NDArray[np.float64]:
    """Return the products of spins, `prod_{i in C} s_i`, of every basis state and cluster, shape `(2**N, P)`."""
    spins = np.pad(basis.spins(size).astype(np.float64), ((0, 0), (0, 1)), constant_values=1.0)
    products: NDArray[np.float64] = spins[:, clusters(size, order)].prod(axis=-1)
    return products


def product_couplings(spinors: NDArray[np.complex128], order: int) -> NDArray[np.complex128]:
    """Return the couplings, shape `(P,)`, of the product state of spinors `(N, 2)` without a vanishing component."""
    couplings = np.zeros(count(len(spinors), order), dtype=np.complex128)
    couplings[: len(spinors)] = np.log(spinors[:, 0] / spinors[:, 1]) / 2
    return couplings


def couplings_of(state: NDArray[np.complex128], products: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return the couplings, shape `(P,)`, of any state `(2**N,)` without a vanishing amplitude, if `order` is N.

    The `table` of all clusters is a Walsh-Hadamard matrix without its constant column: orthogonal.
    """
    logarithms: NDArray[np.complex128] = np.log(state)
    return products.T @ logarithms / len(state)


def states(couplings: NDArray[np.complex128], products: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return normalised states, shape `(k, 2**N)`, of couplings `(k, P)`, given the `table`."""
    exponents = couplings @ products.T
    # The largest amplitude is set to 1 before the exponential, which would overflow.
    amplitudes = np.exp(exponents - exponents.real.max(axis=-1, keepdims=True))
    normalised: NDArray[np.complex128] = amplitudes / np.linalg.norm(amplitudes, axis=-1, keepdims=True)
    return normalised


def with_phases(
    states: NDArray[np.complex128], initial: NDArray[np.complex128], energy: float, dt: float
) -> NDArray[np.complex128]:
    """Return states `(k, 2**N)` at times `dt, 2 dt, ...` with global phases, which are a convention.

    The variational principle leaves them open. Here `<psi(t)|psi(t + dt)>` has the phase `-E dt`, as the exact
    evolution has up to order `dt**3`; `E` is the energy and `initial` the state at time 0, shape `(2**N,)`.
    """
    before = np.concatenate([initial[None], states[:-1]])
    overlaps = np.einsum("kb,kb->k", before.conj(), states)
    turned: NDArray[np.complex128] = states * np.exp(-1j * np.cumsum(np.angle(overlaps) + energy * dt))[:, None]
    return turned
