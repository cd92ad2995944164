"""`sru_scan`: the paper's equations, their gradient, and that it pays."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from qdynbench_sru.scan import sru_scan

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "scan_vs_autograd.py"))
plain_loop, measure = BENCHMARK["plain_loop"], BENCHMARK["measure"]


def tensors(steps, sequences, width, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    shapes = [(3, steps, sequences, width), (steps, sequences, width), (2, width), (sequences, width)]
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


SHAPES = [(5, 3, 4), (1, 3, 4), (7, 1, 1), (2, 2, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_against_finite_differences(shape):
    assert torch.autograd.gradcheck(sru_scan, tensors(*shape))


@pytest.mark.parametrize("shape", [*SHAPES, (40, 6, 8)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-4)])
def test_output_and_gradient_are_those_of_the_plain_loop(shape, dtype, tolerance):
    inputs = tensors(*shape, dtype=dtype)
    ours, plain = sru_scan(*inputs), plain_loop(*inputs)
    weight = torch.randn(ours[0].shape, dtype=dtype, generator=torch.Generator().manual_seed(2))
    for out, expected in zip(ours, plain, strict=True):
        torch.testing.assert_close(out, expected, rtol=tolerance, atol=tolerance)
    grads = [torch.autograd.grad((weight * h).sum() + (last**2).sum(), inputs) for h, last in (ours, plain)]
    for out, expected in zip(*grads, strict=True):
        torch.testing.assert_close(out, expected, rtol=tolerance, atol=tolerance)


def test_a_sequence_cut_in_two_goes_on_from_its_memory():
    u, x, v, c0 = tensors(9, 3, 4)
    whole, end = sru_scan(u, x, v, c0)
    first, memory = sru_scan(u[:, :4], x[:4], v, c0)
    second, last = sru_scan(u[:, 4:], x[4:], v, memory)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=1e-15)
    torch.testing.assert_close(last, end, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("number", "replacement", "message"),
    [
        (0, torch.zeros(5, 3, 3, 4, dtype=torch.float64), "u: expected shape"),
        (1, torch.zeros(0, 3, 4, dtype=torch.float64), "T >= 1"),
        (2, torch.zeros(4, dtype=torch.float64), "v: expected shape"),
        (3, torch.zeros(3, 4), "one dtype"),
    ],
)
def test_wrong_input_is_named(number, replacement, message):
    inputs = tensors(5, 3, 4)
    inputs[number] = replacement
    with pytest.raises(ValueError, match=message):
        sru_scan(*inputs)


def test_it_is_more_than_three_times_as_fast_as_the_plain_loop():
    assert measure(steps=30, sequences=512, width=8, rounds=15, threads=1)["ratio"] > 3
