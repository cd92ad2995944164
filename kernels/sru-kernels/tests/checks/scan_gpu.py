"""What the Triton scan must do. Run by `test_gpu`, interpreted on the CPU and compiled on a GPU; see there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from sru_kernels import sru_scan, use
from sru_kernels._scan import gpu
from sru_kernels.benchmark.contenders import Scan, plain_loop

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
TOLERANCES = {torch.float64: 1e-13, torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
"""Relative to the largest element. Half precision: a few roundings of the result and of the kept memories."""
SHAPES = [(1, 1, 1), (3, 2, 63), (2, 1, 500), (6, 3, 4)]


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fill all memory that is given out without contents with NaN."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3, device=DEVICE).isnan().all()
    with use("gpu"):
        yield
    torch.use_deterministic_algorithms(False)


def tensors(shape: tuple[int, int, int], dtype: torch.dtype) -> list[torch.Tensor]:
    _, sequences, width = shape
    generator = torch.Generator().manual_seed(1)
    shapes = [(3, *shape), shape, (2, width), (sequences, width), shape, (sequences, width)]
    return [torch.randn(each, generator=generator, dtype=torch.float64).to(DEVICE, dtype) for each in shapes]


def results(
    scan: Scan, inputs: list[torch.Tensor], grad_h: torch.Tensor, grad_last: torch.Tensor
) -> list[torch.Tensor]:
    """Outputs, last memory and the four gradients."""
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    outputs = scan(*leaves)
    return [*outputs, *torch.autograd.grad(outputs, leaves, (grad_h, grad_last))]


def check(inputs: list[torch.Tensor], grad_h: torch.Tensor, grad_last: torch.Tensor) -> list[torch.Tensor]:
    tolerance = TOLERANCES[inputs[0].dtype]
    ours = results(sru_scan, inputs, grad_h, grad_last)
    exact = results(plain_loop, [tensor.double() for tensor in inputs], grad_h.double(), grad_last.double())
    for result, expected in zip(ours, exact, strict=True):
        assert result.dtype == inputs[0].dtype
        limit = tolerance * float(expected.detach().abs().max())
        torch.testing.assert_close(result.double(), expected, rtol=0, atol=limit)
    return ours


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients(shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    *inputs, grad_h, grad_last = tensors(shape, dtype)
    check(inputs, grad_h, grad_last)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_programs_of_wide_loads_and_four_warps(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "ENOUGH_THREADS", 1)
    monkeypatch.setattr(gpu, "FULL_THREADS", 1)
    *inputs, grad_h, grad_last = tensors((3, 5, 144), dtype)
    assert gpu.shape_of_programs(5 * 144, 3, 16, inputs[0].element_size())[0] == 2048 // inputs[0].element_size()
    check(inputs, grad_h, grad_last)


def test_batch_first_tensors_are_taken_and_returned_as_they_lie() -> None:
    *inputs, grad_h, grad_last = tensors((4, 3, 6), torch.float32)
    u, x = (
        inputs[0].transpose(1, 2).contiguous().transpose(1, 2),
        inputs[1].transpose(0, 1).contiguous().transpose(0, 1),
    )
    ours = check([u, x, *inputs[2:]], grad_h, grad_last)
    assert ours[0].stride() == x.stride()
    assert ours[2].stride() == u.stride()
    assert ours[3].stride() == x.stride()
    for result, expected in zip(ours, results(sru_scan, inputs, grad_h, grad_last), strict=True):
        assert torch.equal(result, expected)


def test_channels_that_are_not_neighbours_and_gradients_without_strides() -> None:
    *inputs, _, grad_last = tensors((3, 2, 5), torch.float32)
    apart = [tensor.transpose(-1, -2).contiguous().transpose(-1, -2) for tensor in inputs]
    ones = torch.ones((), device=DEVICE)
    ours = check(apart, ones.expand_as(inputs[1]), grad_last)
    assert ours[0].stride() == apart[1].stride()


def test_no_sequences_at_all() -> None:
    *inputs, grad_h, grad_last = tensors((3, 0, 5), torch.float32)
    ours = results(sru_scan, inputs, grad_h, grad_last)
    assert ours[0].shape == (3, 0, 5)
    assert torch.equal(ours[4], torch.zeros_like(inputs[2]))


def test_gates_far_beyond_the_range_of_exp() -> None:
    *inputs, grad_h, grad_last = tensors((3, 2, 5), torch.float32)
    inputs[0][1:] *= 1000
    check(inputs, grad_h, grad_last)


@pytest.mark.gpu
@pytest.mark.skipif(INTERPRETED, reason="needs a CUDA device")
def test_gradients_repeat_bitwise() -> None:
    *inputs, grad_h, grad_last = tensors((50, 333, 96), torch.float32)
    first = results(sru_scan, inputs, grad_h, grad_last)
    for _ in range(5):
        for result, expected in zip(results(sru_scan, inputs, grad_h, grad_last), first, strict=True):
            assert torch.equal(result, expected)


@pytest.mark.gpu
@pytest.mark.skipif(INTERPRETED, reason="needs a CUDA device")
@pytest.mark.parametrize("shape", [(100, 64, 128), (64, 4099, 128), (17, 2048, 500), (5, 70000, 8)], ids=str)
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_values_and_gradients_of_large_problems(shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    *inputs, grad_h, grad_last = tensors(shape, dtype)
    inputs[2] *= 0.3  # with strong peepholes one of a million memories may double a rounding error at every step
    check(inputs, grad_h, grad_last)


@pytest.mark.gpu
@pytest.mark.skipif(INTERPRETED, reason="needs a CUDA device")
def test_more_than_two_to_the_31_elements() -> None:
    if torch.cuda.get_device_properties(0).total_memory < 100e9:
        pytest.skip("needs a CUDA device of 100 GB")
    torch.use_deterministic_algorithms(False)
    steps, sequences, width, kind = 4, (1 << 20) + 1, 513, torch.bfloat16
    generator = torch.Generator(DEVICE).manual_seed(1)

    def random(*shape: int) -> torch.Tensor:
        return torch.empty(shape, device=DEVICE, dtype=kind).normal_(generator=generator)

    u, x, v, c0 = (
        random(3, steps, sequences, width),
        random(steps, sequences, width),
        random(2, width),
        random(1, width),
    )
    assert x.numel() > 1 << 31
    c0 = c0.expand(sequences, width)
    h, c = gpu.forward(u, x, v, c0)
    grad_u, grad_x, _, grad_c0 = gpu.backward(u, x, v, c0, c, x, c0)
    end = slice(sequences - 7, sequences)
    part = [u[:, :, end].contiguous(), x[:, end].contiguous(), v, c0[end].contiguous()]
    expected_h, expected_c = gpu.forward(*part)
    expected = gpu.backward(*part, expected_c, part[1], part[3])
    # Programs of another shape may round a last digit differently; a wrong offset is another number.
    ours = (h[:, end], c[:, end], grad_u[:, :, end], grad_x[:, end], grad_c0[end])
    for result, whole in zip(ours, (expected_h, expected_c, *expected[:2], expected[3]), strict=True):
        torch.testing.assert_close(result, whole, rtol=2e-2, atol=2e-2)


@pytest.mark.gpu
@pytest.mark.skipif(INTERPRETED, reason="needs a CUDA device")
def test_it_can_be_recorded_in_a_graph() -> None:
    torch.use_deterministic_algorithms(False)
    *inputs, grad_h, grad_last = tensors((20, 30, 64), torch.float32)
    expected = gpu.forward(*inputs)
    gpu.backward(*inputs, expected[1], grad_h, grad_last)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        h, c = gpu.forward(*inputs)
        grads = gpu.backward(*inputs, c, grad_h, grad_last)
    inputs[1].mul_(0.5)
    graph.replay()
    now = gpu.forward(*inputs)
    for result, value in zip((h, c, *grads), (*now, *gpu.backward(*inputs, now[1], grad_h, grad_last)), strict=True):
        assert torch.equal(result, value)
    assert not torch.equal(h, expected[0])
