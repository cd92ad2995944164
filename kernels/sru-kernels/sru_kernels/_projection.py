"""The matrix products before the scan: for candidate, forget gate and skip gate, laid out as the scan reads them.

`torch.baddbmm` on an input expanded to all three does the same, but autograd then makes the gradient of the expanded
input, three times its size, and adds it up afterwards.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable


def project(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Return `W x`, `W_f x + b_f` and `W_r x + b_r`, shape `(3, ..., D)`, in the precision that autocast asks for.

    Args:
        x: inputs, shape `(..., D)`.
        weight: of candidate, forget and skip gate, shape `(3, D, D)`.
        bias: of forget and skip gate, shape `(2, D)`.
    """
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    rows = x.reshape(-1, x.shape[-1])
    u: torch.Tensor = _Projection.apply(rows.to(dtype), weight.to(dtype), bias.to(dtype))  # type: ignore[no-untyped-call]
    return u.view(3, *x.shape)


class _Projection(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        u = x.new_empty(3, *x.shape)
        torch.mm(x, weight[0].T, out=u[0])
        for gate in (1, 2):
            torch.addmm(bias[gate - 1], x, weight[gate].T, out=u[gate])
        return u

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x, weight = ctx.saved_tensors
        grad_x = grad_u[0] @ weight[0]
        grad_weight = torch.empty_like(weight)
        torch.mm(grad_u[0].T, x, out=grad_weight[0])
        for gate in (1, 2):
            grad_x.addmm_(grad_u[gate], weight[gate])
            torch.mm(grad_u[gate].T, x, out=grad_weight[gate])
        return grad_x, grad_weight, grad_u[1:].sum(1)
