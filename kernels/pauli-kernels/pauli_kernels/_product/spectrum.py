"""An interval that holds the spectrum of H, as narrow as a few products make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pauli_kernels._product.vectors import norms

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_DENSE = 128
"""Dimension up to which the spectrum itself is computed: a millisecond."""

SHARE = 0.1
"""Largest part of an evolution's products that may be spent on narrower bounds."""

FEWEST, MOST = 8, 40
"""Lanczos steps; fewer give nothing."""


@dataclass(frozen=True)
class Interval:
    """The spectrum lies between `centre - radius` and `centre + radius`."""

    centre: float
    radius: float


def steps_of(action: float, width: float) -> int:
    """Return how many Lanczos steps pay for an evolution of this action under an H with bounds so far apart."""
    return int(min(MOST, SHARE * action * width))


def ritz_values(apply: Callable[..., None], start: torch.Tensor, steps: int, negligible: float) -> tuple[float, ...]:
    """Run so many Lanczos steps, fewer where a residual is below `negligible`.

    Args:
        apply: as `PauliOperator.apply`.
        start: a random vector, shape `(1, 2**N)`; written to.
        steps: at least 1.
        negligible: norm of a residual that is rounding.

    Returns:
        The smallest and the largest Ritz value, and the norm of the last residual.
    """
    start /= float(norms(start)[0])
    now, before, product = start, torch.zeros_like(start), torch.empty_like(start)
    alphas, betas = [], [0.0]
    for _ in range(steps):
        apply(now, product, previous=before, beta=-betas[-1])
        alphas.append(float(torch.sum(now.conj() * product).real))
        product -= alphas[-1] * now
        betas.append(float(norms(product)[0]))
        if betas[-1] < negligible:
            break
        before, now, product = now, product / betas[-1], before
    values = np.linalg.eigvalsh(np.diag(alphas) + np.diag(betas[1:-1], 1) + np.diag(betas[1:-1], -1))
    return float(values[0]), float(values[-1]), betas[-1]
