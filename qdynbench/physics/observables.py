"""Expectation values for batches of states of shape `(..., 2**N)`: one value, or one per site, for each state.

Everything is computed in double precision, also for complex64 states, so that small drifts come from the solver alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import torch

Axis = Literal["x", "y", "z"]

_CHUNK = {"cpu": 1 << 15, "cuda": 1 << 25}
"""Number of amplitudes processed at once; they fit in the cache of a core, or in a small part of a GPU's memory."""

_STRETCH = 5
"""Number of neighbouring sites whose density matrix is computed in one product: 32 rows use a core well."""

_SITE_BY_SITE = 10
"""Up to this many spins the sites are taken one by one, because the states stay in the cache."""


def by_chunks(function: Callable[..., torch.Tensor], *states: torch.Tensor, core: int = 1) -> torch.Tensor:
    """Apply `function` to states of shape `(..., 2**N)` in pieces that stay in the cache, and join the results.

    Temporary arrays of full size would travel to main memory and back, which costs several times more than the
    arithmetic. On the CPU each piece is handled by one of `torch.get_num_threads()` threads. Sharing every small
    operation among all threads would make each of them wait for the slowest, ten times as long on a busy machine.

    Args:
        function: maps contiguous double precision arguments, one for each of `states`, to values with the same leading
            shape.
        states: tensors of one leading shape, contiguous or not (a broadcast view is never copied as a whole).
        core: number of last dimensions that are never cut; the other dimensions are the leading shape.
    """

    def apply(piece: tuple[torch.Tensor, ...]) -> torch.Tensor:
        values = function(*(_double(part) for part in piece))
        return values.reshape((-1, *values.shape[piece[0].dim() - core :]))

    pieces = list(_pieces(states, core))
    threads = torch.get_num_threads()
    if len(pieces) == 1 or threads == 1 or states[0].device.type != "cpu":
        results = [apply(piece) for piece in pieces]
    else:
        results = list(_pool(threads).map(apply, pieces))
        torch.set_num_threads(threads)  # the pool has set to 1 what threads will use that start later
    joined = torch.cat(results)
    return joined.reshape((*states[0].shape[: states[0].dim() - core], *joined.shape[1:]))


def summed(
    function: Callable[..., torch.Tensor], *states: torch.Tensor, given: tuple[torch.Tensor, ...] = ()
) -> torch.Tensor:
    """Add up what `function` makes of parts of each state, for states that are longer than the cache.

    Args:
        function: maps parts of the states, `(..., m)` each, and the numbers in `given`, `(..., 1)` each, to sums over
            the last dimension, `(...)` or `(..., n)`.
        states: tensors of one shape `(..., 2**N)`.
        given: numbers for each state, each of shape `(...)`.
    """
    length = states[0].shape[-1]
    part = min(length, _CHUNK.get(states[0].device.type, _CHUNK["cpu"]))
    cut = [one.view(*one.shape[:-1], length // part, part) for one in states]
    numbers = [one[..., None, None].expand(*cut[0].shape[:-1], 1) for one in given]
    return by_chunks(function, *cut, *numbers).sum(states[0].dim() - 1)


def _double(part: torch.Tensor) -> torch.Tensor:
    return part.to(torch.complex128 if part.is_complex() else torch.float64).contiguous()


def _pieces(states: tuple[torch.Tensor, ...], core: int) -> Iterator[tuple[torch.Tensor, ...]]:
    first = states[0]
    limit = _CHUNK.get(first.device.type, _CHUNK["cpu"])
    if first.dim() == core or first.numel() <= limit:
        yield states
    elif first.shape[0] == 1:
        yield from _pieces(tuple(part[0] for part in states), core)
    else:
        rows = max(1, limit * first.shape[0] // first.numel())
        for piece in zip(*(torch.split(part, rows) for part in states), strict=True):
            yield from _pieces(piece, core)


@functools.lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    # torch and MKL keep a number of threads for each calling thread, so that of the caller does not change.
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))


def size_of(states: torch.Tensor) -> int:
    """Return N for states of shape `(..., 2**N)`."""
    return int(states.shape[-1]).bit_length() - 1


def norm(states: torch.Tensor) -> torch.Tensor:
    """Return the 2-norm of each state, float64, shape `(...)`."""
    return summed(lambda part: probability(part).sum(-1), states).sqrt()


def magnetization(states: torch.Tensor) -> dict[Axis, torch.Tensor]:
    """Return `<sigma_i>` on every site for the three axes, each float64 of shape `(..., N)`.

    The states are normalised first, so that a loss of norm appears as norm drift and not as smaller spins. All spins of
    a state of norm 0 are zero.
    """
    if size_of(states) <= _SITE_BY_SITE:
        vectors = by_chunks(_bloch_vectors, states)
    else:
        starts = range(0, size_of(states), _STRETCH)
        vectors = torch.cat([_bloch_of_stretch(states, start) for start in starts], dim=-2)
    x, y, z = vectors.unbind(-1)
    return {"x": x, "y": y, "z": z}


def probability(states: torch.Tensor) -> torch.Tensor:
    """Return `|psi_b|**2`, real, shape as `states`."""
    return states.real.square() + states.imag.square()


def stretch_means(states: torch.Tensor, first: int, operators: torch.Tensor) -> torch.Tensor:
    """Return `<psi|O|psi>` for Hermitian operators on neighbouring sites, not normalised, float64, shape `(..., n)`.

    All operators take one pass over the states, which computes the density matrix of these sites in matrix products
    that stay in the cache.

    Args:
        states: shape `(..., 2**N)`.
        first: the leftmost of the sites.
        operators: complex128, shape `(n, 2**count, 2**count)`, on `count` sites; the cost grows as `2**count`.
    """
    kept = operators.shape[-1]
    before, after = 1 << first, states.shape[-1] // kept >> first
    at_once = max(1, _CHUNK.get(states.device.type, _CHUNK["cpu"]) // kept)
    q = min(after, at_once)
    p = min(before, at_once // q)
    lead = states.dim() - 1
    tiles = states.view(*states.shape[:-1], before // p, p, kept, after // q, q)
    tiles = tiles.permute(*range(lead), lead, lead + 3, lead + 2, lead + 1, lead + 4)
    weights = operators.mT.reshape(-1, kept * kept).T.to(states.device)

    def of_tile(tile: torch.Tensor) -> torch.Tensor:
        matrix = tile.flatten(-2)
        return ((matrix @ matrix.mH).flatten(-2) @ weights).real

    return by_chunks(of_tile, tiles, core=3).sum((lead, lead + 1))


@functools.cache
def _bloch_operators(count: int) -> torch.Tensor:
    """Return 1, then X, Y and Z on each of `count` sites, complex128, shape `(1 + 3 count, 2**count, 2**count)`."""
    found = [torch.eye(1 << count, dtype=torch.complex128)]
    for site in range(count):
        left, right = (torch.eye(1 << sites, dtype=torch.complex128) for sites in (site, count - site - 1))
        paulis = torch.tensor([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=torch.complex128)
        found += [torch.kron(torch.kron(left, pauli), right) for pauli in paulis]
    return torch.stack(found)


def _bloch_of_stretch(states: torch.Tensor, first: int) -> torch.Tensor:
    """Return the Bloch vectors of the sites from `first` on, at most `_STRETCH`, shape `(..., sites, 3)`."""
    count = min(_STRETCH, size_of(states) - first)
    means = stretch_means(states, first, _bloch_operators(count))
    vectors = means[..., 1:] / means[..., :1].clamp_min(torch.finfo(means.dtype).tiny)
    return vectors.view(*vectors.shape[:-1], count, 3)


def _bloch_vectors(states: torch.Tensor) -> torch.Tensor:
    """Return the Bloch vector of every site, shape `(..., N, 3)`, from the one-site coherence `<up|rho_i|down>`."""
    size = size_of(states)
    lead = states.shape[:-1]
    vectors = torch.empty(*lead, size, 3, dtype=torch.float64, device=states.device)
    marginal = probability(states)
    for site in range(size):
        up, down = states.view(*lead, 1 << site, 2, -1).unbind(-2)
        coherence = (up.conj() * down).sum((-2, -1))
        vectors[..., site, 0] = 2 * coherence.real
        vectors[..., site, 1] = 2 * coherence.imag
        up_weight, down_weight = marginal.view(*lead, 2, -1).unbind(-2)
        vectors[..., site, 2] = (up_weight - down_weight).sum(-1)
        marginal = up_weight + down_weight
    return vectors / marginal.clamp_min(torch.finfo(marginal.dtype).tiny)[..., None]
