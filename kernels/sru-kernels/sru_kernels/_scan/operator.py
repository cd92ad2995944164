"""The scan as an operator of torch: seen by autograd, by `torch.compile` and by `opcheck`."""

from __future__ import annotations

from typing import Any

import torch

from sru_kernels._scan import choice

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def sru_scan(u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the outputs and the last memory of one layer.

    The first two axes may be strided as they like: sequences that lie batch first are passed as transposed views.

    Args:
        u: `w`, `p` and `q` of the package's equations, gate first, shape `(3, T, M, D)`.
        x: input of the layer, shape `(T, M, D)`: T times, M independent sequences, D channels.
        v: peepholes `v_f` and `v_r`, shape `(2, D)`.
        c0: memory before the first time, shape `(M, D)`.

    Returns:
        `h` of shape `(T, M, D)`, laid out as `x`, and `c_T` of shape `(M, D)`.

    Raises:
        ValueError: shapes that do not belong together, no time at all, or dtypes other than one of float64, float32,
            bfloat16, float16.
    """
    if x.ndim != 3 or len(x) == 0:
        raise ValueError(f"x: expected shape (T, M, D) with T >= 1, got {tuple(x.shape)}")
    for name, tensor, shape in (("u", u, (3, *x.shape)), ("v", v, (2, *x.shape[2:])), ("c0", c0, x.shape[1:])):
        if tensor.shape != shape:
            raise ValueError(f"{name}: expected shape {tuple(shape)}, got {tuple(tensor.shape)}")
    if x.dtype not in DTYPES or not x.dtype == u.dtype == v.dtype == c0.dtype:
        kinds = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)
        raise ValueError(f"expected one dtype among {kinds}; got {[t.dtype for t in (u, x, v, c0)]}")
    h, _, last = _scan(u, x, v, c0)
    return h, last


@torch.library.custom_op("sru_kernels::scan", mutates_args=())
def _scan(
    u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return `h`, the memories after every step (kept for the gradient) and a copy of the last one."""
    h, c = choice.load(x.device.type).forward(u, x, v, c0)
    return h, c, c[-1].clone(memory_format=torch.contiguous_format)


@torch.library.custom_op("sru_kernels::scan_backward", mutates_args=())
def _scan_backward(
    u: torch.Tensor,
    x: torch.Tensor,
    v: torch.Tensor,
    c0: torch.Tensor,
    c: torch.Tensor,
    grad_h: torch.Tensor,
    grad_last: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return choice.load(x.device.type).backward(u, x, v, c0, c, grad_h, grad_last)


@_scan.register_fake
def _(
    u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.empty_like(x), torch.empty_like(x), c0.new_empty(c0.shape)


@_scan_backward.register_fake
def _(
    u: torch.Tensor,
    x: torch.Tensor,
    v: torch.Tensor,
    c0: torch.Tensor,
    c: torch.Tensor,
    grad_h: torch.Tensor,
    grad_last: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.empty_like(u), torch.empty_like(x), v.new_empty(v.shape), c0.new_empty(c0.shape)


def _setup(ctx: Any, inputs: tuple[torch.Tensor, ...], output: tuple[torch.Tensor, ...]) -> None:
    # The gradient of the memories is never asked for, nor one of zeros the size of a trajectory made.
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs, output[1])


def _gradient(
    ctx: Any, grad_h: torch.Tensor | None, _: torch.Tensor | None, grad_last: torch.Tensor | None
) -> tuple[torch.Tensor | None, ...]:
    u, x, v, c0, c = ctx.saved_tensors
    if grad_h is None and grad_last is None:
        return None, None, None, None
    grad_h = torch.zeros_like(x) if grad_h is None else grad_h
    grad_last = torch.zeros_like(c0) if grad_last is None else grad_last
    grads: tuple[torch.Tensor, ...] = _scan_backward(u, x, v, c0, c, grad_h, grad_last)
    return grads


_scan.register_autograd(_gradient, setup_context=_setup)
