"""The layers: the equations of the README, one sequence and one step at a time, and dropout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from sru_kernels import SRU, SRULayer

README = Path(__file__).parents[1] / "README.md"


def by_the_equations(layer: SRULayer, inputs: torch.Tensor) -> torch.Tensor:
    """Return the outputs for one sequence, shape `(T, D)`, with `c_0 = W x_1`."""
    (w, w_f, w_r), (b_f, b_r), (v_f, v_r) = layer.weight, layer.bias, layer.peephole
    c, outputs = w @ inputs[0], []
    for x in inputs:
        f = torch.sigmoid(w_f @ x + v_f * c + b_f)
        r = torch.sigmoid(w_r @ x + v_r * c + b_r)
        c = f * c + (1 - f) * (w @ x)
        outputs.append(r * c + (1 - r) * x)
    return torch.stack(outputs)


@pytest.mark.parametrize("layers", [1, 3])
@torch.no_grad()
def test_a_stack_follows_its_equations(layers: int) -> None:
    torch.manual_seed(1)
    stack = SRU(5, layers).double()
    for layer in stack.stack:
        torch.nn.init.normal_(layer.peephole)
        torch.nn.init.normal_(layer.weight, std=0.4)
    x = torch.randn(7, 3, 5, dtype=torch.float64)
    found, memories = stack(x)
    for sequence in range(3):
        expected = x[:, sequence]
        for layer in stack.stack:
            expected = by_the_equations(layer, expected)
        torch.testing.assert_close(found[:, sequence], expected, rtol=0, atol=1e-14)
    assert [memory.shape for memory in memories] == [(3, 5)] * layers


@torch.no_grad()
def test_dropout_drops_the_same_channels_at_all_times() -> None:
    stack, ones = SRU(6, dropout=0.5), torch.ones(6, 50, 6)
    dropped = [stack(ones, generator=torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)]
    assert torch.equal(dropped[0], dropped[1])
    assert not torch.equal(dropped[0], dropped[2])
    kept = torch.rand(1, 50, 6, generator=torch.Generator().manual_seed(1)) >= 0.5
    assert torch.equal(dropped[0], stack(2 * ones * kept)[0])


def test_the_example_of_the_readme_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(example, {})  # noqa: S102 - our own text
