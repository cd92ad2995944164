"""Check the output of a solver before it is used. Each rule is one function with one message."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.utils.dlpack

from qdynbench.contract.initial import Initial
from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Block
from qdynbench.errors import InvalidOutput
from qdynbench.physics import observables, product

Tensors = dict[str, torch.Tensor]

PER_SITE = ("x", "y", "z")
PER_STATE = ("energy", "energy_variance", "norm", "entropy", "truncation")
BESIDE_STATES = ("truncation",)
"""Observables that cannot be computed from states and may therefore be in a block beside them."""

FIRST_STATE_TOLERANCE = {
    torch.complex64: 1e-6,
    torch.complex128: 1e-9,
    torch.float32: 1e-5,
    torch.float64: 1e-6,
}
"""Largest deviation of an amplitude or (real types) a spin at index 0 that rounding and compression may cause."""


def checked_blocks(blocks: Iterable[Block], problem: Problem, initial: Initial) -> Iterator[Block]:
    """Yield the blocks as torch tensors, after checking that they form a trajectory of the problem.

    The checks take one pass over the data. Each block is yielded before the next one is asked for, without a copy.

    Args:
        blocks: the result of `Solver.solve`.
        problem: the problem that was to be solved.
        initial: the initial states.

    Raises:
        InvalidOutput: there is something other than blocks, a wrong shape or dtype, a number that is not finite, blocks
            out of order, too few or too many times, or a first state that is not the initial one.
    """
    batch = len(initial)
    position = 0
    names: set[str] | None = None
    for block in iterated(blocks):
        tensors = formed(block, position, problem, batch)
        check_names(tensors, names)
        check_finite(tensors, position)
        if position == 0:
            check_first(tensors, initial)
        names = set(tensors)
        position += length_of(tensors)
        states = tensors.get("states")
        yield Block(block.start, states, {name: tensor for name, tensor in tensors.items() if name != "states"})
    check_complete(position, problem)


def formed(block: Block, position: int, problem: Problem, batch: int) -> Tensors:
    """Return the tensors of a block after checking where it stands in a trajectory and its form, but not its numbers.

    Args:
        block: a block.
        position: index of the time at which it has to start.
        problem: the problem that was to be solved.
        batch: number of states.

    Raises:
        InvalidOutput: it is no block, starts elsewhere, has a wrong shape or dtype, or goes beyond the grid.
    """
    tensors = tensors_of(block)
    check_order(block, position)
    check_shapes(tensors, problem, batch)
    check_dtypes(tensors)
    check_end(position + length_of(tensors), problem)
    return tensors


def length_of(tensors: Tensors) -> int:
    """Return the number of times k of a checked block."""
    return next(iter(tensors.values())).shape[1]


def iterated(blocks: Iterable[Block]) -> Iterator[Block]:
    """Return an iterator over what `solve` returned.

    Raises:
        InvalidOutput: it is not iterable.
    """
    try:
        return iter(blocks)
    except TypeError:
        hint = "; write `yield` in place of `return`" if isinstance(blocks, Block) else ""
        hint = "; `yield` the blocks" if blocks is None else hint
        raise InvalidOutput(f"an iterator of blocks expected from solve, {_kind(blocks)} came{hint}") from None


def tensors_of(block: Block) -> Tensors:
    """Return the states of a block as `{"states": ...}` with the observables allowed beside them, or its observables.

    DLPack arrays become tensors.

    Raises:
        InvalidOutput: it is no block, it is empty, or it holds something other than numerical arrays.
    """
    if not isinstance(block, Block):
        hint = "; write `yield Block(index, states)`" if hasattr(block, "shape") else ""
        raise InvalidOutput(f"a qdynbench.Block expected from solve, {_kind(block)} came{hint}")
    given: Mapping[str, Any] = block.observables
    if block.states is not None:
        beside = {name: given[name] for name in BESIDE_STATES if name in given}
        given = {"states": block.states, **beside}
    if not given:
        raise InvalidOutput("a block with states or observables expected, one with neither came")
    unknown = sorted(set(given) - {"states", *PER_SITE, *PER_STATE})
    if unknown:
        known = ", ".join((*PER_SITE, *PER_STATE))
        raise InvalidOutput(f"observables among {known} expected, {', '.join(unknown)} came")
    return {name: _tensor(name, array) for name, array in given.items()}


def tensors_in(block: Block) -> Tensors:
    """Return all tensors of a checked block by name, its states as "states"."""
    return dict(block.observables) if block.states is None else {"states": block.states, **block.observables}


def _tensor(name: str, array: Any) -> torch.Tensor:
    if isinstance(array, torch.Tensor):
        tensor = array
    else:
        try:
            tensor = torch.utils.dlpack.from_dlpack(array)
        except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
            # Lists, and arrays that DLPack does not accept, such as read-only ones or those with negative strides.
            try:
                tensor = torch.from_numpy(np.array(array))
            except (TypeError, ValueError):
                raise InvalidOutput(f"{name} as a numerical array expected, {_kind(array)} came") from None
    return tensor.detach().resolve_conj().resolve_neg()


def check_order(block: Block, position: int) -> None:
    """Refuse a block that does not start where the block before it ended."""
    try:
        start = operator.index(block.start)
    except TypeError:
        raise InvalidOutput(f"an integer as the start of a block expected, {_kind(block.start)} came") from None
    if start != position:
        raise InvalidOutput(
            f"a block that starts at time index {position} expected, one that starts at {block.start} came"
        )


def check_names(tensors: Tensors, names: set[str] | None) -> None:
    """Refuse a block whose contents differ from `names`, those of the block before; None for the first block."""
    if names is not None and set(tensors) != names:
        raise InvalidOutput(f"blocks of {', '.join(sorted(names))} expected, one of {', '.join(sorted(tensors))} came")


def check_shapes(tensors: Tensors, problem: Problem, batch: int) -> None:
    """Refuse wrong shapes, and ragged or empty blocks."""
    length: int | None = None
    for name, tensor in tensors.items():
        shape = tuple(tensor.shape)
        last: tuple[int, ...]
        if name == "states":
            form, last = "(B, k, 2**N)", (problem.dimension,)
        elif name in PER_SITE:
            form, last = "(B, k, N)", (problem.size,)
        else:
            form, last = "(B, k)", ()
        length = shape[1] if length is None and len(shape) > 1 else length
        if len(shape) < 2 or shape != (batch, length, *last) or length == 0:
            expected = ", ".join(str(part) for part in (batch, length or "k", *last))
            raise InvalidOutput(f"{name} of shape {form} = ({expected}) expected, {shape} came")


def check_dtypes(tensors: Tensors) -> None:
    """Refuse anything but complex states and real observables in single or double precision."""
    for name, tensor in tensors.items():
        allowed = (torch.complex64, torch.complex128) if name == "states" else (torch.float32, torch.float64)
        if tensor.dtype not in allowed:
            raise InvalidOutput(f"{name} of dtype {' or '.join(map(str, allowed))} expected, {tensor.dtype} came")


def check_finite(tensors: Tensors, start: int) -> None:
    """Refuse NaN and infinity; the message gives the position of the first one."""
    for name, tensor in tensors.items():
        numbers = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        # A sum needs no mask of the block's size. It may overflow, so the mask decides where the sum is not finite.
        if torch.isfinite(numbers.sum()):
            continue
        wrong = (~torch.isfinite(numbers)).nonzero()
        if len(wrong):
            sample, column = int(wrong[0, 0]), int(wrong[0, 1])
            raise InvalidOutput(
                f"finite numbers expected, {float(numbers[tuple(wrong[0])])} came in {name} of state {sample} "
                f"at time index {start + column}"
            )


def check_first(tensors: Tensors, initial: Initial) -> None:
    """Refuse a trajectory whose first column is not the initial state or, for observables, not its spins."""
    expected = {"states": initial.states} if "states" in tensors else _spins(initial)
    for name, exact in expected.items():
        if name not in tensors:
            continue
        first = tensors[name][:, 0]
        deviation = (first.to(exact.device).to(exact.dtype) - exact).abs().flatten(1).amax(1)
        worst = int(deviation.argmax())
        if deviation[worst] > FIRST_STATE_TOLERANCE[first.dtype]:
            raise InvalidOutput(
                f"the initial state expected at time index 0, {name} of state {worst} deviates by "
                f"{float(deviation[worst]):.2g}"
            )


def _spins(initial: Initial) -> Tensors:
    if initial.spinors is None:
        return {str(axis): values for axis, values in observables.magnetization(initial.states).items()}
    found = product.spins(initial.spinors.cpu().numpy())
    return {str(axis): torch.from_numpy(values) for axis, values in found.items()}


def check_end(position: int, problem: Problem) -> None:
    """Refuse more times than the grid has."""
    if position > problem.steps + 1:
        raise InvalidOutput(f"{problem.steps + 1} times expected, at least {position} came")


def check_complete(position: int, problem: Problem) -> None:
    """Refuse fewer times than the grid has."""
    if position < problem.steps + 1:
        raise InvalidOutput(f"{problem.steps + 1} times expected, only {position} came")


def _kind(thing: object) -> str:
    return f"a {type(thing).__name__}" if thing is not None else "None"
