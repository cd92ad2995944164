"""Makes vectors orthogonal to those before them on the CPU, compiled by numba; arrays as in `cpu`."""

from __future__ import annotations

import numba
import numpy as np

from pauli_kernels._product import lanes
from pauli_kernels._product.lanes import REALS
from pauli_kernels._threads import OPTIONS

CHUNK_RUNS = 64
"""Runs whose sums are added up by themselves, so that a sum does not depend on the number of threads."""


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


@numba.njit(**OPTIONS)
def orthogonalise(runs, count, vectors, vectors_step, step, new, new_step, components, norms, first, last):
    """Do what `PauliOperator.orthogonalise` says, for the states `first` to `last`."""
    overlaps = np.empty((count, 2))
    for b in range(first, last):
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


@numba.njit(**OPTIONS)
def overlaps_of(runs, count, vectors, step, new, parts, first, last):
    """Write the overlaps of the chunks `first` to `last` of one state to `parts`, shape `(chunks, count, 2)`."""
    for chunk in range(first, last):
        end = min(runs, chunk * CHUNK_RUNS + CHUNK_RUNS)
        _overlaps(chunk * CHUNK_RUNS, end, count, vectors, 0, step, new, 0, parts[chunk])


@numba.njit(**OPTIONS)
def subtract_from(runs, overlaps, vectors, step, new, squares, first, last):
    """Subtract from the chunks `first` to `last` of one state, and write the squares of what is left."""
    for chunk in range(first, last):
        end = min(runs, chunk * CHUNK_RUNS + CHUNK_RUNS)
        squares[chunk] = _subtract(chunk * CHUNK_RUNS, end, overlaps, vectors, 0, step, new, 0)
