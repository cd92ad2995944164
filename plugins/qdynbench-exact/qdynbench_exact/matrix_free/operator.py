"""The matrix-free operator, on a CPU by the compiled kernel, elsewhere by torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from qdynbench import basis
from qdynbench_exact.matrix_free.compiled import CompiledKernel, compile_loops
from qdynbench_exact.matrix_free.device import DeviceKernel
from qdynbench_exact.matrix_free.lanes import RUN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench import PauliSum

LARGEST_IN_CACHE = 2**18
"""Amplitudes of all vectors of a state that one thread makes by itself."""

LARGEST_ALONE = 2**13
"""Dimension up to which one thread is as fast as all for a state that has no companions."""


def norms_of(states: torch.Tensor) -> NDArray[np.float64]:
    """Return the 2-norms of states `(B, 2**N)`, shape `(B,)`."""
    # As reals: torch's norm of complex numbers takes 25 times as long.
    norms = torch.linalg.vector_norm(torch.view_as_real(states).flatten(1), dim=1)
    numbers: NDArray[np.float64] = norms.to("cpu", torch.float64).numpy()
    return numbers


class MatrixFree:
    """`H psi` for batches of states, from the Pauli strings of H; hbar = 1.

    Args:
        hamiltonian: the sum of Pauli strings.
        dtype: of the states, complex128 or complex64.
        device: "cpu" takes the compiled kernel, any other torch's operations.
        threads: number of CPU threads.

    Attributes:
        size: number of spins.
        lower, upper: rigorous bounds of the spectrum: those of the diagonal and the sum of all other coefficients.
    """

    def __init__(
        self, hamiltonian: PauliSum, dtype: torch.dtype = torch.complex128, device: str = "cpu", threads: int = 1
    ) -> None:
        self.size = hamiltonian.size
        self.dimension = basis.dimension(hamiltonian.size)
        self.dtype, self.device, self.threads = dtype, device, threads
        self._kernel: CompiledKernel | DeviceKernel
        if device == "cpu":
            compile_loops(dtype)
            self._kernel = CompiledKernel(hamiltonian, dtype, threads)
        else:
            self._kernel = DeviceKernel(hamiltonian, dtype, device)
        energies = self._kernel.diagonal
        # A string that flips spins has norm 1.
        others = sum(abs(t.coefficient) for t in hamiltonian.terms if set(t.paulis) != {"Z"})
        self.lower, self.upper = float(energies.min()) - others, float(energies.max()) + others

    @property
    def passes(self) -> float:
        """Reads of a state that one product takes from the cache, on average: the measure of its work."""
        return self._kernel.passes

    def apply(
        self,
        x: torch.Tensor,
        out: torch.Tensor,
        *,
        alpha: float = 1.0,
        shift: float = 0.0,
        previous: torch.Tensor | None = None,
        beta: float = 0.0,
        rotate: bool = False,
    ) -> None:
        """Write `alpha (H - shift) x + beta previous` to `out`, or `-i alpha (H - shift) x + beta previous`.

        Args:
            x: shape `(B, 2**N)`; the states may lie apart (rows of a larger array), amplitudes may not.
            out: as `x`, no part of it.
            alpha: real factor.
            shift: subtracted from H.
            previous: as `x`; it may be `out`.
            beta: real factor; 0 leaves `previous` unread.
            rotate: whether to multiply by -i.

        Raises:
            ValueError: an array of another shape or type, or with gaps between amplitudes.
        """
        for array in (x, out, out if previous is None else previous):
            if array.shape != (len(x), self.dimension) or array.dtype != self.dtype or array.stride(1) != 1:
                raise ValueError(
                    f"states must be {self.dtype} of shape (B, {self.dimension}) with neighbouring amplitudes, "
                    f"not {array.dtype} of shape {tuple(array.shape)} and strides {array.stride()}"
                )
        self._kernel.apply(x, out, alpha, shift, previous, beta, rotate)

    def combine(
        self,
        vectors: torch.Tensor,
        coefficients: NDArray[np.float64],
        phases: NDArray[np.complex128],
        out: torch.Tensor,
        *,
        add: bool = False,
    ) -> None:
        """Write or add `phases[j] * sum_k coefficients[j, k] vectors[b, k]` to `out[b, j]`.

        Args:
            vectors: shape `(B, K, 2**N)`, without gaps in a state's rows.
            coefficients: shape `(m, K)`.
            phases: shape `(m,)`.
            out: shape `(B, m, 2**N)`, contiguous.
            add: whether to add.
        """
        self._kernel.combine(vectors, coefficients, phases, out, add)

    def orthogonalise(self, before: torch.Tensor, new: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Make `new` orthogonal to orthonormal vectors: once, and again where that took away most of it.

        Twice is enough (Daniel, Gragg, Kaufman and Stewart, Math. Comp. 30, 772 (1976)).

        Args:
            before: shape `(B, K, 2**N)`, without gaps between amplitudes.
            new: shape `(B, 2**N)`, as well; written to.

        Returns:
            The real part of the component along the last vector of `before`, and the norm of what is left; `(B,)`.
        """
        if isinstance(self._kernel, CompiledKernel) and self.dimension >= RUN:
            return self._kernel.orthogonalise(before, new)
        components = np.zeros(len(new))
        for again in (False, True):
            overlaps = torch.matmul(before, new.conj()[:, :, None]).conj()
            new -= torch.matmul(overlaps.transpose(1, 2), before)[:, 0]
            components += overlaps[:, -1, 0].real.to("cpu", torch.float64).numpy()
            norms = norms_of(new)
            if again or bool((norms_of(overlaps[:, :, 0].resolve_conj()) <= norms).all()):
                break
        return components, norms

    def expand(
        self,
        states: torch.Tensor,
        coefficients: NDArray[np.float64],
        phases: NDArray[np.complex128],
        out: torch.Tensor,
        *,
        scale: float,
        shift: float,
        rows: int,
    ) -> None:
        """Write `phases[j] * sum_k coefficients[j, k] S_k[b]` to `out[b, j]`, of `S_k = (-i)^k T_k(scale (H - shift))`.

        `S_0 = psi`, `S_1 = -i scale (H - shift) psi`, `S_{k+1} = -2i scale (H - shift) S_k + S_{k-1}`.

        Args:
            states: shape `(B, 2**N)`, contiguous.
            coefficients: shape `(m, K)`.
            phases: shape `(m,)`.
            out: shape `(B, m, 2**N)`, contiguous.
            scale: one over the half-width of the interval that holds the spectrum.
            shift: the interval's centre.
            rows: how many vectors `S_k` of a state may be kept, at least 2; small states go by the cache instead.
        """
        terms = coefficients.shape[1]
        alone = len(states) < self.threads and self.dimension > LARGEST_ALONE
        if isinstance(self._kernel, CompiledKernel) and terms * self.dimension <= LARGEST_IN_CACHE and not alone:
            self._kernel.expand(states, coefficients, phases, out, scale, shift)
            return
        rows = min(rows, terms)
        group = len(states) if self.device != "cpu" else 1
        vectors = torch.empty(group, max(2, rows), self.dimension, dtype=self.dtype, device=states.device)
        for begin in range(0, len(states), group):
            part = slice(begin, begin + group)
            for k in range(terms):
                slot, now = k % rows, vectors[: len(states[part])]
                if k == 0:
                    now[:, 0] = states[part]
                else:
                    alpha, beta = (scale, 0.0) if k == 1 else (2 * scale, 1.0)
                    # With two rows the new vector takes the place of the one before the last.
                    previous = None if k == 1 else now[:, (k - 2) % rows]
                    self.apply(
                        now[:, (k - 1) % rows], now[:, slot],
                        alpha=alpha, shift=shift, previous=previous, beta=beta, rotate=True,
                    )  # fmt: skip
                if slot == rows - 1 or k == terms - 1:
                    weights = np.ascontiguousarray(coefficients[:, k - slot : k + 1])
                    self.combine(now[:, : slot + 1], weights, phases, out[part], add=k > slot)
