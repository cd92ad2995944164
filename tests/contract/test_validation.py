from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
import torch

from qdynbench import Block, Initial, InvalidOutput, Problem, observables
from qdynbench.contract.validation import checked_blocks

STATES = torch.eye(16, dtype=torch.complex128)[:3]
INITIAL = Initial(STATES)
PROBLEM = Problem(4, np.linspace(0, 0.5, 6))
WHOLE = STATES[:, None].expand(3, 6, 16)


def check(*blocks: object) -> list[Block]:
    return list(checked_blocks(blocks, PROBLEM, INITIAL))  # type: ignore[arg-type]


def changed(states: torch.Tensor, where: tuple[int, ...], value: complex) -> torch.Tensor:
    states = states.clone()
    states.numpy()[where] = value
    return states


@pytest.mark.parametrize("cuts", [(6,), (1, 6), (2, 3, 6), (1, 2, 3, 4, 5, 6)])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_blocks_of_a_trajectory_pass_unchanged(cuts: tuple[int, ...], dtype: torch.dtype) -> None:
    starts = (0, *cuts[:-1])
    passed = check(*(Block(a, WHOLE[:, a:b].to(dtype)) for a, b in zip(starts, cuts, strict=True)))
    states = [block.states for block in passed if block.states is not None]
    assert [block.start for block in passed] == list(starts)
    assert torch.equal(torch.cat(states, dim=1), WHOLE.to(dtype))


def read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [
        WHOLE.numpy().copy(),
        read_only(WHOLE.numpy().copy()),
        WHOLE.numpy()[:, ::-1],
        WHOLE.tolist(),
        WHOLE.clone().requires_grad_(),
        WHOLE.conj(),
    ],
    ids=["numpy", "read-only", "negative strides", "lists", "with gradient", "lazily conjugated"],
)
def test_any_array_becomes_a_plain_tensor(array: object) -> None:
    (block,) = check(Block(0, array))  # type: ignore[arg-type]
    assert isinstance(block.states, torch.Tensor)
    assert np.array_equal(block.states.numpy(), WHOLE.numpy())


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([Block(0, WHOLE[..., :8])], r"states of shape \(B, k, 2\*\*N\) = \(3, 6, 16\) expected, \(3, 6, 8\) came"),
        ([Block(0, WHOLE[:2])], r"= \(3, 6, 16\) expected, \(2, 6, 16\) came"),
        ([Block(0, WHOLE[0])], r"\(6, 16\) came"),
        ([Block(0, WHOLE[:, 0, 0])], r"= \(3, k, 16\) expected, \(3,\) came"),
        ([Block(0, WHOLE[:, :0])], r"= \(3, k, 16\) expected, \(3, 0, 16\) came"),
        ([Block(0, WHOLE.real)], "dtype torch.complex64 or torch.complex128 expected, torch.float64 came"),
        ([Block(1, WHOLE[:, 1:])], "starts at time index 0 expected, one that starts at 1 came"),
        ([Block(0, WHOLE[:, :2]), Block(3, WHOLE[:, 3:])], "starts at time index 2 expected, one that starts at 3"),
        ([Block(0, WHOLE[:, :2]), Block(1, WHOLE[:, 1:])], "starts at time index 2 expected, one that starts at 1"),
        ([Block(0, WHOLE[:, :2])], "6 times expected, only 2 came"),
        ([Block(0, WHOLE), Block(6, WHOLE[:, :1])], "6 times expected, at least 7 came"),
        ([], "6 times expected, only 0 came"),
        ([Block(0, WHOLE[:, :2]), Block(2, changed(WHOLE[:, 2:], (1, 3, 5), complex("nan")))], "nan came in states of "
         "state 1 at time index 5"),
        ([Block(0, changed(WHOLE, (2, 4, 0), complex(0, math.inf)))], "inf came in states of state 2 at time index 4"),
        ([Block(0, WHOLE.flip(0))], "initial state expected at time index 0, states of state 0 deviates by 1"),
        ([Block(0, changed(WHOLE, (1, 0, 0), 1e-8))], "states of state 1 deviates by 1e-08"),
        ([Block(0)], "with states or observables expected, one with neither"),
        ([Block(0, observables={"sz": WHOLE[..., 0].real})], "among x, y, z, energy, energy_variance, norm, entropy, "
         "truncation expected, sz"),
        ([WHOLE], "a qdynbench.Block expected from solve, a Tensor came"),
        ([None], "a qdynbench.Block expected from solve, None came"),  # it was taken for the end
        ([Block(0.0, WHOLE)], "an integer as the start of a block expected, a float came"),  # type: ignore[arg-type]
        ([Block("0", WHOLE)], "an integer as the start of a block expected, a str came"),  # type: ignore[arg-type]
        ([Block(0, "states")], "states as a numerical array expected, a str came"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_what_is_no_trajectory_is_refused(blocks: Iterable[object], message: str) -> None:
    with pytest.raises(InvalidOutput, match=message):
        check(*blocks)


def test_solve_without_blocks_is_refused() -> None:
    with pytest.raises(InvalidOutput, match="iterator of blocks expected from solve, None came"):
        list(checked_blocks(None, PROBLEM, INITIAL))  # type: ignore[arg-type]


def test_large_finite_numbers_are_not_taken_for_infinite() -> None:
    check(Block(0, changed(changed(WHOLE, (0, 5, 1), 1.5e308), (0, 5, 2), 1.5e308)))


def test_observables_stand_for_states() -> None:
    spins = observables.magnetization(WHOLE)
    given = {"x": spins["x"], "z": spins["z"], "norm": observables.norm(WHOLE).float()}
    (block,) = check(Block(0, observables=given))
    assert block.states is None
    assert set(block.observables) == {"x", "z", "norm"}
    with pytest.raises(InvalidOutput, match=r"z of shape \(B, k, N\) = \(3, 6, 4\) expected, \(3, 6\) came"):
        check(Block(0, observables=given | {"z": given["norm"]}))
    with pytest.raises(InvalidOutput, match=r"norm of shape \(B, k\) = \(3, 6\) expected, \(3, 5\) came"):
        check(Block(0, observables=given | {"norm": given["norm"][:, :5]}))
    with pytest.raises(InvalidOutput, match="z of state 1 deviates by 2"):
        check(Block(0, observables=given | {"z": given["z"].flip(-1)}))
    first = Block(0, observables={name: values[:, :3] for name, values in given.items()})
    with pytest.raises(InvalidOutput, match="blocks of norm, x, z expected, one of norm, x came"):
        check(first, Block(3, observables={name: values for name, values in first.observables.items() if name != "z"}))


def test_a_block_is_passed_on_before_the_next_one_is_made() -> None:
    made = []

    def solve() -> Iterable[Block]:
        for start in range(6):
            made.append(start)
            yield Block(start, WHOLE[:, start : start + 1])

    for block in checked_blocks(solve(), PROBLEM, INITIAL):
        assert made[-1] == block.start


def test_the_first_state_of_spinors_alone_is_checked() -> None:
    spinors = torch.tensor([[[1, 0], [0, 1]], [[0.6, 0.8j], [1, 0]]], dtype=torch.complex128)
    problem, initial = Problem(2, np.array([0.0, 1.0])), Initial(spinors=spinors)
    states = torch.tensor([[0, 1, 0, 0], [0.6, 0, 0.8j, 0]], dtype=torch.complex128)[:, None].expand(2, 2, 4)
    spins = dict(observables.magnetization(states))
    assert len(list(checked_blocks([Block(0, None, spins)], problem, initial))) == 1
    with pytest.raises(InvalidOutput, match="z of state 0 deviates by 2"):
        list(checked_blocks([Block(0, None, {"z": -spins["z"]})], problem, initial))
    assert not initial.vectors_exist
    assert len(list(checked_blocks([Block(0, states)], problem, initial))) == 1
    with pytest.raises(InvalidOutput, match="states of state 0 deviates by 1"):
        list(checked_blocks([Block(0, states.flip(-1))], problem, initial))
