"""Checking what a solver yields, before anything is made of it: each rule is one function, with one message."""

from __future__ import annotations

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
"""What states do not tell, and may therefore stand in a block beside them."""

FIRST_STATE_TOLERANCE = {
    torch.complex64: 1e-6,
    torch.complex128: 1e-9,
    torch.float32: 1e-5,
    torch.float64: 1e-6,
}
"""Largest deviation at index 0 of an amplitude or (real types) a spin: rounding and compression, not another state."""


def checked_blocks(blocks: Iterable[Block], problem: Problem, initial: Initial) -> Iterator[Block]:
    """Pass blocks on, as torch tensors, while they are a trajectory of the problem.

    Costs one pass over the data. Blocks are passed on before the next one is asked for, and not copied.

    Args:
        blocks: what `Solver.solve` returned.
        problem: what was to be solved.
        initial: the states it was given.

    Raises:
        InvalidOutput: something else than blocks; states or observables of another shape or dtype; a number that is
            not finite; blocks out of order, too few or too many times; another first state than the initial one.
    """
    batch = len(initial)
    position = 0
    names: set[str] | None = None
    for block in iterated(blocks):
        tensors = tensors_of(block)
        check_order(block, position)
        check_names(tensors, names)
        length = check_shapes(tensors, problem, batch)
        check_dtypes(tensors)
        check_finite(tensors, position)
        if position == 0:
            check_first(tensors, initial)
        names = set(tensors)
        position += length
        check_end(position, problem)
        states = tensors.get("states")
        yield Block(block.start, states, {name: tensor for name, tensor in tensors.items() if name != "states"})
    check_complete(position, problem)


def iterated(blocks: Iterable[Block]) -> Iterator[Block]:
    """Return an iterator over what `solve` returned.

    Raises:
        InvalidOutput: it cannot be iterated.
    """
    try:
        return iter(blocks)
    except TypeError:
        raise InvalidOutput(f"an iterator of blocks expected from solve, {_kind(blocks)} came") from None


def tensors_of(block: Block) -> Tensors:
    """Return the block's states as `{"states": ...}` with what may stand beside them, or else its observables.

    Any DLPack array becomes a tensor.

    Raises:
        InvalidOutput: no block, an empty one, or arrays that are none.
    """
    if not isinstance(block, Block):
        raise InvalidOutput(f"a qdynbench.Block expected from solve, {_kind(block)} came")
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
    """Return all that a checked block holds, its states as "states"."""
    return dict(block.observables) if block.states is None else {"states": block.states, **block.observables}


def _tensor(name: str, array: Any) -> torch.Tensor:
    if isinstance(array, torch.Tensor):
        tensor = array
    else:
        try:
            tensor = torch.utils.dlpack.from_dlpack(array)
        except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
            # Lists, and arrays that DLPack does not take, such as read-only ones or those with negative strides.
            try:
                tensor = torch.from_numpy(np.array(array))
            except (TypeError, ValueError):
                raise InvalidOutput(f"{name} as a numerical array expected, {_kind(array)} came") from None
    return tensor.detach().resolve_conj().resolve_neg()


def check_order(block: Block, position: int) -> None:
    """Refuse a gap or an overlap: the block has to start where the one before it ended."""
    if block.start != position:
        raise InvalidOutput(
            f"a block that starts at time index {position} expected, one that starts at {block.start} came"
        )


def check_names(tensors: Tensors, names: set[str] | None) -> None:
    """Refuse other contents than in the block before, None for the first block."""
    if names is not None and set(tensors) != names:
        raise InvalidOutput(f"blocks of {', '.join(sorted(names))} expected, one of {', '.join(sorted(tensors))} came")


def check_shapes(tensors: Tensors, problem: Problem, batch: int) -> int:
    """Return the number of times k of a block; refuse another shape, a ragged or an empty block."""
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
    assert length is not None  # noqa: S101 - tensors_of has refused an empty block; this tells the type checker
    return length


def check_dtypes(tensors: Tensors) -> None:
    """Refuse anything but complex states and real observables in single or double precision."""
    for name, tensor in tensors.items():
        allowed = (torch.complex64, torch.complex128) if name == "states" else (torch.float32, torch.float64)
        if tensor.dtype not in allowed:
            raise InvalidOutput(f"{name} of dtype {' or '.join(map(str, allowed))} expected, {tensor.dtype} came")


def check_finite(tensors: Tensors, start: int) -> None:
    """Refuse NaN and infinity, and say where the first one stands."""
    for name, tensor in tensors.items():
        numbers = torch.view_as_real(tensor) if tensor.is_complex() else tensor
        # One sum instead of a mask of the block's size; a sum may overflow, so only the mask condemns.
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
    """Refuse a trajectory whose column 0 is not the initial state (for observables: has other spins)."""
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
    """Refuse an early end."""
    if position < problem.steps + 1:
        raise InvalidOutput(f"{problem.steps + 1} times expected, only {position} came")


def _kind(thing: object) -> str:
    return f"a {type(thing).__name__}" if thing is not None else "None"
