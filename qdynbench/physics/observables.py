"""Expectation values and entropies of batches of states; shapes `(..., 2**N)` in, one value or N values a state out.

Everything is computed in double precision, also for complex64 states, so that a small drift is the solver's own.
"""

from __future__ import annotations

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Axis = Literal["x", "y", "z"]

_CHUNK = {"cpu": 1 << 15, "cuda": 1 << 25}
"""Amplitudes worked on at once: what fits in a core's cache, or in a small part of a GPU's memory."""


def by_chunks(function: Callable[..., torch.Tensor], *states: torch.Tensor) -> torch.Tensor:
    """Apply `function` to states of shape `(..., 2**N)` in pieces that stay in the cache, and join the results.

    Temporaries of a whole block would cost several times more than the arithmetic: they travel to main memory and back.
    On the CPU each piece is the work of one of `torch.get_num_threads()` threads. To share every small operation among
    all threads instead would make each wait for the slowest: on a busy machine that took ten times as long.

    Args:
        function: maps contiguous complex128 states `(..., 2**N)`, one argument for each of `states`, to values with
            the same leading shape.
        states: of one shape, complex64 or complex128, contiguous or not (a broadcast view is never copied as a whole).
    """

    def apply(piece: tuple[torch.Tensor, ...]) -> torch.Tensor:
        values = function(*(part.to(torch.complex128).contiguous() for part in piece))
        return values.reshape((-1, *values.shape[piece[0].dim() - 1 :]))

    pieces = list(_pieces(states))
    threads = torch.get_num_threads()
    if len(pieces) == 1 or threads == 1 or states[0].device.type != "cpu":
        results = [apply(piece) for piece in pieces]
    else:
        results = list(_pool(threads).map(apply, pieces))
        torch.set_num_threads(threads)  # what threads that are not yet started will use; the pool has set that to 1
    joined = torch.cat(results)
    return joined.reshape((*states[0].shape[:-1], *joined.shape[1:]))


def _pieces(states: tuple[torch.Tensor, ...]) -> Iterator[tuple[torch.Tensor, ...]]:
    first = states[0]
    limit = _CHUNK.get(first.device.type, _CHUNK["cpu"])
    if first.dim() == 1 or first.numel() <= limit:
        yield states
    elif first.shape[0] == 1:
        yield from _pieces(tuple(part[0] for part in states))
    else:
        rows = max(1, limit * first.shape[0] // first.numel())
        for piece in zip(*(torch.split(part, rows) for part in states), strict=True):
            yield from _pieces(piece)


@functools.lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    # torch and MKL keep the number of threads for each calling thread: the caller's stays as it is.
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))


def size_of(states: torch.Tensor) -> int:
    """Return N for states of shape `(..., 2**N)`."""
    return int(states.shape[-1]).bit_length() - 1


def norm(states: torch.Tensor) -> torch.Tensor:
    """Return the 2-norm of each state, float64, shape `(...)`."""
    return by_chunks(lambda chunk: torch.linalg.vector_norm(torch.view_as_real(chunk).flatten(-2), dim=-1), states)


def magnetization(states: torch.Tensor) -> dict[Axis, torch.Tensor]:
    """Return `<sigma_i>` on every site for the three axes, each float64 of shape `(..., N)`.

    The states are normalised first, so that a loss of norm shows as norm drift and not as a smaller spin; of a state
    without any norm all spins are zero.
    """
    x, y, z = by_chunks(_bloch_vectors, states).unbind(-1)
    return {"x": x, "y": y, "z": z}


def probability(states: torch.Tensor) -> torch.Tensor:
    """Return `|psi_b|**2`, real, shape as `states`."""
    return states.real.square() + states.imag.square()


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


def half_chain_entropy(states: torch.Tensor) -> torch.Tensor:
    """Return the von Neumann entropy (natural log) of the left `N // 2` sites of each state, float64, shape `(...)`.

    The states are normalised first; a state without any norm has no entropy, 0.
    """
    return by_chunks(_half_chain_entropy, states)


def _half_chain_entropy(states: torch.Tensor) -> torch.Tensor:
    size = size_of(states)
    left = size // 2
    if left == 0:
        return torch.zeros(states.shape[:-1], dtype=torch.float64, device=states.device)
    matrix = states.view(*states.shape[:-1], 1 << left, 1 << (size - left))
    spectrum = torch.linalg.eigvalsh(matrix @ matrix.mH).clamp_min(0)
    spectrum = spectrum / spectrum.sum(-1, keepdim=True).clamp_min(torch.finfo(spectrum.dtype).tiny)
    entropy: torch.Tensor = torch.special.entr(spectrum).sum(-1)
    return entropy.clamp(0, left * math.log(2))
