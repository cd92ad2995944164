"""The matrix-free operator, on a CPU by the compiled kernel, elsewhere by torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pauli_kernels import _bits
from pauli_kernels._product import spectrum, vectors
from pauli_kernels._product.compiled import CompiledKernel, compile_loops
from pauli_kernels._product.device import DeviceKernel
from pauli_kernels._product.lanes import RUN
from pauli_kernels._product.spectrum import Interval
from pauli_kernels._strings import checked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pauli_kernels._strings import Triple

LARGEST_IN_CACHE = 2**18
"""Amplitudes of all vectors of a state that one thread makes by itself."""

LARGEST_ALONE = 2**13
"""Dimension up to which one thread is as fast as all for a state that has no companions."""


class PauliOperator:
    """A sum of Pauli strings `H = sum_k coefficient_k string_k` that acts on batches of states; no matrix is stored.

    Pauli matrices, not spin halves; hbar = 1. Site 0 is the most significant bit of the index of an amplitude. All
    loops are compiled, or read from the disk, when the first operator of a dtype is made.

    Args:
        size: number of spins N.
        terms: triples `(coefficient, letters, sites)`, such as `(0.5, "XZ", (0, 3))`.
        dtype: of the states, complex128 or complex64.
        device: "cpu" takes the compiled kernel, any other torch's operations.
        threads: number of CPU threads.

    Attributes:
        size: number of spins.
        dimension: number of amplitudes of a state, `2**N`.
        lower, upper: rigorous bounds of the spectrum: those of the diagonal and the sum of all other coefficients.

    Raises:
        ValueError: terms that are no Hermitian sum of Pauli strings on `size` spins.
    """

    def __init__(
        self,
        size: int,
        terms: Iterable[Triple],
        dtype: torch.dtype = torch.complex128,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        strings = checked(size, terms)
        self.size, self.dimension = size, _bits.dimension(size)
        self.dtype, self.device, self.threads = dtype, device, threads
        self._kernel: CompiledKernel | DeviceKernel
        if device == "cpu":
            compile_loops(dtype)
            self._kernel = CompiledKernel(size, strings, dtype, threads)
        else:
            self._kernel = DeviceKernel(size, strings, dtype, device)
        energies = self._kernel.diagonal
        # A string that flips spins has norm 1.
        others = sum(abs(term.coefficient) for term in strings if not term.is_diagonal)
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
        return vectors.orthogonalise(before, new)

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
        kept = torch.empty(group, max(2, rows), self.dimension, dtype=self.dtype, device=states.device)
        for begin in range(0, len(states), group):
            part = slice(begin, begin + group)
            for k in range(terms):
                slot, now = k % rows, kept[: len(states[part])]
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

    def spectral_interval(self, action: float) -> Interval:
        """Return an interval that holds the spectrum, for an evolution whose `|time|` adds up to `action`.

        Its ends are those of the spectrum for few spins, else the smallest and largest Ritz value of a Lanczos run,
        moved outwards by the norm of its residual (Zhou and Li, Linear Algebra Appl. 435, 480 (2011), which is safe in
        practice rather than proven). They never lie beyond the rigorous bounds `lower` and `upper`, which are taken as
        they are where the evolution is shorter than the run would be.
        """
        lower, upper = self.lower, self.upper
        largest = max(abs(lower), abs(upper))
        steps = spectrum.steps_of(action, upper - lower)
        if self.dimension <= spectrum.LARGEST_DENSE:
            identity = torch.eye(self.dimension, dtype=self.dtype, device=self.device)
            matrix = torch.empty_like(identity)
            self.apply(identity, matrix)
            # Rows hold what H makes of basis states: the transpose, with the same spectrum.
            energies = np.linalg.eigvalsh(matrix.to("cpu", torch.complex128).numpy())
            slack = 8 * torch.finfo(self.dtype).eps * largest
            lower, upper = max(lower, energies[0] - slack), min(upper, energies[-1] + slack)
        elif steps >= spectrum.FEWEST:
            generator = torch.Generator().manual_seed(0)
            start = torch.randn(1, self.dimension, dtype=self.dtype, generator=generator).to(self.device)
            smallest, greatest, residual = spectrum.ritz_values(self.apply, start, steps, 1e-6 * largest)
            lower, upper = max(lower, smallest - residual), min(upper, greatest + residual)
        # Without a width (H a multiple of 1) any radius will do.
        return Interval((lower + upper) / 2, max((upper - lower) / 2, np.finfo(float).tiny * 1e20))

    @staticmethod
    def norms(states: torch.Tensor) -> NDArray[np.float64]:
        """Return the 2-norms of states `(B, 2**N)`, shape `(B,)`."""
        return vectors.norms(states)
