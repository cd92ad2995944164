"""An interval that holds the spectrum of H, as narrow as a few products make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from qdynbench_exact.matrix_free.operator import norms_of

if TYPE_CHECKING:
    from qdynbench_exact.matrix_free.operator import MatrixFree

LARGEST_DENSE = 128
"""Dimension up to which the spectrum itself is computed: a millisecond."""

SHARE = 0.1
"""Of the products that the evolution takes: what narrower bounds may cost."""

FEWEST, MOST = 8, 40
"""Lanczos steps; fewer give nothing."""


@dataclass(frozen=True)
class Interval:
    """The spectrum lies between `centre - radius` and `centre + radius`."""

    centre: float
    radius: float


def spectral_interval(operator: MatrixFree, action: float) -> Interval:
    """Return an interval for an evolution whose times (in absolute value) add up to `action`.

    Its ends are those of the spectrum for few spins, else the smallest and largest Ritz value of a Lanczos run, moved
    outwards by the norm of its residual (Zhou and Li, Linear Algebra Appl. 435, 480 (2011), which is safe in practice
    rather than proven). They never lie beyond the rigorous bounds of the operator, which are taken as they are where
    the evolution is shorter than the run would be.
    """
    lower, upper = operator.lower, operator.upper
    steps = int(min(MOST, SHARE * action * (upper - lower)))
    if operator.dimension <= LARGEST_DENSE:
        identity = torch.eye(operator.dimension, dtype=operator.dtype, device=operator.device)
        matrix = torch.empty_like(identity)
        operator.apply(identity, matrix)
        # Rows hold what H makes of basis states: the transpose, with the same spectrum.
        energies = np.linalg.eigvalsh(matrix.to("cpu", torch.complex128).numpy())
        slack = 8 * torch.finfo(operator.dtype).eps * max(abs(lower), abs(upper))
        lower, upper = max(lower, energies[0] - slack), min(upper, energies[-1] + slack)
    elif steps >= FEWEST:
        smallest, largest, residual = _ritz_values(operator, steps)
        lower, upper = max(lower, smallest - residual), min(upper, largest + residual)
    # Without a width (H a multiple of 1) any radius will do.
    return Interval((lower + upper) / 2, max((upper - lower) / 2, np.finfo(float).tiny * 1e20))


def _ritz_values(operator: MatrixFree, steps: int) -> tuple[float, float, float]:
    """Return the smallest and largest Ritz value and the norm of the residual after `steps` from a random vector."""
    generator = torch.Generator().manual_seed(0)
    now = torch.randn(1, operator.dimension, dtype=operator.dtype, generator=generator).to(operator.device)
    now /= float(norms_of(now)[0])
    before, product = torch.zeros_like(now), torch.empty_like(now)
    alphas, betas = [], [0.0]
    for _ in range(steps):
        operator.apply(now, product, previous=before, beta=-betas[-1])
        alphas.append(float(torch.sum(now.conj() * product).real))
        product -= alphas[-1] * now
        betas.append(float(norms_of(product)[0]))
        if betas[-1] < 1e-6 * max(abs(operator.lower), abs(operator.upper)):
            break
        before, now, product = now, product / betas[-1], before
    values = np.linalg.eigvalsh(np.diag(alphas) + np.diag(betas[1:-1], 1) + np.diag(betas[1:-1], -1))
    return float(values[0]), float(values[-1]), betas[-1]
