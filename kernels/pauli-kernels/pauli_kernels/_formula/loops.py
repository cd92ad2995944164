"""Gates in place on states, compiled by numba: a tile of amplitudes is fetched, worked on in the cache and put back.

A tile holds the amplitudes whose index differs in a few chosen bits. Real and imaginary parts lie apart in it, so that
the inner loops are plain real arithmetic. The arrays are those of `pauli_kernels._formula.gates.Program`.
"""

from __future__ import annotations

import numba
import numpy as np

from pauli_kernels._threads import OPTIONS

STRING, ONE, TWO, EXCHANGE, THREE = range(5)
"""Kinds of gates: one Pauli string on any sites, matrices on one, two and three, and two sites that keep their Z."""


@numba.njit(**OPTIONS)
def _one(re, im, ur, ui, stride):
    """Apply a 2x2 matrix; `stride` is the distance between the amplitudes of up and down."""
    a, b, c, d = ur[0, 0], ur[0, 1], ur[1, 0], ur[1, 1]
    e, f, g, h = ui[0, 0], ui[0, 1], ui[1, 0], ui[1, 1]
    for begin in range(0, len(re), 2 * stride):
        for i in range(begin, begin + stride):
            j = i + stride
            x, y, p, q = re[i], im[i], re[j], im[j]
            re[i] = a * x - e * y + b * p - f * q
            im[i] = a * y + e * x + b * q + f * p
            re[j] = c * x - g * y + d * p - h * q
            im[j] = c * y + g * x + d * q + h * p


@numba.njit(**OPTIONS)
def _exchange(re, im, ur, ui, first, second):
    """Apply a 4x4 matrix that mixes only up-down with down-up: two phases and a 2x2 matrix."""
    a, b, c, d = ur[1, 1], ur[1, 2], ur[2, 1], ur[2, 2]
    e, f, g, h = ui[1, 1], ui[1, 2], ui[2, 1], ui[2, 2]
    r, s, t, u = ur[0, 0], ui[0, 0], ur[3, 3], ui[3, 3]
    large, small = max(first, second), min(first, second)
    for outer in range(0, len(re), 2 * large):
        for inner in range(outer, outer + large, 2 * small):
            for i in range(inner, inner + small):
                j, k, m = i + second, i + first, i + first + second
                x, y = re[i], im[i]
                re[i], im[i] = r * x - s * y, r * y + s * x
                x, y = re[m], im[m]
                re[m], im[m] = t * x - u * y, t * y + u * x
                x, y, p, q = re[j], im[j], re[k], im[k]
                re[j] = a * x - e * y + b * p - f * q
                im[j] = a * y + e * x + b * q + f * p
                re[k] = c * x - g * y + d * p - h * q
                im[k] = c * y + g * x + d * q + h * p


@numba.njit(**OPTIONS)
def _several(re, im, ur, ui, strides, sites):
    """Apply a matrix on two or three sites."""
    count = 2**sites
    places = np.zeros(8, np.int64)
    x, y = np.empty(8, re.dtype), np.empty(8, re.dtype)
    mask = 0
    for site in range(sites):
        mask |= strides[site]
        for place in range(count):
            if place & 2 ** (sites - 1 - site):
                places[place] += strides[site]
    for i in range(len(re)):
        if i & mask:
            continue
        for n in range(count):
            x[n], y[n] = re[i + places[n]], im[i + places[n]]
        for n in range(count):
            p, q = re.dtype.type(0), re.dtype.type(0)
            for k in range(count):
                p += ur[n, k] * x[k] - ui[n, k] * y[k]
                q += ur[n, k] * y[k] + ui[n, k] * x[k]
            re[i + places[n]], im[i + places[n]] = p, q


@numba.njit(**OPTIONS)
def _string(re, im, ur, ui, masks):
    """Apply `cos - i sin P`: `u[0, 0]` is the cosine, `u[0, 1]` times a sign what the partner gets."""
    flips, signed, top = masks[0], masks[1], masks[2]
    cosine, p, q = ur[0, 0], ur[0, 1], ui[0, 1]
    for i in range(len(re)):
        if i & top:
            continue
        j = i ^ flips
        si, sj = re.dtype.type(_sign(i & signed)), re.dtype.type(_sign(j & signed))
        a, b, c, d = re[i], im[i], re[j], im[j]
        re[i], im[i] = cosine * a + si * (p * c - q * d), cosine * b + si * (p * d + q * c)
        re[j], im[j] = cosine * c + sj * (p * a - q * b), cosine * d + sj * (p * b + q * a)


@numba.njit(**OPTIONS)
def _sign(bits):
    """Return -1.0 where an odd number of bits is set, else 1.0."""
    odd = False
    while bits:
        bits &= bits - 1
        odd = not odd
    return -1.0 if odd else 1.0


@numba.njit(**OPTIONS)
def _gates(re, im, program, pack):
    """Apply the gates of a pack to a tile."""
    for g in range(program.pack_start[pack], program.pack_start[pack + 1]):
        kind, ur, ui, at = program.kinds[g], program.gates_re[g], program.gates_im[g], program.places[g]
        if kind == ONE:
            _one(re, im, ur, ui, at[0])
        elif kind == EXCHANGE:
            _exchange(re, im, ur, ui, at[0], at[1])
        elif kind == STRING:
            _string(re, im, ur, ui, at)
        else:
            _several(re, im, ur, ui, at, 2 if kind == TWO else 3)


@numba.njit(**OPTIONS)
def _tile(source, target, base, rows, columns, re, im, program, first, last):
    """Fetch a tile of one state, apply the steps `first` to `last` of the program to it, and put it into `target`."""
    for row in range(len(rows)):
        begin = base + rows[row]
        for column in range(columns):
            amplitude = source[begin + column]
            re[row * columns + column] = amplitude.real
            im[row * columns + column] = amplitude.imag
    for step in range(first, last):
        if program.phase[step] >= 0:
            phase = program.phases[program.phase[step]]
            for row in range(len(rows)):
                begin = base + rows[row]
                for column in range(columns):
                    p, j = phase[begin + column], row * columns + column
                    x, y = re[j], im[j]
                    re[j], im[j] = p.real * x - p.imag * y, p.real * y + p.imag * x
        _gates(re, im, program, program.pack[step])
    for row in range(len(rows)):
        begin = base + rows[row]
        for column in range(columns):
            target[begin + column] = complex(re[row * columns + column], im[row * columns + column])


@numba.njit(**OPTIONS)
def sweep(program, states, out, column, repeat, first, last, begin, end):
    """Apply the steps `first` to `last`, which share their tiles, to the tiles `begin` to `end`.

    Tiles are counted through all of state 0, then through all of state 1, and so on. What `states[b]` (or
    `out[b, column - 1]`) becomes stands in `out[b, column]`. Where a tile is a whole state, `repeat` columns are filled
    one after the other.
    """
    chosen = program.tiling[program.pack[first]]
    rows, bases = program.rows[chosen], program.bases[chosen]
    tile = len(rows) * program.columns
    re, im = np.empty(tile, program.gates_re.dtype), np.empty(tile, program.gates_re.dtype)
    for unit in range(begin, end):
        b, base = unit // len(bases), bases[unit % len(bases)]
        for now in range(column, column + repeat):
            # The first step of all reads the state before, the others what is already in its place.
            source = out[b, now] if first > 0 else states[b] if now == 0 else out[b, now - 1]
            _tile(source, out[b, now], base, rows, program.columns, re, im, program, first, last)
