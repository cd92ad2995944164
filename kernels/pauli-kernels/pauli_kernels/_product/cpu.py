"""The matrix-free product on the CPU, compiled by numba: ranges of panels and states, registers across a run.

Arrays are flat views of the reals of complex states; a place is an offset in reals. One pass makes
`alpha (H - shift) x + beta previous`, or with `rotate` that with -i before alpha: x is read for every flip, `previous`
and the result are touched once.

A flip that leaves the panel reads its partner panel from end to end. Several flips by powers of two in one run would
meet in the same few lines of the cache, so few of them at a time are added to a panel of sums.
"""

from __future__ import annotations

import numba
import numpy as np

from pauli_kernels._product import lanes
from pauli_kernels._product.lanes import REALS, RUN
from pauli_kernels._product.sorting import NEAR_PANELS
from pauli_kernels._threads import OPTIONS

FUSED = 4
"""Flips that leave the panel in one pass over its sums: 3 to 6 are equally fast."""

AHEAD = 32
"""Runs: how far ahead what is written, and the diagonal, are asked for. A state is asked for before the first flip that
reads it. The processor's own guesses fail where so many streams cross."""


FEW = 2
"""Combinations of the same vectors that are not worth putting the vectors side by side."""


@numba.njit(**OPTIONS)
def sign_of(index, mask):
    """Return -1.0 where an odd number of bits of `index & mask` is set, else 1.0."""
    bits = index & mask
    bits ^= bits >> 32
    bits ^= bits >> 16
    bits ^= bits >> 8
    bits ^= bits >> 4
    return 1.0 - 2.0 * ((0x6996 >> (bits & 15)) & 1)


@numba.njit(**OPTIONS)
def _scratch(near):
    """Return memory for one panel: its sums, its uniform flips with their factors, and the signs of groups."""
    real = near.diagonal.dtype
    return (
        np.empty(near.runs * REALS if near.leaving > FUSED else 0, real),
        np.empty(near.flip_count, np.int64),
        np.empty(near.flip_count, real),
        np.empty(near.sign_count, real),
    )


@numba.njit(inline="always", **OPTIONS)
def _active_flips(near, table, numbers, flips, factors, panel_signs, panel):
    """List the uniform flips whose factor in this panel is not zero; return how many leave it, and their number."""
    leaving, active = 0, 0
    for e in range(near.flip_count):
        factor = 0.0
        for t in range(lanes.at(table, near.flip_start + e), lanes.at(table, near.flip_start + e + 1)):
            factor += lanes.at(numbers, near.flip_factors + t) * sign_of(panel, lanes.at(table, near.flip_signs + t))
        if factor != 0:
            flips[active] = lanes.at(table, near.flips + e)
            factors[active] = factor
            active += 1
            if e < near.leaving:
                leaving = active
    for e in range(near.sign_count):
        panel_signs[e] = sign_of(panel, lanes.at(table, near.panel_signs + e))
    return leaving, active


@numba.njit(**OPTIONS)
def _sum_apart(runs, begin, sums, flips, factors, apart, x, x_at):
    """Write the sums of the first `apart` flips for all runs of a panel."""
    for first in range(0, apart, FUSED):
        for r in range(runs):
            factor = lanes.splat(factors[first])
            total = lanes.times(factor, lanes.load(x, x_at + ((begin + r) ^ flips[first]) * REALS))
            if first > 0:
                total = lanes.plus(total, lanes.load(sums, r * REALS))
            for e in range(first + 1, min(first + FUSED, apart)):
                total = _add_flip(total, begin + r, e, flips, factors, x, x_at)
            lanes.store(sums, r * REALS, total)


@numba.njit(inline="always", **OPTIONS)
def _add_flip(total, here, e, flips, factors, x, x_at):
    """Add what flip e leads to the run `here`."""
    run = lanes.load(x, x_at + (here ^ lanes.at(flips, e)) * REALS)
    return lanes.plus(total, lanes.times(lanes.splat(lanes.at(factors, e)), run))


@numba.njit(inline="always", **OPTIONS)
def _field(own, numbers, at):
    """Return what flips of each of a run's four bits make of it."""
    total = lanes.times(lanes.splat(lanes.at(numbers, at)), lanes.exchange_neighbours(own))
    total = lanes.plus(total, lanes.times(lanes.splat(lanes.at(numbers, at + 1)), lanes.exchange_pairs(own)))
    total = lanes.plus(total, lanes.times(lanes.splat(lanes.at(numbers, at + 2)), lanes.exchange_fours(own)))
    return lanes.plus(total, lanes.times(lanes.splat(lanes.at(numbers, at + 3)), lanes.exchange_halves(own)))


@numba.njit(inline="always", **OPTIONS)
def _exchanged(run, kind):
    """Return the run with the reals of each chunk in the order `lane ^ kind`."""
    if kind == 1:
        run = lanes.exchange_parts(run)
    elif kind == 2:
        run = lanes.exchange_neighbours(run)
    elif kind == 3:
        run = lanes.exchange_both(run)
    return run


@numba.njit(**OPTIONS)
def _panels(near, scratch, first, last, x, x_at, previous, previous_at, out, out_at, alpha, beta, shift, rotate):
    """Write the panels `first` to `last` of the product; `previous` may be `out`."""
    sums, flips, factors, panel_signs = scratch
    diagonal, table, numbers, runs = near.diagonal, near.table, near.numbers, near.runs
    real = diagonal.dtype.type
    for panel in range(first, last):
        leaving, active = _active_flips(near, table, numbers, flips, factors, panel_signs, panel)
        apart, begin = max(0, leaving - FUSED), panel * runs
        if apart > 0:
            _sum_apart(runs, begin, sums, flips, factors, apart, x, x_at)
        for r in range(runs):
            here = begin + r
            lanes.prefetch(x, x_at + (here + NEAR_PANELS * runs) * REALS)
            lanes.prefetch_to_write(out, out_at + (here + AHEAD) * REALS)
            lanes.prefetch(diagonal, (here + AHEAD) * RUN)
            energy = lanes.plus(lanes.load_twice(diagonal, here * RUN), lanes.splat(real(-shift)))
            own = lanes.load(x, x_at + here * REALS)
            total = lanes.times(energy, own)
            if apart > 0:
                total = lanes.plus(total, lanes.load(sums, r * REALS))
            if near.inside:
                total = lanes.plus(total, _field(own, numbers, near.field))
            for e in range(apart, active - 1, 2):
                total = _add_flip(total, here, e, flips, factors, x, x_at)
                total = _add_flip(total, here, e + 1, flips, factors, x, x_at)
            if (active - apart) % 2 == 1:
                total = _add_flip(total, here, active - 1, flips, factors, x, x_at)
            for e in range(lanes.at(table, near.row_start + r), lanes.at(table, near.row_start + r + 1)):
                sign = lanes.at(panel_signs, lanes.at(table, near.row_sign + e))
                run = lanes.load(x, x_at + (here ^ lanes.at(table, near.row_flips + e)) * REALS)
                factor = lanes.splat(lanes.at(numbers, near.row_factors + e) * sign)
                total = lanes.plus(total, lanes.times(factor, run))
            for e in range(lanes.at(table, near.lane_start + r), lanes.at(table, near.lane_start + r + 1)):
                place = x_at + (here ^ lanes.at(table, near.lane_flips + e)) * REALS
                run = lanes.load_permuted(x, place, lanes.at(table, near.lane_chunks + e))
                sign = lanes.splat(lanes.at(panel_signs, lanes.at(table, near.lane_sign + e)))
                vector = lanes.load(numbers, near.vectors + lanes.at(table, near.lane_vector + e))
                run = _exchanged(run, lanes.at(table, near.lane_kind + e))
                total = lanes.plus(total, lanes.times(lanes.times(sign, vector), run))
            if rotate:
                total = lanes.times_minus_i(total)
            total = lanes.times(lanes.splat(real(alpha)), total)
            if beta != 0:
                before = lanes.load(previous, previous_at + here * REALS)
                total = lanes.plus(total, lanes.times(lanes.splat(real(beta)), before))
            lanes.store(out, out_at + here * REALS, total)


@numba.njit(inline="always", **OPTIONS)
def count_panels(near):
    """Return the number of panels of a state."""
    return len(near.diagonal) // (near.runs * RUN)


@numba.njit(**OPTIONS)
def product(near, x, x_step, previous, previous_step, out, out_step, alpha, beta, shift, rotate, begin, end):
    """Apply `_panels` to the panels `begin` to `end`, counted through all states; `*_step` lie between states."""
    panels, scratch = count_panels(near), _scratch(near)
    while begin < end:
        b, first = begin // panels, begin % panels
        last = min(panels, first + end - begin)
        _panels(
            near, scratch, first, last, x, b * x_step, previous, b * previous_step, out, b * out_step,
            alpha, beta, shift, rotate,
        )  # fmt: skip
        begin += last - first


@numba.njit(**OPTIONS)
def combine(vectors, vector_step, coefficients, phases, out, out_at, out_step, add, begin, end):
    """Write or add `phases[j] * sum_k coefficients[j, k] vectors[k]` to row j of `out`, from run `begin` to `end`."""
    count = coefficients.shape[1]
    # Vectors at powers of two from each other meet in few lines of the first cache: their runs are put side by side.
    gather = len(coefficients) > FEW
    beside = np.empty(count * REALS if gather else 0, vectors.dtype)
    source, at, step = (beside, 0, REALS) if gather else (vectors, begin * REALS, vector_step)
    for run in range(begin, end):
        if gather:
            for k in range(count):
                lanes.store(beside, k * REALS, lanes.load(vectors, k * vector_step + run * REALS))
        else:
            at = run * REALS
        for j in range(0, len(coefficients) - 1, 2):
            vector = lanes.load(source, at)
            one = lanes.times(lanes.splat(coefficients[j, 0]), vector)
            two = lanes.times(lanes.splat(coefficients[j + 1, 0]), vector)
            for k in range(1, count):
                vector = lanes.load(source, at + k * step)
                one = lanes.plus(one, lanes.times(lanes.splat(coefficients[j, k]), vector))
                two = lanes.plus(two, lanes.times(lanes.splat(coefficients[j + 1, k]), vector))
            place = out_at + j * out_step + run * REALS
            _turned(one, phases, j, out, place, add)
            _turned(two, phases, j + 1, out, place + out_step, add)
        if len(coefficients) % 2 == 1:
            j = len(coefficients) - 1
            one = lanes.times(lanes.splat(coefficients[j, 0]), lanes.load(source, at))
            for k in range(1, count):
                one = lanes.plus(one, lanes.times(lanes.splat(coefficients[j, k]), lanes.load(source, at + k * step)))
            _turned(one, phases, j, out, out_at + j * out_step + run * REALS, add)


@numba.njit(inline="always", **OPTIONS)
def _turned(total, phases, j, out, place, add):
    """Write or add `phases[j] total`."""
    turned = lanes.times(lanes.splat(-phases[j, 1]), lanes.times_minus_i(total))
    total = lanes.plus(turned, lanes.times(lanes.splat(phases[j, 0]), total))
    if add:
        total = lanes.plus(total, lanes.load(out, place))
    lanes.store(out, place, total)


@numba.njit(**OPTIONS)
def _expand_state(near, scratch, vectors, reals, x, x_at, scale, shift, coefficients, phases, out, out_at):
    """Evolve one state, all in the first two caches; `reals` is twice its dimension, which may be less than a run's."""
    width, terms = 2 * len(near.diagonal), coefficients.shape[1]
    for place in range(width):
        vectors[place] = x[x_at + place] if place < reals else 0
    for k in range(1, terms):
        alpha, beta = (scale, 0.0) if k == 1 else (2 * scale, 1.0)
        before = max(0, k - 2) * width
        _panels(
            near, scratch, 0, count_panels(near), vectors, (k - 1) * width, vectors, before, vectors, k * width,
            alpha, beta, shift, True,
        )  # fmt: skip
    whole = reals == width
    target = out if whole else np.empty(len(coefficients) * REALS, x.dtype)
    at, step = (out_at, reals) if whole else (0, REALS)
    combine(vectors, width, coefficients, phases, target, at, step, False, 0, width // REALS)
    if not whole:
        for place in range(len(coefficients) * reals):
            out[out_at + place] = target[place // reals * REALS + place % reals]


@numba.njit(**OPTIONS)
def expand(near, reals, x, scale, shift, coefficients, phases, out, begin, end):
    """Evolve the states `begin` to `end`, without gaps between them, one by one; see `PauliOperator.expand`."""
    vectors = np.empty(2 * len(near.diagonal) * coefficients.shape[1], x.dtype)
    scratch, step = _scratch(near), len(coefficients) * reals
    for b in range(begin, end):
        _expand_state(near, scratch, vectors, reals, x, b * reals, scale, shift, coefficients, phases, out, b * step)
