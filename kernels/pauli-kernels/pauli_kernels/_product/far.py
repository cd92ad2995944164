"""Flips between panels that lie far apart, compiled by numba; arrays as in `cpu`.

In one pass of `cpu` each of them would read another far panel, which no cache holds. Here a tile is copied to a place
of its own: the same few runs of all rows that the flips lead to. It is read from main memory once for all flips, and
while one tile is worked on the next is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from pauli_kernels._product import lanes
from pauli_kernels._product.cpu import sign_of
from pauli_kernels._product.lanes import REALS
from pauli_kernels._threads import OPTIONS

if TYPE_CHECKING:
    from pauli_kernels._product.sorting import Far

TILE_RUNS = 512
"""Runs of a tile at most: 128 kB."""

LONGEST_PIECE = 4
"""Runs of one row in a tile at most: 1 kB, which the processor can ask for by itself."""


def width_of(far: Far) -> int:
    """Return how many runs of each row a tile has."""
    return max(1, min(LONGEST_PIECE, TILE_RUNS // far.rows))


@numba.njit(**OPTIONS)
def _weigh(far, above, alpha, factors):
    """Write `alpha` times the factor of each flip in each row, for the panels with the bits `above` beyond the rows."""
    for row in range(far.rows):
        panel = (above * far.rows + row) * far.stride
        for e in range(len(far.flips)):
            factor = 0.0
            for t in range(far.flip_start[e], far.flip_start[e + 1]):
                factor += far.flip_factors[t] * sign_of(panel, far.flip_signs[t])
            factors[row, e] = alpha * factor


@numba.njit(**OPTIONS)
def _copy(far, width, step, x, x_at, out, out_at, tile):
    """Copy a tile, and ask for the places that it will be written to."""
    for row in range(far.rows):
        for w in range(width):
            place = row * step + w * REALS
            lanes.prefetch_to_write(out, out_at + place)
            lanes.store(tile, (row * width + w) * REALS, lanes.load(x, x_at + place))


@numba.njit(**OPTIONS)
def _add(far, width, step, factors, tile, x, next_at, previous, previous_at, out, out_at, beta, rotate):
    """Write one tile of the result, and ask for the tile of `x` at `next_at`, if that is not negative."""
    for row in range(far.rows):
        for w in range(width):
            place = row * step + w * REALS
            first = lanes.load(tile, ((row ^ far.flips[0]) * width + w) * REALS)
            total = lanes.times(lanes.splat(factors[row, 0]), first)
            for e in range(1, len(far.flips)):
                other = lanes.load(tile, ((row ^ far.flips[e]) * width + w) * REALS)
                total = lanes.plus(total, lanes.times(lanes.splat(factors[row, e]), other))
            if next_at >= 0:
                lanes.prefetch(x, next_at + place)
            if rotate:
                total = lanes.times_minus_i(total)
            if beta != 0:
                before = lanes.load(previous, previous_at + place)
                total = lanes.plus(total, lanes.times(lanes.splat(beta), before))
            lanes.store(out, out_at + place, total)


@numba.njit(**OPTIONS)
def add_far(
    far, width, panel_runs, tiles, x, x_step, previous, previous_step, out, out_step, alpha, beta, rotate, begin, end
):
    """Write `alpha F x + beta previous`, F the flips, with -i before alpha where `rotate`.

    To the tiles `begin` to `end`, counted through all states: a state has `tiles`, a row of a tile `width` runs.
    """
    real = x.dtype.type
    step = far.stride * panel_runs * REALS  # reals from row to row
    beside = far.stride * panel_runs // width  # tiles side by side in the rows
    tile = np.empty(far.rows * width * REALS, x.dtype)
    factors = np.empty((far.rows, len(far.flips)), x.dtype)
    known = -1
    for one in range(begin, end):
        b, place = one // tiles, one % tiles
        above, within = place // beside, place % beside
        if above != known:
            _weigh(far, above, alpha, factors)
            known = above
        at = above * far.rows * step + within * width * REALS
        after = -1
        if one + 1 < end:
            b_after, place = (one + 1) // tiles, (one + 1) % tiles
            after = b_after * x_step + place // beside * far.rows * step + place % beside * width * REALS
        _copy(far, width, step, x, b * x_step + at, out, b * out_step + at, tile)
        _add(
            far, width, step, factors, tile, x, after, previous, b * previous_step + at,
            out, b * out_step + at, real(beta), rotate,
        )  # fmt: skip
