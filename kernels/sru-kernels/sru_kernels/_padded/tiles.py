"""The kernels of `_padded.gpu`: tiles of a step, each launched by itself or all in one kernel for a whole block."""

# Kernels are compiled by Triton, which has types of its own and no stubs; what it knows when it compiles is written in
# capitals by custom.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _rows(tile, batch, TILE_B: tl.constexpr):
    """Return the states of a tile as a column, and which of them exist."""
    row = tl.zeros((TILE_B, 1), tl.int64) + tile * TILE_B + tl.arange(0, TILE_B)[:, None]
    return row, row < batch


@triton.jit
def _product(
    source, weight, row, row_exists, n, n_exists, depth,
    TILE_B: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Return rows of `source`, shape `(batch, depth)`, times rows n of `weight`, shape `(N, depth)`."""
    single: tl.constexpr = TILE_B == 1
    total = tl.zeros((TILE_K if single else TILE_B, TILE_N), tl.float32)
    for start in range(0, depth, TILE_K):
        k = start + tl.arange(0, TILE_K)
        across, down = k[None, :], k[:, None]
        right = tl.load(weight + n * depth + down, mask=n_exists & (down < depth), other=0.0)
        if single:
            left = tl.load(source + row * depth + down, mask=row_exists & (down < depth), other=0.0)
            total += left.to(tl.float32) * right
        else:
            left = tl.load(source + row * depth + across, mask=row_exists & (across < depth), other=0.0)
            total = tl.dot(left.to(tl.float32), right, total, input_precision=PRECISION)
    return tl.sum(total, 0)[None, :] if single else total


@triton.jit
def _encode_tile(
    state, encoder, target, row, row_exists, first, reals, width,
    TILE_B: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    n = first + tl.arange(0, TILE_N)[None, :]
    x = _product(state, encoder, row, row_exists, n, n < width, reals, TILE_B, TILE_N, TILE_K, PRECISION)
    tl.store(target + row * width + n, x, mask=row_exists & (n < width))


@triton.jit
def _layer_tile(
    source, target, memory, weight, bias, peephole, row, row_exists, first, width, fresh,
    TILE_B: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One layer, some channels: all three products in one pass over the rows, then the cell."""
    n = first + tl.arange(0, TILE_N)[None, :]
    n_exists = n < width
    exists, at, gate = row_exists & n_exists, row * width + n, width * width
    single: tl.constexpr = TILE_B == 1
    candidate = tl.zeros((TILE_K if single else TILE_B, TILE_N), tl.float32)
    forget, skip = candidate, candidate
    for start in range(0, width, TILE_K):
        k = start + tl.arange(0, TILE_K)
        across, down = k[None, :], k[:, None]
        there, where = n_exists & (down < width), weight + n * width + down
        to_candidate = tl.load(where, mask=there, other=0.0)
        to_forget = tl.load(where + gate, mask=there, other=0.0)
        to_skip = tl.load(where + 2 * gate, mask=there, other=0.0)
        if single:
            left = tl.load(source + row * width + down, mask=row_exists & (down < width), other=0.0)
            candidate, forget, skip = candidate + left * to_candidate, forget + left * to_forget, skip + left * to_skip
        else:
            left = tl.load(source + row * width + across, mask=row_exists & (across < width), other=0.0)
            candidate = tl.dot(left, to_candidate, candidate, input_precision=PRECISION)
            forget = tl.dot(left, to_forget, forget, input_precision=PRECISION)
            skip = tl.dot(left, to_skip, skip, input_precision=PRECISION)
    if single:
        candidate, forget, skip = tl.sum(candidate, 0)[None, :], tl.sum(forget, 0)[None, :], tl.sum(skip, 0)[None, :]
    candidate += tl.load(bias + n, mask=n_exists, other=0.0)
    forget += tl.load(bias + width + n, mask=n_exists, other=0.0)
    skip += tl.load(bias + 2 * width + n, mask=n_exists, other=0.0)
    x = tl.load(source + at, mask=exists, other=0.0)
    c = tl.load(memory + at, mask=exists, other=0.0)
    # The memory starts as the candidate, W x_1.
    c = tl.where(tl.zeros((TILE_B, TILE_N), tl.int32) + fresh > 0, candidate, c)
    forget = 1 / (1 + tl.exp(-(forget + tl.load(peephole + n, mask=n_exists, other=0.0) * c)))
    skip = 1 / (1 + tl.exp(-(skip + tl.load(peephole + width + n, mask=n_exists, other=0.0) * c)))
    c = candidate + forget * (c - candidate)
    # A tile may be smaller than the threads, which then hold copies of it: all must have read what one will write.
    tl.debug_barrier()
    tl.store(memory + at, c, mask=exists)
    tl.store(target + at, x + skip * (c - x), mask=exists)


@triton.jit
def _decode_tile(
    source, decoder, state, raw, row, row_exists, first, reals, width,
    TILE_B: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Add the predicted change to some reals of the states, not normalised yet."""
    n = first + tl.arange(0, TILE_N)[None, :]
    exists, at = row_exists & (n < reals), row * reals + n
    change = _product(source, decoder, row, row_exists, n, n < reals, width, TILE_B, TILE_N, TILE_K, PRECISION)
    tl.store(raw + at, tl.load(state + at, mask=exists, other=0.0) + change.to(tl.float64), mask=exists)


@triton.jit
def _norms(raw, row, row_exists, reals, TILE_B: tl.constexpr, TILE_N: tl.constexpr):
    """Return the norm of each row, a column; 1 for rows that do not exist."""
    squares = tl.zeros((TILE_B, TILE_N), tl.float64)
    for first in range(0, reals, TILE_N):
        n = first + tl.arange(0, TILE_N)[None, :]
        part = tl.load(raw + row * reals + n, mask=row_exists & (n < reals), other=0.0)
        squares += part * part
    return tl.where(row_exists, tl.sqrt(tl.sum(squares, 1)[:, None]), 1.0)


@triton.jit
def encode_kernel(
    state, encoder, target, batch, reals, width,
    TILE_B: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Some channels of the first layer's input, of a tile of states."""
    row, row_exists = _rows(tl.program_id(1), batch, TILE_B)
    first = tl.program_id(0) * TILE_N
    _encode_tile(state, encoder, target, row, row_exists, first, reals, width, TILE_B, TILE_N, TILE_K, PRECISION)


@triton.jit(do_not_specialize=["fresh"])
def layer_kernel(
    source, target, memory, weight, bias, peephole, batch, width, fresh,
    TILE_B: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Some channels of one layer, of a tile of states."""
    row, row_exists = _rows(tl.program_id(1), batch, TILE_B)
    _layer_tile(
        source, target, memory, weight, bias, peephole, row, row_exists, tl.program_id(0) * TILE_N, width, fresh,
        TILE_B, TILE_N, TILE_K, PRECISION,
    )  # fmt: skip


@triton.jit
def decode_kernel(
    source, decoder, state, raw, batch, reals, width,
    TILE_B: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Some reals of the changed states, not normalised yet, of a tile of states."""
    row, row_exists = _rows(tl.program_id(1), batch, TILE_B)
    first = tl.program_id(0) * TILE_N
    _decode_tile(source, decoder, state, raw, row, row_exists, first, reals, width, TILE_B, TILE_N, TILE_K, PRECISION)


@triton.jit
def normalise_kernel(raw, state, batch, reals, TILE_N: tl.constexpr):
    """One state."""
    row, row_exists = _rows(tl.program_id(0), batch, 1)
    norm = _norms(raw, row, row_exists, reals, 1, TILE_N)
    for first in range(0, reals, TILE_N):
        n = first + tl.arange(0, TILE_N)[None, :]
        exists, at = row_exists & (n < reals), row * reals + n
        tl.store(state + at, tl.load(raw + at, mask=exists, other=0.0) / norm, mask=exists)


@triton.jit(do_not_specialize=["columns", "every", "fresh"])
def rollout_kernel(
    state, raw, memory, work, out, encoder, weights, biases, peepholes, decoder,
    batch, reals, width, layers, columns, every, out_row, fresh,
    TILE_B: tl.constexpr, TILE_N: tl.constexpr, TILE_K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """All steps of some states. Only this program touches their rows, so a barrier is all that keeps phases apart."""
    row, row_exists = _rows(tl.program_id(0), batch, TILE_B)
    plane = (tl.zeros((), tl.int64) + batch) * width
    area = (tl.zeros((), tl.int64) + width) * width
    for step in range(columns * every):
        for first in range(0, width, TILE_N):
            _encode_tile(state, encoder, work, row, row_exists, first, reals, width, TILE_B, TILE_N, TILE_K, PRECISION)
        tl.debug_barrier()
        for layer in range(layers):
            source, target = work + (layer % 2) * plane, work + (1 - layer % 2) * plane
            for first in range(0, width, TILE_N):
                _layer_tile(
                    source, target, memory + layer * plane, weights + layer * 3 * area, biases + layer * 3 * width,
                    peepholes + layer * 2 * width, row, row_exists, first, width, fresh,
                    TILE_B, TILE_N, TILE_K, PRECISION,
                )  # fmt: skip
            tl.debug_barrier()
        source = work + (layers % 2) * plane
        for first in range(0, reals, TILE_N):
            _decode_tile(
                source, decoder, state, raw, row, row_exists, first, reals, width, TILE_B, TILE_N, TILE_K, PRECISION
            )
        tl.debug_barrier()
        norm = _norms(raw, row, row_exists, reals, TILE_B, TILE_N)
        wanted = tl.zeros((TILE_B, 1), tl.int32) + (step + 1) % every == 0
        column = (tl.zeros((), tl.int64) + step // every) * reals
        for first in range(0, reals, TILE_N):
            n = first + tl.arange(0, TILE_N)[None, :]
            exists, at = row_exists & (n < reals), row * reals + n
            part = tl.load(raw + at, mask=exists, other=0.0) / norm
            tl.store(state + at, part, mask=exists)
            tl.store(out + row * out_row + column + n, part, mask=exists & wanted)
        tl.debug_barrier()
        fresh = 0
