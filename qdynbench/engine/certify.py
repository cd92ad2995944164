"""An evolution that shares nothing with the solvers, to put a bound on the reference's own error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qdynbench.physics.operators import PauliSum

LARGEST = 12
"""Sizes beyond are not certified here: a sample would take longer than the case itself."""


def independent_evolution(
    hamiltonian: PauliSum, states: NDArray[np.complex128], times: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Return the trajectories, shape `(B, T+1, 2**N)`.

    Every step applies scipy's truncated Taylor series of the exponential (Al-Mohy and Higham, SIAM J. Sci. Comput. 33,
    488 (2011)) to a sparse matrix built from the Pauli strings: no diagonalisation, no QuSpin.
    """
    from scipy.sparse.linalg import expm_multiply

    generator = -1j * hamiltonian.to_sparse() * float(times[1] - times[0])
    columns = [states.T]
    for _ in times[1:]:
        columns.append(expm_multiply(generator, columns[-1], traceA=complex(generator.diagonal().sum())))
    return np.stack(columns, axis=0).transpose(2, 0, 1)
