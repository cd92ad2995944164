"""The definition of the scan in torch, for every device and dtype; the other implementations are held against it."""

from __future__ import annotations

import torch


def forward(u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs and memories, each of the shape and layout of `x`; see `operator.sru_scan` for the arguments.

    Half precision is computed in float32 and rounded at the end, as on a GPU.
    """
    h, c = torch.empty_like(x), torch.empty_like(x)
    candidate, forget, skip = _wide(u).unbind(0)
    inputs, peephole, memory = _wide(x), _wide(v), _wide(c0)
    for t in range(len(x)):
        f = torch.addcmul(forget[t], peephole[0], memory).sigmoid_()
        r = torch.addcmul(skip[t], peephole[1], memory).sigmoid_()
        memory = torch.addcmul(candidate[t], f, memory - candidate[t])
        c[t] = memory
        h[t] = torch.addcmul(inputs[t], r, memory - inputs[t])
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
    """Return the gradients of `u`, `x`, `v` and `c0`.

    Args:
        u: as for `forward`.
        x: as for `forward`.
        v: as for `forward`.
        c0: as for `forward`.
        c: memories that `forward` returned, shape `(T, M, D)`.
        grad_h: `dL/dh`, shape `(T, M, D)`.
        grad_last: `dL/dc_T`, shape `(M, D)`.
    """
    grad_u, grad_x = torch.empty_like(u), torch.empty_like(x)
    candidate, forget, skip = _wide(u).unbind(0)
    inputs, peephole, outer = _wide(x), _wide(v), _wide(grad_h)
    after = _wide(c)
    before = torch.cat([_wide(c0)[None], after[:-1]])
    f = torch.addcmul(forget, peephole[0], before).sigmoid_()
    r = torch.addcmul(skip, peephole[1], before).sigmoid_()
    to_forget = f * (1 - f) * (before - candidate)
    to_memory = torch.addcmul(f, to_forget, peephole[0])
    grad_c = outer * r
    grad_x.copy_(outer - grad_c)
    grad_skip = grad_c * (1 - r) * (after - inputs)
    through_skip = grad_skip * peephole[1]
    grad_c[-1] += grad_last
    for t in range(len(x) - 1, 0, -1):
        grad_c[t - 1].add_(through_skip[t]).addcmul_(to_memory[t], grad_c[t])
    grad_forget = grad_c * to_forget
    grad_u[0], grad_u[1], grad_u[2] = grad_c * (1 - f), grad_forget, grad_skip
    grad_v = torch.stack([(grad_forget * before).sum((0, 1)), (grad_skip * before).sum((0, 1))])
    return grad_u, grad_x, grad_v.to(v.dtype), (to_memory[0] * grad_c[0] + through_skip[0]).to(c0.dtype)


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()
