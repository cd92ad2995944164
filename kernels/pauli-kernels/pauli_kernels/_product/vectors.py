"""What the product's batches of vectors need of torch, on any device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray


def norms(states: torch.Tensor) -> NDArray[np.float64]:
    """Return the 2-norms of states `(B, 2**N)`, shape `(B,)`."""
    # As reals: torch's norm of complex numbers takes 25 times as long.
    found = torch.linalg.vector_norm(torch.view_as_real(states).flatten(1), dim=1)
    numbers: NDArray[np.float64] = found.to("cpu", torch.float64).numpy()
    return numbers


def orthogonalise(before: torch.Tensor, new: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make vectors orthogonal; see `PauliOperator.orthogonalise`."""
    components = np.zeros(len(new))
    for again in (False, True):
        overlaps = torch.matmul(before, new.conj()[:, :, None]).conj()
        new -= torch.matmul(overlaps.transpose(1, 2), before)[:, 0]
        components += overlaps[:, -1, 0].real.to("cpu", torch.float64).numpy()
        left = norms(new)
        if again or bool((norms(overlaps[:, :, 0].resolve_conj()) <= left).all()):
            break
    return components, left
