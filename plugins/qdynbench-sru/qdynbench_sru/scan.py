"""The time loop of a simple recurrent unit, with a gradient written by hand.

All matrix products are done for all times before the loop; what is left to it is elementwise (paper, equations of the
cell; Lei et al., arXiv 1709.02755). With `w = W x`, `p = W_f x + b_f` and `q = W_r x + b_r` given,

    f_t = sigmoid(p_t + v_f * c_{t-1})
    r_t = sigmoid(q_t + v_r * c_{t-1})
    c_t = f_t * c_{t-1} + (1 - f_t) * w_t
    h_t = r_t * c_t + (1 - r_t) * x_t

Autograd would record about ten operations a step and replay them. Here the loop forward holds the memory and the
forget gate it needs, the loop backward one multiplication and two additions; all else is done for all times at once.

The gradient. Write `H_t = dL/dh_t` and `C_t = dL/dc_t` (through every path). The skip gate's argument gets

    R_t = H_t * (c_t - x_t) * r_t * (1 - r_t).

The memory reaches the loss through `h_t`, and through `c_{t+1}` and `r_{t+1}` of the next step:

    C_t = H_t * r_t + a_{t+1} * C_{t+1} + v_r * R_{t+1},    a_t = dc_t/dc_{t-1} = f_t + v_f * s_t,
    s_t = dc_t/dp_t = f_t * (1 - f_t) * (c_{t-1} - w_t),

which is the loop, from the last time to the first. Then

    dL/dw_t = C_t * (1 - f_t)     dL/dp_t = C_t * s_t       dL/dq_t = R_t        dL/dx_t = H_t * (1 - r_t)
    dL/dv_f = sum_t C_t * s_t * c_{t-1}                     dL/dv_r = sum_t R_t * c_{t-1}
    dL/dc_0 = a_1 * C_1 + v_r * R_1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable


def sru_scan(u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the outputs and the last memory of one layer.

    Args:
        u: `w`, `p` and `q` of the module's equations, gate first, shape `(3, T, M, D)`.
        x: input of the layer, shape `(T, M, D)`: T times, M independent sequences, D channels.
        v: peepholes `v_f` and `v_r`, shape `(2, D)`.
        c0: memory before the first time, shape `(M, D)`.

    Returns:
        `h` of shape `(T, M, D)` and `c_T` of shape `(M, D)`.

    Raises:
        ValueError: shapes that do not belong together, no time at all, or dtypes other than one of float32, float64.
    """
    expected = {"u": (3, *x.shape), "v": (2, *x.shape[2:]), "c0": x.shape[1:]}
    if x.ndim != 3 or len(x) == 0:
        raise ValueError(f"x: expected shape (T, M, D) with T >= 1, got {tuple(x.shape)}")
    for name, tensor in {"u": u, "v": v, "c0": c0}.items():
        if tensor.shape != expected[name]:
            raise ValueError(f"{name}: expected shape {tuple(expected[name])}, got {tuple(tensor.shape)}")
    if x.dtype not in {torch.float32, torch.float64} or any(tensor.dtype != x.dtype for tensor in (u, v, c0)):
        raise ValueError(f"expected one dtype, float32 or float64; got {[t.dtype for t in (u, x, v, c0)]}")
    h, last = _Scan.apply(u, x, v, c0)  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    return h, last


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        candidate, forget, skip = u.unbind(0)
        memory = x.new_empty(len(x) + 1, *x.shape[1:])
        memory[0] = c0
        gate, difference = torch.empty_like(c0), torch.empty_like(c0)
        for t in range(len(x)):
            torch.addcmul(forget[t], v[0], memory[t], out=gate).sigmoid_()
            torch.sub(memory[t], candidate[t], out=difference)
            torch.addcmul(candidate[t], gate, difference, out=memory[t + 1])
        r = torch.addcmul(skip, v[1], memory[:-1]).sigmoid_()
        ctx.save_for_backward(u, x, v, memory, r)
        return torch.addcmul(x, r, memory[1:] - x), memory[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: torch.Tensor, grad_last: torch.Tensor) -> tuple[torch.Tensor, ...]:
        u, x, v, memory, r = ctx.saved_tensors
        candidate, forget, _ = u.unbind(0)
        before, after = memory[:-1], memory[1:]
        f = torch.addcmul(forget, v[0], before).sigmoid_()
        to_forget = f * (1 - f) * (before - candidate)
        to_memory = torch.addcmul(f, to_forget, v[0])
        grad_c = grad_h * r
        grad_x = grad_h - grad_c
        grad_u = torch.empty_like(u)
        grad_skip = torch.mul(grad_c * (1 - r), after - x, out=grad_u[2])
        through_skip = grad_skip * v[1]
        grad_c[-1] += grad_last
        for t in range(len(x) - 1, 0, -1):
            grad_c[t - 1].add_(through_skip[t]).addcmul_(to_memory[t], grad_c[t])
        torch.mul(grad_c, 1 - f, out=grad_u[0])
        grad_forget = torch.mul(grad_c, to_forget, out=grad_u[1])
        grad_v = torch.stack([(grad_forget * before).sum((0, 1)), (grad_skip * before).sum((0, 1))])
        return grad_u, grad_x, grad_v, to_memory[0] * grad_c[0] + through_skip[0]
