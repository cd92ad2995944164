"""The matrix-free product on the CPU, compiled by numba: threads across blocks and states, registers across a run.

Arrays are flat views of the reals of complex states; a place is an offset in reals. One pass makes
`alpha (H - shift) x + beta previous`, or with `rotate` that with -i before alpha: x is read for every flip, `previous`
and the result are touched once.

A flip that leaves the block reads its partner block from end to end. Several flips by powers of two in one run would
meet in the same few lines of the cache, so few of them at a time are added to a block of sums.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np

from qdynbench_exact.matrix_free import lanes
from qdynbench_exact.matrix_free.lanes import REALS, RUN

OPTIONS: dict[str, Any] = {"cache": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
"""Machine code is kept on disk; no fast mathematics that would let a NaN disappear or regroup sums."""

FUSED = 4
"""Flips that leave the block in one pass over its sums: 3 to 6 are equally fast."""

CHUNKS = 64
"""Runs of a task of `combine`."""

_alone = threading.Lock()
_config: Any = numba.config

if _config.THREADING_LAYER == "default":
    # OpenMP's threads spin where they wait for each other, on cores that torch's own threads need; these sleep.
    _config.THREADING_LAYER = "workqueue"


@contextmanager
def pool(threads: int) -> Iterator[None]:
    """Let compiled loops use so many threads; one such block at a time, for numba's pool is not safe for more."""
    with _alone:
        numba.set_num_threads(max(1, min(threads, _config.NUMBA_NUM_THREADS)))
        yield


@numba.njit(**OPTIONS)
def _sign(index, mask):
    """Return -1.0 where an odd number of bits of `index & mask` is set, else 1.0."""
    bits = index & mask
    bits ^= bits >> 32
    bits ^= bits >> 16
    bits ^= bits >> 8
    bits ^= bits >> 4
    return 1.0 - 2.0 * ((0x6996 >> (bits & 15)) & 1)


@numba.njit(**OPTIONS)
def _scratch(program):
    """Return memory for one block: its sums, its uniform flips with their factors, and the signs of groups."""
    real = program.diagonal.dtype
    return (
        np.empty(program.runs * REALS if program.leaving > FUSED else 0, real),
        np.empty(len(program.flips), np.int64),
        np.empty(len(program.flips), real),
        np.empty(len(program.block_signs), real),
    )


@numba.njit(**OPTIONS)
def _active_flips(program, scratch, block):
    """List the uniform flips whose factor in this block is not zero; return how many leave it, and their number."""
    _, flips, factors, block_signs = scratch
    leaving, active = 0, 0
    for e in range(len(program.flips)):
        factor = 0.0
        for t in range(program.flip_start[e], program.flip_start[e + 1]):
            factor += program.flip_factors[t] * _sign(block, program.flip_signs[t])
        if factor != 0:
            flips[active] = program.flips[e]
            factors[active] = factor
            active += 1
            if e < program.leaving:
                leaving = active
    for e in range(len(program.block_signs)):
        block_signs[e] = _sign(block, program.block_signs[e])
    return leaving, active


@numba.njit(**OPTIONS)
def _sum_apart(runs, begin, scratch, apart, x, x_at):
    """Write the sums of the first `apart` flips for all runs of a block."""
    sums, flips, factors, _ = scratch
    for first in range(0, apart, FUSED):
        for r in range(runs):
            factor = lanes.splat(factors[first])
            total = lanes.times(factor, lanes.load(x, x_at + ((begin + r) ^ flips[first]) * REALS))
            if first > 0:
                total = lanes.plus(total, lanes.load(sums, r * REALS))
            for e in range(first + 1, min(first + FUSED, apart)):
                run = lanes.load(x, x_at + ((begin + r) ^ flips[e]) * REALS)
                total = lanes.plus(total, lanes.times(lanes.splat(factors[e]), run))
            lanes.store(sums, r * REALS, total)


@numba.njit(inline="always", **OPTIONS)
def _field(own, field):
    """Return what flips of each of a run's four bits make of it."""
    total = lanes.times(lanes.splat(field[0]), lanes.exchange_neighbours(own))
    total = lanes.plus(total, lanes.times(lanes.splat(field[1]), lanes.exchange_pairs(own)))
    total = lanes.plus(total, lanes.times(lanes.splat(field[2]), lanes.exchange_fours(own)))
    return lanes.plus(total, lanes.times(lanes.splat(field[3]), lanes.exchange_halves(own)))


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
def _block(program, scratch, block, x, x_at, previous, previous_at, out, out_at, alpha, beta, shift, rotate):
    """Write one block of the product; `previous` may be `out`."""
    sums, flips, factors, block_signs = scratch
    real = program.diagonal.dtype.type
    leaving, active = _active_flips(program, scratch, block)
    begin = block * program.runs
    apart = max(0, leaving - FUSED)
    _sum_apart(program.runs, begin, scratch, apart, x, x_at)
    inside = program.field.any()
    for r in range(program.runs):
        here = begin + r
        energy = lanes.plus(lanes.load_twice(program.diagonal, here * RUN), lanes.splat(real(-shift)))
        own = lanes.load(x, x_at + here * REALS)
        total = lanes.times(energy, own)
        if apart > 0:
            total = lanes.plus(total, lanes.load(sums, r * REALS))
        if inside:
            total = lanes.plus(total, _field(own, program.field))
        for e in range(apart, active):
            run = lanes.load(x, x_at + (here ^ flips[e]) * REALS)
            total = lanes.plus(total, lanes.times(lanes.splat(factors[e]), run))
        for e in range(program.row_start[r], program.row_start[r + 1]):
            factor = lanes.splat(program.row_factors[e] * block_signs[program.row_sign[e]])
            run = lanes.load(x, x_at + (here ^ program.row_flips[e]) * REALS)
            total = lanes.plus(total, lanes.times(factor, run))
        for e in range(program.lane_start[r], program.lane_start[r + 1]):
            run = lanes.load_permuted(x, x_at + (here ^ program.lane_flips[e]) * REALS, program.lane_chunks[e])
            sign = lanes.splat(block_signs[program.lane_sign[e]])
            factor = lanes.times(sign, lanes.load(program.vectors, program.lane_vector[e]))
            total = lanes.plus(total, lanes.times(factor, _exchanged(run, program.lane_kind[e])))
        if rotate:
            total = lanes.times_minus_i(total)
        total = lanes.times(lanes.splat(real(alpha)), total)
        if beta != 0:
            before = lanes.load(previous, previous_at + here * REALS)
            total = lanes.plus(total, lanes.times(lanes.splat(real(beta)), before))
        lanes.store(out, out_at + here * REALS, total)


@numba.njit(**OPTIONS)
def product(program, states, x, x_step, previous, previous_step, out, out_step, alpha, beta, shift, rotate):
    """Apply `_block` everywhere; `*_step` are the distances between states."""
    blocks = len(program.diagonal) // (program.runs * RUN)
    scratch = _scratch(program)
    for b in range(states):
        for block in range(blocks):
            _block(
                program, scratch, block, x, b * x_step, previous, b * previous_step, out, b * out_step,
                alpha, beta, shift, rotate,
            )  # fmt: skip


@numba.njit(parallel=True, **OPTIONS)
def product_threads(program, states, x, x_step, previous, previous_step, out, out_step, alpha, beta, shift, rotate):
    """Do the same with threads across states and blocks."""
    blocks = len(program.diagonal) // (program.runs * RUN)
    for task in numba.prange(states * blocks):
        b, block = task // blocks, task % blocks
        _block(
            program, _scratch(program), block, x, b * x_step, previous, b * previous_step, out, b * out_step,
            alpha, beta, shift, rotate,
        )  # fmt: skip


@numba.njit(**OPTIONS)
def _combine_runs(begin, end, vectors, vector_step, coefficients, phases, out, out_at, out_step, add):
    """Write or add `phases[j] * sum_k coefficients[j, k] vectors[k]` to row j of `out`, from run `begin` to `end`."""
    for run in range(begin, end):
        for j in range(len(coefficients)):
            total = lanes.times(lanes.splat(coefficients[j, 0]), lanes.load(vectors, run * REALS))
            for k in range(1, coefficients.shape[1]):
                vector = lanes.load(vectors, k * vector_step + run * REALS)
                total = lanes.plus(total, lanes.times(lanes.splat(coefficients[j, k]), vector))
            turned = lanes.times(lanes.splat(-phases[j, 1]), lanes.times_minus_i(total))
            total = lanes.plus(turned, lanes.times(lanes.splat(phases[j, 0]), total))
            place = out_at + j * out_step + run * REALS
            if add:
                total = lanes.plus(total, lanes.load(out, place))
            lanes.store(out, place, total)


@numba.njit(parallel=True, **OPTIONS)
def combine_threads(runs, vectors, vector_step, coefficients, phases, out, out_step, add):
    """Combine the vectors of one state, with threads across its runs."""
    for task in numba.prange((runs + CHUNKS - 1) // CHUNKS):
        begin, end = task * CHUNKS, min(runs, task * CHUNKS + CHUNKS)
        _combine_runs(begin, end, vectors, vector_step, coefficients, phases, out, 0, out_step, add)


@numba.njit(**OPTIONS)
def _expand_state(program, scratch, vectors, reals, x, x_at, scale, shift, coefficients, phases, out, out_at):
    """Evolve one state, all in the first two caches; `reals` is twice its dimension, which may be less than a run's."""
    width, terms = 2 * len(program.diagonal), coefficients.shape[1]
    blocks = len(program.diagonal) // (program.runs * RUN)
    for place in range(width):
        vectors[place] = x[x_at + place] if place < reals else 0
    for k in range(1, terms):
        alpha, beta = (scale, 0.0) if k == 1 else (2 * scale, 1.0)
        before = max(0, k - 2) * width
        for block in range(blocks):
            _block(
                program, scratch, block, vectors, (k - 1) * width, vectors, before, vectors, k * width,
                alpha, beta, shift, True,
            )  # fmt: skip
    whole = reals == width
    target = out if whole else np.empty(len(coefficients) * REALS, x.dtype)
    at, step = (out_at, reals) if whole else (0, REALS)
    _combine_runs(0, width // REALS, vectors, width, coefficients, phases, target, at, step, False)
    if not whole:
        for place in range(len(coefficients) * reals):
            out[out_at + place] = target[place // reals * REALS + place % reals]


@numba.njit(**OPTIONS)
def expand(program, states, reals, x, scale, shift, coefficients, phases, out):
    """Evolve states without gaps between them, one after the other; see `MatrixFree.expand`."""
    vectors = np.empty(2 * len(program.diagonal) * coefficients.shape[1], x.dtype)
    scratch, step = _scratch(program), len(coefficients) * reals
    for b in range(states):
        _expand_state(program, scratch, vectors, reals, x, b * reals, scale, shift, coefficients, phases, out, b * step)


@numba.njit(parallel=True, **OPTIONS)
def expand_threads(tasks, program, states, reals, x, scale, shift, coefficients, phases, out):
    """Do the same with threads across states, in so many tasks."""
    step = len(coefficients) * reals
    for task in numba.prange(tasks):
        vectors = np.empty(2 * len(program.diagonal) * coefficients.shape[1], x.dtype)
        scratch = _scratch(program)
        for b in range(task * states // tasks, (task + 1) * states // tasks):
            _expand_state(
                program, scratch, vectors, reals, x, b * reals, scale, shift, coefficients, phases, out, b * step
            )
