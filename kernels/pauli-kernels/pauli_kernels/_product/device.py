"""The matrix-free product in torch, for a GPU: flips and signs are views of the states; only H's diagonal is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pauli_kernels import _bits
from pauli_kernels._strings import diagonal, groups_by_flip

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from pauli_kernels._strings import Signs, Term


class DeviceKernel:
    """What `PauliOperator` does on a device: every operation is torch's own."""

    def __init__(self, size: int, terms: Iterable[Term], dtype: torch.dtype, device: str) -> None:
        groups = groups_by_flip(size, terms)
        dim = _bits.dimension(size)
        self.diagonal = torch.from_numpy(diagonal(groups.get(0, ()), dim)).to(device, dtype.to_real())
        self._flips = [_Flip(mask, group, dim, dtype, device) for mask, group in groups.items() if mask and group]
        self.passes = 1.0 + len(self._flips)

    def apply(
        self,
        x: torch.Tensor,
        out: torch.Tensor,
        alpha: float,
        shift: float,
        previous: torch.Tensor | None,
        beta: float,
        rotate: bool,
    ) -> None:
        """Write the product; see `PauliOperator.apply`."""
        total = (self.diagonal - shift) * x
        for flip in self._flips:
            flip.add(x, total)
        total *= -1j * alpha if rotate else alpha
        if previous is not None and beta != 0:
            total += beta * previous
        out.copy_(total)

    def combine(
        self,
        vectors: torch.Tensor,
        coefficients: NDArray[np.float64],
        phases: NDArray[np.complex128],
        out: torch.Tensor,
        add: bool,
    ) -> None:
        """Write or add combinations; see `PauliOperator.combine`."""
        weights = torch.from_numpy(coefficients).to(out.device, out.dtype.to_real())
        reals = torch.view_as_real(vectors).flatten(2)
        total = torch.view_as_complex(torch.matmul(weights, reals).view(*out.shape, 2))
        total *= torch.from_numpy(phases).to(out.device, out.dtype)[:, None]
        if add:
            out += total
        else:
            out.copy_(total)


class _Flip:
    """Strings with the same flips: a state is viewed with an axis of length 2 for every bit that they flip or sign."""

    def __init__(self, mask: int, group: list[Signs], dim: int, dtype: torch.dtype, device: str) -> None:
        involved = mask
        for signed, _ in group:
            involved |= signed
        bits = []
        while involved:
            bits.append(_bits.highest_bit(involved))
            involved ^= bits[-1]
        self._shape: list[int] = []
        above = dim
        for bit in bits:
            self._shape += [above // (2 * bit), 2]
            above = bit
        self._shape.append(above)
        self._axes = [2 * place + 2 for place, bit in enumerate(bits) if mask & bit]

        factors = torch.zeros(1, dtype=torch.complex128)
        for signed, coefficient in group:
            factor = torch.full([1] * len(self._shape), coefficient, dtype=torch.complex128)
            for place, bit in enumerate(bits):
                if signed & bit:
                    axis = [1] * len(self._shape)
                    axis[2 * place + 1] = 2
                    factor = factor * torch.tensor([1.0, -1.0], dtype=torch.float64).view(axis)
            factors = factors + factor
        # All of a group's coefficients are real, or all are imaginary.
        self._factors = factors.to(device, dtype) if factors.imag.any() else factors.real.to(device, dtype.to_real())

    def add(self, x: torch.Tensor, total: torch.Tensor) -> None:
        """Add what the strings make of `x` to `total`; both of shape `(B, 2**N)`, the latter contiguous."""
        flipped = x.reshape(len(x), *self._shape).flip(self._axes)
        total.view(flipped.shape).addcmul_(self._factors.to(total.dtype), flipped)
