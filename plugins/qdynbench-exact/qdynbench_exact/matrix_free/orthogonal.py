"""Makes vectors orthogonal to those before them on the CPU, compiled by numba; arrays as in `cpu`."""

from __future__ import annotations

import numba
import numpy as np

from qdynbench_exact.matrix_free import lanes
from qdynbench_exact.matrix_free.cpu import CHUNKS, OPTIONS
from qdynbench_exact.matrix_free.lanes import REALS


@numba.njit(**OPTIONS)
def _total(run, memory):
    """Return the sum of a run's reals in double precision."""
    lanes.store(memory, 0, run)
    total = 0.0
    for place in range(REALS):
        total += memory[place]
    return total


@numba.njit(**OPTIONS)
def _overlaps(begin, end, count, vectors, at, step, new, new_at, result):
    """Write `<vectors[k]|new>`, real and imaginary part, to `result[k]`, of the runs from `begin` to `end`."""
    memory = np.empty(REALS, new.dtype)
    for k in range(count):
        vector, other = lanes.load(vectors, at + k * step + begin * REALS), lanes.load(new, new_at + begin * REALS)
        real, imaginary = lanes.times(vector, other), lanes.times(vector, lanes.times_minus_i(other))
        for run in range(begin + 1, end):
            vector, other = lanes.load(vectors, at + k * step + run * REALS), lanes.load(new, new_at + run * REALS)
            real = lanes.plus(real, lanes.times(vector, other))
            imaginary = lanes.plus(imaginary, lanes.times(vector, lanes.times_minus_i(other)))
        result[k, 0], result[k, 1] = _total(real, memory), _total(imaginary, memory)


@numba.njit(**OPTIONS)
def _subtract(begin, end, overlaps, vectors, at, step, new, new_at):
    """Subtract `overlaps[k] vectors[k]` from `new` and return the square of what is left, in those runs."""
    real = new.dtype.type
    squares = lanes.splat(real(0))
    for run in range(begin, end):
        left = lanes.load(new, new_at + run * REALS)
        for k in range(len(overlaps)):
            vector = lanes.load(vectors, at + k * step + run * REALS)
            left = lanes.plus(left, lanes.times(lanes.splat(real(-overlaps[k, 0])), vector))
            left = lanes.plus(left, lanes.times(lanes.splat(real(overlaps[k, 1])), lanes.times_minus_i(vector)))
        squares = lanes.plus(squares, lanes.times(left, left))
        lanes.store(new, new_at + run * REALS, left)
    return _total(squares, np.empty(REALS, new.dtype))


@numba.njit(parallel=True, **OPTIONS)
def orthogonalise_states(runs, count, vectors, vectors_step, step, new, new_step, components, norms):
    """Do what `MatrixFree.orthogonalise` says, each state by one thread."""
    for b in numba.prange(len(norms)):
        overlaps = np.empty((count, 2))
        for _ in range(2):
            _overlaps(0, runs, count, vectors, b * vectors_step, step, new, b * new_step, overlaps)
            square = _subtract(0, runs, overlaps, vectors, b * vectors_step, step, new, b * new_step)
            components[b] += overlaps[count - 1, 0]
            removed = 0.0
            for k in range(count):
                removed += overlaps[k, 0] ** 2 + overlaps[k, 1] ** 2
            if removed <= square:
                break
        norms[b] = np.sqrt(square)


@numba.njit(parallel=True, **OPTIONS)
def orthogonalise_runs(runs, count, vectors, step, new):
    """Do the same for one state by all threads; return component and norm."""
    tasks = (runs + CHUNKS - 1) // CHUNKS
    component = 0.0
    for _ in range(2):
        parts, squares = np.empty((tasks, count, 2)), np.empty(tasks)
        for task in numba.prange(tasks):
            end = min(runs, task * CHUNKS + CHUNKS)
            _overlaps(task * CHUNKS, end, count, vectors, 0, step, new, 0, parts[task])
        overlaps = parts.sum(axis=0)
        for task in numba.prange(tasks):
            end = min(runs, task * CHUNKS + CHUNKS)
            squares[task] = _subtract(task * CHUNKS, end, overlaps, vectors, 0, step, new, 0)
        component += overlaps[count - 1, 0]
        if (overlaps**2).sum() <= squares.sum():
            break
    return component, np.sqrt(squares.sum())
