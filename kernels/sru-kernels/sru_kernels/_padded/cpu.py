"""Rollouts of the `padded` network on a CPU: compiled, nothing allocated per step, no Python between steps.

Matrix products go to the BLAS of scipy, which numba calls without Python; all else is fused into one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
import torch

from sru_kernels._compiled import OPTIONS
from sru_kernels._scan.sigmoid import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sru_kernels._padded.folded import FoldedPadded


class CompiledPaddedRollout:
    """Steps a batch of states; see `Rollout`.

    Args:
        folded: the network for one size, on the CPU.
        states: initial states, complex128, shape `(B, 2**N)`.
    """

    def __init__(self, folded: FoldedPadded, states: torch.Tensor) -> None:
        batch, (layers, width) = len(states), folded.biases.shape[::2]
        # The three products of a layer become one, and every matrix stands as its product reads it.
        weights = folded.weights.reshape(layers, 3 * width, width).transpose(1, 2)
        self._tables = tuple(
            table.contiguous().numpy()
            for table in (folded.encoder.T, weights, folded.biases, folded.peepholes, folded.decoder.T)
        )
        self._psi = torch.view_as_real(states).flatten(1).clone(memory_format=torch.contiguous_format).numpy()
        self._memories = np.empty((layers, batch, width), np.float32)
        self._fresh = True
        self._started = False

    def advance(self, block: torch.Tensor, every: int = 1) -> None:
        """Fill a contiguous block `(B, k, 2**N)` with the next times, the first of all being the initial states."""
        out: NDArray[np.float64] = torch.view_as_real(block).flatten(2).numpy()
        _advance(self._psi, self._memories, self._tables, out, every, self._fresh, self._started)
        self._fresh = self._fresh and not self._started and block.shape[1] == 1
        self._started = True


@numba.njit(**OPTIONS)
def _advance(psi, memories, tables, out, every, fresh, started):
    encoder, weights, biases, peepholes, decoder = tables
    layers, batch, width = memories.shape
    now = psi.astype(np.float32)
    x = np.empty((batch, width), np.float32)
    u = np.empty((batch, 3 * width), np.float32)
    change = np.empty(psi.shape, np.float32)
    for column in range(out.shape[1]):
        for _ in range(every if started or column > 0 else 0):
            _product(now, encoder, x)
            for layer in range(layers):
                _product(x, weights[layer], u)
                _cells(x, u, biases[layer], peepholes[layer], memories[layer], fresh)
            _product(x, decoder, change)
            _add(psi, change, now)
            fresh = False
        out[:, column] = psi


@numba.njit(**OPTIONS)
def _product(a, b, out):
    """Write `a @ b`; a single row is a product of matrix and vector, which reads b once and packs nothing."""
    if len(a) == 1:
        np.dot(a[0], b, out[0])
    else:
        np.dot(a, b, out)


@numba.njit(**OPTIONS)
def _cells(x, u, bias, peephole, memory, fresh):
    """Take one layer a step on; `x` holds its inputs before and its outputs after."""
    batch, width = x.shape
    for sample in range(batch):
        ws, ps, qs = u[sample, :width], u[sample, width : 2 * width], u[sample, 2 * width :]
        xs, ms = x[sample], memory[sample]
        if fresh:
            for d in range(width):
                ms[d] = ws[d] + bias[0, d]
        for d in range(width):
            w = ws[d] + bias[0, d]
            before = ms[d]
            f = sigmoid(ps[d] + bias[1, d] + peephole[0, d] * before)
            r = sigmoid(qs[d] + bias[2, d] + peephole[1, d] * before)
            after = w + f * (before - w)
            ms[d] = after
            xs[d] += r * (after - xs[d])


@numba.njit(**OPTIONS)
def _add(psi, change, now):
    """Add the change, normalise, and round to what the network reads."""
    for sample in range(len(psi)):
        state = psi[sample]
        norm = 0.0
        for component in range(len(state)):
            state[component] += change[sample, component]
            norm += state[component] ** 2
        factor = 1 / np.sqrt(norm)
        for component in range(len(state)):
            state[component] *= factor
            now[sample, component] = np.float32(state[component])
