"""The scan on a GPU: one Triton kernel for each direction, which moves every scalar once.

A program of Triton owns some columns (one channel of one sequence each) for all times and carries their memories in
registers. Time is sequential, so what counts is to have the numbers of later times on their way: a program reads
`AHEAD` times into registers before it works on those read before. Nothing is summed across programs, so results repeat
bitwise: the gradient of `v` is first summed over time for each column, and torch sums those over sequences.
"""

# Kernels are compiled by Triton, which has types of its own and no stubs; what it knows when it compiles is written in
# capitals by custom.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call, assignment"

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl

WIDEST = 16
"""Bytes of the widest load that a thread has."""
MOST_AHEAD = 4
HELD, HELD_BYTES = 8, 32
"""Times of one read at most, and elements and bytes of each tensor that a thread takes in it: two reads of all tensors,
the one worked on and the next, then fit into registers and leave room for twelve warps a processor or more. Four steps
take about as long as the L2 cache, where a small problem's gates still are after their product, needs to answer."""
ENOUGH_THREADS = 1 << 15
"""Threads that keep a large GPU's memory busy with a read of each tensor on the way. Below, columns are spread one by
one over as many threads as there are, since the chain of a step then takes longer than its bytes."""
FULL_THREADS = 1 << 17
"""Threads from which on programs of one warp would meet the limit of programs a processor; above, they have four."""


def forward(u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs and memories, each of the shape and layout of `x`; see `reference.forward`.

    Half precision is computed in float32, with the memory never rounded on its way.
    """
    dense = [_unit_stride(tensor) for tensor in (u, x, v.contiguous(), c0)]
    h, c = torch.empty_like(dense[1]), torch.empty_like(dense[1])
    strides = (*dense[0].stride()[:3], *dense[1].stride()[:2], dense[3].stride(0), *h.stride()[:2])
    _launch(_forward_kernel, x, (*dense, h, c), strides)
    return _as_laid_out(h, x), _as_laid_out(c, x)


def backward(
    u: torch.Tensor,
    x: torch.Tensor,
    v: torch.Tensor,
    c0: torch.Tensor,
    c: torch.Tensor,
    grad_h: torch.Tensor,
    grad_last: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients of `u`, `x`, `v` and `c0`; see `reference.backward`."""
    dense = [_unit_stride(tensor) for tensor in (u, x, v.contiguous(), c0, c, grad_h, grad_last)]
    grad_u, grad_x = torch.empty_like(dense[0]), torch.empty_like(dense[1])
    grad_c0 = c0.new_empty(c0.shape)
    over_time = v.new_empty(2, *c0.shape, dtype=torch.float64 if v.dtype == torch.float64 else torch.float32)
    strides = (
        *dense[0].stride()[:3],
        *dense[1].stride()[:2],
        dense[3].stride(0),
        *dense[4].stride()[:2],
        *dense[5].stride()[:2],
        dense[6].stride(0),
        *grad_u.stride()[:3],
        *grad_x.stride()[:2],
    )
    _launch(_backward_kernel, x, (*dense, grad_u, grad_x, grad_c0, over_time), strides)
    return _as_laid_out(grad_u, u), _as_laid_out(grad_x, x), over_time.sum(1).to(v.dtype), grad_c0


def shape_of_programs(columns: int, steps: int, align: int, itemsize: int) -> tuple[int, int, int]:
    """Return columns of a program, times that it reads ahead, and its warps.

    Many columns: a thread owns as many neighbours as one load of 16 bytes holds. Few: one warp a program and one
    column a thread, over as many processors as possible, which read further ahead instead.

    Args:
        columns: sequences times channels.
        steps: number of times T.
        align: a power of two that divides every stride, in elements.
        itemsize: bytes of an element.
    """
    vector = min(align, WIDEST // itemsize)
    while vector > 1 and columns // vector < ENOUGH_THREADS:
        vector //= 2
    warps = 4 if columns // vector >= FULL_THREADS else 1
    ahead = min(MOST_AHEAD, HELD // vector, HELD_BYTES // (vector * itemsize), triton.next_power_of_2(steps))
    return 32 * warps * vector, ahead, warps


def _launch(kernel, x: torch.Tensor, tensors: tuple[torch.Tensor, ...], strides: tuple[int, ...]) -> None:
    steps, sequences, width = x.shape
    columns = sequences * width
    if columns == 0:
        return
    align = math.gcd(WIDEST // x.element_size(), width, *strides)
    count, ahead, warps = shape_of_programs(columns, steps, align, x.element_size())
    with torch.cuda.device_of(x):
        kernel[(triton.cdiv(columns, count),)](
            *tensors,
            steps,
            sequences,
            width // align,
            *(stride // align for stride in strides),
            ALIGN=align,
            COLUMNS=count,
            AHEAD=ahead,
            WIDE=tl.float64 if x.dtype == torch.float64 else tl.float32,
            num_warps=warps,
            enable_fp_fusion=True,
        )


def _unit_stride(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


def _as_laid_out(result: torch.Tensor, template: torch.Tensor) -> torch.Tensor:
    """Return a result in the layout that `torch.empty_like(template)` has, as the operator promises."""
    return result if _unit_stride(template) is template else torch.empty_like(template).copy_(result)


@triton.jit
def _columns_of_program(sequences, width, COLUMNS: tl.constexpr):
    """Return sequence and channel of this program's columns, and which of them exist."""
    column = tl.program_id(0).to(tl.int64) * COLUMNS + tl.arange(0, COLUMNS)
    return column // width, column % width, column < (tl.zeros((), tl.int64) + sequences) * width


@triton.jit
def _read_forward(
    u, x, at_u, at_x, gate, u_step, x_step, exists, first, steps,
    ALIGN: tl.constexpr, COLUMNS: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """Return w, p, q and x of `AHEAD` times from `first` on, as one flat tuple."""
    values = ()
    for k in tl.static_range(AHEAD):
        t = tl.zeros((), tl.int64) + first + k
        live = exists & (tl.zeros((COLUMNS,), tl.int64) + t < steps)
        row = u + t * u_step * ALIGN
        values += (
            tl.load(row + at_u, mask=live, other=0.0),
            tl.load(row + gate + at_u, mask=live, other=0.0),
            tl.load(row + 2 * gate + at_u, mask=live, other=0.0),
            tl.load(x + t * x_step * ALIGN + at_x, mask=live, other=0.0),
        )
    return values


@triton.jit
def _forward_kernel(
    u, x, v, c0, h, c,
    steps, sequences, width_units,
    u_gate, u_step, u_row, x_step, x_row, c0_row, out_step, out_row,
    ALIGN: tl.constexpr, COLUMNS: tl.constexpr, AHEAD: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Strides and the width come in units of `ALIGN` elements: so the compiler knows what divides them."""
    width = width_units * ALIGN
    row, channel, exists = _columns_of_program(sequences, width, COLUMNS)
    at_u, at_x = row * u_row * ALIGN + channel, row * x_row * ALIGN + channel
    at_out = row * out_row * ALIGN + channel
    gate = (tl.zeros((), tl.int64) + u_gate) * ALIGN
    v_forget = tl.load(v + channel, mask=exists, other=0.0).to(WIDE)
    v_skip = tl.load(v + width + channel, mask=exists, other=0.0).to(WIDE)
    memory = tl.load(c0 + row * c0_row * ALIGN + channel, mask=exists, other=0.0).to(WIDE)
    ahead = _read_forward(u, x, at_u, at_x, gate, u_step, x_step, exists, 0, steps, ALIGN, COLUMNS, AHEAD)
    for first in range(0, steps, AHEAD):
        now = ahead
        ahead = _read_forward(
            u, x, at_u, at_x, gate, u_step, x_step, exists, first + AHEAD, steps, ALIGN, COLUMNS, AHEAD
        )
        for k in tl.static_range(AHEAD):
            t = tl.zeros((), tl.int64) + first + k
            live = exists & (tl.zeros((COLUMNS,), tl.int64) + t < steps)
            candidate, inputs = now[4 * k].to(WIDE), now[4 * k + 3].to(WIDE)
            forget = 1 / (1 + tl.exp(-(now[4 * k + 1].to(WIDE) + v_forget * memory)))
            skip = 1 / (1 + tl.exp(-(now[4 * k + 2].to(WIDE) + v_skip * memory)))
            memory = candidate + forget * (memory - candidate)
            output = inputs + skip * (memory - inputs)
            at = t * out_step * ALIGN + at_out
            tl.store(c + at, memory.to(c.dtype.element_ty), mask=live)
            tl.store(h + at, output.to(h.dtype.element_ty), mask=live)


@triton.jit
def _read_backward(
    u, x, c, grad_h, at_u, at_x, at_c, at_h, gate, u_step, x_step, c_step, h_step,
    exists, last, ALIGN: tl.constexpr, COLUMNS: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """Return w, p, q, x, the memory before and dL/dh of `AHEAD` times from `last` down, as one flat tuple."""
    values = ()
    for k in tl.static_range(AHEAD):
        t = tl.zeros((), tl.int64) + last - k
        time = tl.zeros((COLUMNS,), tl.int64) + t
        live = exists & (time >= 0)
        row = u + t * u_step * ALIGN
        values += (
            tl.load(row + at_u, mask=live, other=0.0),
            tl.load(row + gate + at_u, mask=live, other=0.0),
            tl.load(row + 2 * gate + at_u, mask=live, other=0.0),
            tl.load(x + t * x_step * ALIGN + at_x, mask=live, other=0.0),
            tl.load(c + (t - 1) * c_step * ALIGN + at_c, mask=exists & (time > 0), other=0.0),
            tl.load(grad_h + t * h_step * ALIGN + at_h, mask=live, other=0.0),
        )
    return values


@triton.jit
def _backward_kernel(
    u, x, v, c0, c, grad_h, grad_last, grad_u, grad_x, grad_c0, over_time,
    steps, sequences, width_units,
    u_gate, u_step, u_row, x_step, x_row, c0_row, c_step, c_row, h_step, h_row, last_row,
    gu_gate, gu_step, gu_row, gx_step, gx_row,
    ALIGN: tl.constexpr, COLUMNS: tl.constexpr, AHEAD: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """The names are those of the package's equations; `through` is what reaches C_t by way of the next step."""
    width = width_units * ALIGN
    row, channel, exists = _columns_of_program(sequences, width, COLUMNS)
    at_u, at_x = row * u_row * ALIGN + channel, row * x_row * ALIGN + channel
    at_c, at_h = row * c_row * ALIGN + channel, row * h_row * ALIGN + channel
    at_gu, at_gx = row * gu_row * ALIGN + channel, row * gx_row * ALIGN + channel
    gate = (tl.zeros((), tl.int64) + u_gate) * ALIGN
    gu_gate = (tl.zeros((), tl.int64) + gu_gate) * ALIGN
    v_forget = tl.load(v + channel, mask=exists, other=0.0).to(WIDE)
    v_skip = tl.load(v + width + channel, mask=exists, other=0.0).to(WIDE)
    first_memory = tl.load(c0 + row * c0_row * ALIGN + channel, mask=exists, other=0.0).to(WIDE)
    through = tl.load(grad_last + row * last_row * ALIGN + channel, mask=exists, other=0.0).to(WIDE)
    end = tl.zeros((), tl.int64) + steps - 1
    after = tl.load(c + end * c_step * ALIGN + at_c, mask=exists, other=0.0).to(WIDE)
    sum_forget = tl.zeros((COLUMNS,), WIDE)
    sum_skip = tl.zeros((COLUMNS,), WIDE)
    ahead = _read_backward(
        u, x, c, grad_h, at_u, at_x, at_c, at_h, gate,
        u_step, x_step, c_step, h_step, exists, end, ALIGN, COLUMNS, AHEAD,
    )  # fmt: skip
    for done in range(0, steps, AHEAD):
        now = ahead
        ahead = _read_backward(
            u, x, c, grad_h, at_u, at_x, at_c, at_h, gate,
            u_step, x_step, c_step, h_step, exists, end - done - AHEAD, ALIGN, COLUMNS, AHEAD,
        )  # fmt: skip
        for k in tl.static_range(AHEAD):
            t = end - done - k
            time = tl.zeros((COLUMNS,), tl.int64) + t
            live = exists & (time >= 0)
            candidate, inputs = now[6 * k].to(WIDE), now[6 * k + 3].to(WIDE)
            before = tl.where(time == 0, first_memory, now[6 * k + 4].to(WIDE))
            outer = now[6 * k + 5].to(WIDE)
            forget = 1 / (1 + tl.exp(-(now[6 * k + 1].to(WIDE) + v_forget * before)))
            skip = 1 / (1 + tl.exp(-(now[6 * k + 2].to(WIDE) + v_skip * before)))
            to_skip = outer * (after - inputs) * skip * (1 - skip)
            to_memory = outer * skip + through
            slope = forget * (1 - forget) * (before - candidate)
            to_forget = to_memory * slope
            at = t * gu_step * ALIGN + at_gu
            tl.store(grad_u + at, (to_memory * (1 - forget)).to(grad_u.dtype.element_ty), mask=live)
            tl.store(grad_u + gu_gate + at, to_forget.to(grad_u.dtype.element_ty), mask=live)
            tl.store(grad_u + 2 * gu_gate + at, to_skip.to(grad_u.dtype.element_ty), mask=live)
            into = t * gx_step * ALIGN + at_gx
            tl.store(grad_x + into, (outer * (1 - skip)).to(grad_x.dtype.element_ty), mask=live)
            sum_forget += tl.where(live, to_forget * before, 0.0)
            sum_skip += tl.where(live, to_skip * before, 0.0)
            # Times before the first are padding of the last read: they must leave what goes on to c_0 alone.
            through = tl.where(live, (forget + v_forget * slope) * to_memory + v_skip * to_skip, through)
            after = before
    at = row * width + channel
    tl.store(grad_c0 + at, through.to(grad_c0.dtype.element_ty), mask=exists)
    tl.store(over_time + at, sum_forget, mask=exists)
    tl.store(over_time + (tl.zeros((), tl.int64) + sequences) * width + at, sum_skip, mask=exists)
