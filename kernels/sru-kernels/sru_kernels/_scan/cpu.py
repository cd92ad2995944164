"""The scan on a CPU, compiled by numba: vector instructions across channels, threads across sequences.

A task of a thread is some neighbouring sequences, so few that their memories stay in its first cache for all times.
"""

from __future__ import annotations

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from sru_kernels._compiled import OPTIONS, side_by_side, threads
from sru_kernels._scan.sigmoid import sigmoid

COLUMNS = 1024
"""Elements of a task: 4 kB of memories in float32, and rows long enough for the prefetcher."""

Array = NDArray[np.float32] | NDArray[np.float64]


def forward(u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs and memories; see `reference.forward`. Half precision is widened to float32 and rounded back."""
    if x.dtype not in {torch.float32, torch.float64}:
        h, c = forward(*(tensor.float() for tensor in (u, x, v, c0)))
        return h.to(x.dtype), c.to(x.dtype)
    u, x, v, c0 = (_rows(tensor) for tensor in (u, x, v, c0))
    h, c = torch.empty_like(x), torch.empty_like(x)
    rows = _rows_of_task(u, x, h, c)
    with threads():
        _forward(
            -(-x.shape[1] // rows),
            *(_flat(tensor) for tensor in (u, x, v.contiguous(), c0.contiguous(), h, c)),
            tuple(x.shape),
            (*u.stride()[:3], *x.stride()[:2]),
            (*h.stride()[:2], *c.stride()[:2]),
            rows,
        )
    return h, c


def backward(
    u: torch.Tensor,
    x: torch.Tensor,
    v: torch.Tensor,
    c0: torch.Tensor,
    c: torch.Tensor,
    grad_h: torch.Tensor,
    grad_last: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients; see `reference.backward`."""
    if x.dtype not in {torch.float32, torch.float64}:
        grads = backward(*(tensor.float() for tensor in (u, x, v, c0, c, grad_h, grad_last)))
        return tuple(grad.to(x.dtype) for grad in grads)  # type: ignore[return-value]  # mypy forgets that there are 4
    u, x, v, c0, c, grad_h, grad_last = (_rows(tensor) for tensor in (u, x, v, c0, c, grad_h, grad_last))
    grad_u, grad_x = torch.empty_like(u), torch.empty_like(x)
    rows = _rows_of_task(u, x, c, grad_h, grad_u, grad_x)
    tasks = -(-x.shape[1] // rows)
    grad_v = v.new_empty(tasks, 2, x.shape[2])
    grad_c0 = c0.new_empty(c0.shape)
    with threads():
        _backward(
            tasks,
            *(_flat(tensor) for tensor in (u, x, v.contiguous(), c0.contiguous(), c, grad_h, grad_last.contiguous())),
            *(_flat(tensor) for tensor in (grad_u, grad_x, grad_v, grad_c0)),
            tuple(x.shape),
            (*u.stride()[:3], *x.stride()[:2], *c.stride()[:2], *grad_h.stride()[:2]),
            (*grad_u.stride()[:3], *grad_x.stride()[:2]),
            rows,
        )
    return grad_u, grad_x, grad_v.sum(0), grad_c0


def _rows(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor, copied if its channels are not neighbours in memory."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


def _rows_of_task(*tensors: torch.Tensor) -> int:
    """Return how many sequences a task takes: more than one only where they lie side by side in every tensor."""
    sequences, channels = tensors[0].shape[-2:]
    if any(tensor.stride(-2) != channels for tensor in tensors):
        return 1
    # Enough tasks for every thread come before long ones.
    return max(1, min(COLUMNS // channels, sequences // torch.get_num_threads()))


def _flat(tensor: torch.Tensor) -> Array:
    """Return all memory from the tensor's first element to its last as one axis; strides say where elements are."""
    length = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.detach().as_strided((length if tensor.numel() else 0,), (1,)).numpy()


@side_by_side
def _forward(u, x, v, c0, h, c, shape, reads, writes, rows):
    times, sequences, channels = shape
    u_gate, u_time, u_row, x_time, x_row = reads
    h_time, h_row, c_time, c_row = writes
    one = x.dtype.type(1)
    for task in numba.prange((sequences + rows - 1) // rows):
        first = task * rows
        count = (min(sequences, first + rows) - first) * channels
        memory = c0[first * channels : first * channels + count].copy()
        peephole = _tiled(v, channels, count)
        for t in range(times):
            w = u[t * u_time + first * u_row :][:count]
            p = u[u_gate + t * u_time + first * u_row :][:count]
            q = u[2 * u_gate + t * u_time + first * u_row :][:count]
            xs = x[t * x_time + first * x_row :][:count]
            hs = h[t * h_time + first * h_row :][:count]
            cs = c[t * c_time + first * c_row :][:count]
            for d in range(count):
                before = memory[d]
                f = sigmoid(p[d] + peephole[0, d] * before)
                r = sigmoid(q[d] + peephole[1, d] * before)
                after = f * before + (one - f) * w[d]
                memory[d] = after
                cs[d] = after
                hs[d] = r * after + (one - r) * xs[d]


@side_by_side
def _backward(u, x, v, c0, c, grad_h, grad_last, grad_u, grad_x, grad_v, grad_c0, shape, reads, writes, rows):
    times, sequences, channels = shape
    u_gate, u_time, u_row, x_time, x_row, c_time, c_row, h_time, h_row = reads
    du_gate, du_time, du_row, dx_time, dx_row = writes
    one = x.dtype.type(1)
    for task in numba.prange((sequences + rows - 1) // rows):
        first = task * rows
        count = (min(sequences, first + rows) - first) * channels
        start = c0[first * channels : first * channels + count]
        carried = grad_last[first * channels : first * channels + count].copy()
        peephole = _tiled(v, channels, count)
        sums = np.zeros((2, count), x.dtype)
        for back in range(times):
            t = times - 1 - back
            w = u[t * u_time + first * u_row :][:count]
            p = u[u_gate + t * u_time + first * u_row :][:count]
            q = u[2 * u_gate + t * u_time + first * u_row :][:count]
            xs = x[t * x_time + first * x_row :][:count]
            befores = c[(t - 1) * c_time + first * c_row :][:count] if t > 0 else start
            afters = c[t * c_time + first * c_row :][:count]
            dh = grad_h[t * h_time + first * h_row :][:count]
            dw = grad_u[t * du_time + first * du_row :][:count]
            dp = grad_u[du_gate + t * du_time + first * du_row :][:count]
            dq = grad_u[2 * du_gate + t * du_time + first * du_row :][:count]
            dx = grad_x[t * dx_time + first * dx_row :][:count]
            for d in range(count):
                before = befores[d]
                f = sigmoid(p[d] + peephole[0, d] * before)
                r = sigmoid(q[d] + peephole[1, d] * before)
                outer = dh[d]
                to_memory = carried[d] + outer * r
                to_skip = outer * (afters[d] - xs[d]) * r * (one - r)
                to_forget = to_memory * (before - w[d]) * f * (one - f)
                dw[d] = to_memory * (one - f)
                dp[d] = to_forget
                dq[d] = to_skip
                dx[d] = outer * (one - r)
                sums[0, d] += to_forget * before
                sums[1, d] += to_skip * before
                carried[d] = to_memory * f + to_forget * peephole[0, d] + to_skip * peephole[1, d]
        grad_c0[first * channels : first * channels + count] = carried
        for gate in range(2):
            total = grad_v[(2 * task + gate) * channels : (2 * task + gate + 1) * channels]
            total[:] = 0
            for d in range(count):
                total[d % channels] += sums[gate, d]


@numba.njit(**OPTIONS)
def _tiled(v, channels, count):
    """Return both peepholes repeated for every sequence of a task, shape `(2, count)`."""
    peephole = np.empty((2, count), v.dtype)
    for gate in range(2):
        for d in range(count):
            peephole[gate, d] = v[gate * channels + d % channels]
    return peephole
