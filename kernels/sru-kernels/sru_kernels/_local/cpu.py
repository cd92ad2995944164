"""Rollouts of the `local` network on a CPU: compiled, nothing allocated per step, no Python between steps.

Everything lies in tiles of `LANES` neighbouring amplitudes, and every inner loop runs over the lanes of a tile: a loop
of constant length over contiguous numbers, which becomes vector instructions. A small state does not fill a tile;
several samples share one then. The tables that belong to the basis states of a tile are used for a group of samples
while they lie in the cache.

Samples are independent of each other, so a thread takes a group of them through all steps without waiting for others.
Where there are fewer samples than threads, the threads share out the tiles instead, and meet twice a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
import torch

from sru_kernels._compiled import OPTIONS, side_by_side, threads
from sru_kernels._scan.sigmoid import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sru_kernels._local.folded import FoldedLocal

LANES = 32
"""Amplitudes of a tile; their tables, 20 numbers for each channel, leave room in a core's first cache."""
GROUP = 8
"""Tiles of different samples that a thread takes along with one tile's tables."""
SHARED = 64
"""Fewest tiles of a state that are worth meeting for."""
# Rows of a tile's scratch space.
_REAL, _IMAGINARY, _FLIP_REAL, _FLIP_IMAGINARY, _CHANGE_REAL, _CHANGE_IMAGINARY, _GATES, _CHANNELS = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    9,
)


class CompiledLocalRollout:
    """Steps a batch of states; see `Rollout`.

    Args:
        folded: the network for one size, on the CPU.
        states: initial states, complex128, shape `(B, 2**N)`.
    """

    def __init__(self, folded: FoldedLocal, states: torch.Tensor) -> None:
        batch, dimension = states.shape
        layers, _, width = folded.peepholes.shape
        self._tables = tables(folded)
        own = min(dimension, LANES)
        self._shared = LANES // own
        """Samples in a tile."""
        tiles, rows = -(-dimension // LANES), -(-batch // self._shared)
        # Lanes without a sample of their own repeat the last one: they are computed, and never read.
        which = torch.arange(rows * self._shared).clamp_max(batch - 1)
        lanes = states[which].view(rows, self._shared, tiles, own).permute(0, 2, 1, 3).reshape(rows, tiles, LANES)
        parts = torch.view_as_real(lanes).transpose(2, 3)
        self._psi: NDArray[np.float64] = parts.clone(memory_format=torch.contiguous_format).numpy()
        self._now = self._psi.astype(np.float32)
        self._memories = np.empty((rows, tiles, layers * width * LANES), np.float32)
        self._fresh = True
        self._started = False

    def advance(self, block: torch.Tensor, every: int = 1) -> None:
        """Fill a contiguous block `(B, k, 2**N)` with the next times, the first of all being the initial states."""
        out: NDArray[np.float64] = torch.view_as_real(block).numpy()
        rows, tiles = self._psi.shape[:2]
        with threads():
            count = numba.get_num_threads()
            ours = (self._psi, self._now, self._memories, self._tables, out, every, self._fresh, self._started)
            if rows < count and tiles >= SHARED:
                _by_tiles(*ours)
            else:
                group = max(1, min(GROUP, -(-rows // count)))
                _by_samples(-(-rows // group), *ours, group)
        self._fresh = self._fresh and not self._started and block.shape[1] == 1
        self._started = True


def tables(folded: FoldedLocal) -> tuple[NDArray[np.float32] | NDArray[np.int64], ...]:
    """Return the folded network tile by tile, repeated for every sample that shares a tile."""

    def tiled(table: torch.Tensor) -> NDArray[np.float32]:
        repeats = max(1, LANES // table.shape[-1])
        lanes = table.repeat(*(1,) * (table.ndim - 1), repeats).reshape(*table.shape[:-1], -1, LANES)
        result: NDArray[np.float32] = lanes.movedim(-2, 0).flatten(1).contiguous().numpy()
        return result

    return (
        tiled(folded.first.transpose(0, 1)),  # (tiles, D * 4 * 5 * LANES)
        tiled(folded.weights),  # (tiles, F * LANES)
        folded.flips.numpy(),
        folded.more_weights.numpy(),
        folded.more_biases.numpy(),
        folded.peepholes.numpy(),
        folded.decoder.numpy(),
    )


@side_by_side
def _by_samples(psi, now, memories, tables, out, every, fresh, started, group):
    rows, tiles, _, _ = psi.shape
    for task in numba.prange((rows + group - 1) // group):
        low, high = task * group, min(rows, task * group + group)
        scratch = _scratch(tables)
        norms = np.empty((high - low, LANES))
        first = fresh
        for column in range(out.shape[1]):
            for _ in range(every if started or column > 0 else 0):
                norms[:] = 0
                for tile in range(tiles):
                    for row in range(low, high):
                        _tokens(psi[row], now[row], memories[row, tile], tables, tile, first, scratch, norms[row - low])
                for row in range(low, high):
                    _invert(norms[row - low], out.shape[2])
                    for tile in range(tiles):
                        _normalise(psi[row, tile], now[row, tile], norms[row - low])
                first = False
            for row in range(low, high):
                for tile in range(tiles):
                    _write(psi[row, tile], row, tile, out, column)


@numba.njit(parallel=True, **OPTIONS)
def _by_tiles(psi, now, memories, tables, out, every, fresh, started):
    rows, tiles, _, _ = psi.shape
    parts, total = np.empty((tiles, LANES)), np.empty(LANES)
    first = fresh
    for column in range(out.shape[1]):
        for _ in range(every if started or column > 0 else 0):
            for row in range(rows):
                for tile in numba.prange(tiles):
                    parts[tile] = 0
                    scratch = _scratch(tables)
                    _tokens(psi[row], now[row], memories[row, tile], tables, tile, first, scratch, parts[tile])
                total[:] = parts.sum(0)
                _invert(total, out.shape[2])
                for tile in numba.prange(tiles):
                    _normalise(psi[row, tile], now[row, tile], total)
            first = False
        for row in range(rows):
            for tile in numba.prange(tiles):
                _write(psi[row, tile], row, tile, out, column)


@numba.njit(**OPTIONS)
def _scratch(tables):
    """Return room for a tile: see the names of its rows; outputs of this and of the next layer come last."""
    return np.empty((_CHANNELS + 2 * tables[5].shape[2]) * LANES, np.float32)


@numba.njit(**OPTIONS)
def _tokens(psi, now, memory, tables, tile, fresh, scratch, norms):
    """Take one tile a step on: add its change to `psi`, and the squares to `norms`."""
    first, weights, flips, more_weights, more_biases, peepholes, decoder = tables
    layers, _, width = peepholes.shape
    for lane in range(LANES):
        scratch[_REAL * LANES + lane] = now[tile, 0, lane]
        scratch[_IMAGINARY * LANES + lane] = now[tile, 1, lane]
        scratch[_FLIP_REAL * LANES + lane] = 0
        scratch[_FLIP_IMAGINARY * LANES + lane] = 0
        scratch[_CHANGE_REAL * LANES + lane] = 0
        scratch[_CHANGE_IMAGINARY * LANES + lane] = 0
    _flip_sums(now, weights[tile], flips, tile, scratch)
    _first_layer(scratch, memory, first[tile], peepholes[0], fresh)
    for layer in range(1, layers):
        _layer(
            scratch,
            memory[layer * width * LANES :],
            more_weights[layer - 1],
            more_biases[layer - 1],
            peepholes[layer],
            fresh,
        )
    for d in range(width):
        to_real, to_imaginary = decoder[0, d], decoder[1, d]
        for lane in range(LANES):
            output = scratch[(_CHANNELS + d) * LANES + lane]
            scratch[_CHANGE_REAL * LANES + lane] += to_real * output
            scratch[_CHANGE_IMAGINARY * LANES + lane] += to_imaginary * output
    for lane in range(LANES):
        real = psi[tile, 0, lane] + scratch[_CHANGE_REAL * LANES + lane]
        imaginary = psi[tile, 1, lane] + scratch[_CHANGE_IMAGINARY * LANES + lane]
        psi[tile, 0, lane], psi[tile, 1, lane] = real, imaginary
        norms[lane] += real * real + imaginary * imaginary


@numba.njit(**OPTIONS)
def _flip_sums(now, weights, flips, tile, scratch):
    """Add up the amplitudes some spin flips away, by their weights."""
    for flip in range(len(flips)):
        # The higher bits of a flip lead to another tile, the lower ones to another lane.
        inside = flips[flip] & (LANES - 1)
        there, weight = now[tile ^ (flips[flip] // LANES)], weights[flip * LANES : (flip + 1) * LANES]
        if inside == 0:
            for lane in range(LANES):
                scratch[_FLIP_REAL * LANES + lane] += weight[lane] * there[0, lane]
                scratch[_FLIP_IMAGINARY * LANES + lane] += weight[lane] * there[1, lane]
        else:
            for lane in range(LANES):
                scratch[_FLIP_REAL * LANES + lane] += weight[lane] * there[0, lane ^ inside]
                scratch[_FLIP_IMAGINARY * LANES + lane] += weight[lane] * there[1, lane ^ inside]


@numba.njit(**OPTIONS)
def _first_layer(scratch, memory, tables, peepholes, fresh):
    """Take the first layer a step on, from states and flip sums to outputs."""
    for d in range(peepholes.shape[1]):
        table = tables[d * 20 * LANES : (d + 1) * 20 * LANES]
        kept = memory[d * LANES : (d + 1) * LANES]
        output = scratch[(_CHANNELS + d) * LANES : (_CHANNELS + d + 1) * LANES]
        forget, skip = peepholes[0, d], peepholes[1, d]
        if fresh:  # not in the loop below: a condition there would end its vector instructions
            for lane in range(LANES):
                a, b = scratch[_REAL * LANES + lane], scratch[_IMAGINARY * LANES + lane]
                e, g = scratch[_FLIP_REAL * LANES + lane], scratch[_FLIP_IMAGINARY * LANES + lane]
                kept[lane] = _linear(table, 5, lane, a, b, e, g)
        for lane in range(LANES):
            a, b = scratch[_REAL * LANES + lane], scratch[_IMAGINARY * LANES + lane]
            e, g = scratch[_FLIP_REAL * LANES + lane], scratch[_FLIP_IMAGINARY * LANES + lane]
            x = _linear(table, 0, lane, a, b, e, g)
            w = _linear(table, 5, lane, a, b, e, g)
            p = _linear(table, 10, lane, a, b, e, g)
            q = _linear(table, 15, lane, a, b, e, g)
            before = kept[lane]
            f = sigmoid(p + forget * before)
            r = sigmoid(q + skip * before)
            after = w + f * (before - w)
            kept[lane] = after
            output[lane] = x + r * (after - x)


@numba.njit(inline="always")
def _linear(table, row, lane, a, b, e, g):
    """Return one row of the first layer's tables applied to (psi, phi, 1)."""
    return (
        table[row * LANES + lane] * a
        + table[(row + 1) * LANES + lane] * b
        + table[(row + 2) * LANES + lane] * e
        + table[(row + 3) * LANES + lane] * g
        + table[(row + 4) * LANES + lane]
    )


@numba.njit(**OPTIONS)
def _layer(scratch, memory, weights, biases, peepholes, fresh):
    """Take a deeper layer a step on; its inputs, in the scratch space, are replaced by its outputs."""
    width = weights.shape[1]
    inputs = scratch[_CHANNELS * LANES : (_CHANNELS + width) * LANES]
    outputs = scratch[(_CHANNELS + width) * LANES :]
    gates = scratch[_GATES * LANES : (_GATES + 3) * LANES]
    for d in range(width):
        for gate in range(3):
            row = gates[gate * LANES : (gate + 1) * LANES]
            row[:] = biases[gate, d]
            for e in range(width):
                weight = weights[gate, d, e]
                for lane in range(LANES):
                    row[lane] += weight * inputs[e * LANES + lane]
        kept = memory[d * LANES : (d + 1) * LANES]
        w, p, q = gates[:LANES], gates[LANES : 2 * LANES], gates[2 * LANES :]
        x, y = inputs[d * LANES : (d + 1) * LANES], outputs[d * LANES : (d + 1) * LANES]
        forget, skip = peepholes[0, d], peepholes[1, d]
        if fresh:
            kept[:] = w
        for lane in range(LANES):
            before = kept[lane]
            f = sigmoid(p[lane] + forget * before)
            r = sigmoid(q[lane] + skip * before)
            after = w[lane] + f * (before - w[lane])
            kept[lane] = after
            y[lane] = x[lane] + r * (after - x[lane])
    inputs[:] = outputs


@numba.njit(**OPTIONS)
def _invert(norms, dimension):
    """Replace sums of squares by one over the norm of the sample that a lane belongs to."""
    own = min(dimension, LANES)
    for start in range(0, LANES, own):
        norms[start : start + own] = 1 / np.sqrt(norms[start : start + own].sum())


@numba.njit(**OPTIONS)
def _normalise(psi, now, factors):
    for part in range(2):
        for lane in range(LANES):
            psi[part, lane] *= factors[lane]
            now[part, lane] = np.float32(psi[part, lane])


@numba.njit(**OPTIONS)
def _write(psi, row, tile, out, column):
    own = min(out.shape[2], LANES)
    shared = LANES // own
    for sample in range(row * shared, min(len(out), (row + 1) * shared)):
        start = (sample - row * shared) * own
        for lane in range(own):
            out[sample, column, tile * LANES + lane, 0] = psi[0, start + lane]
            out[sample, column, tile * LANES + lane, 1] = psi[1, start + lane]
