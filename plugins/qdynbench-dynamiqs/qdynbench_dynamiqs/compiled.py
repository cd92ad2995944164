"""Functions that JAX compiles once for a shape, so that calls go through no Python checks; hbar = 1.

What they are compiled for is kept for the life of the process: another problem of the same shape uses it again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import dynamiqs
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

Evolution = Callable[[Any, Any], tuple[Any, Any]]
"""Takes times `(T,)` and states `(B, D)` at time 0; returns those at all times `(B, T, D)` and at the last `(B, D)`."""


def evolution(operator: Any, method: Any) -> Evolution:
    """Return `dynamiqs.sesolve` under one Hamiltonian as a compiled function.

    Args:
        operator: Hamiltonian of dynamiqs, shape `(D, D)`.
        method: how dynamiqs integrates. Its tolerances are not compiled in, nor are the elements of the Hamiltonian.
    """
    leaves, structure = jax.tree.flatten((operator, method))
    return functools.partial(_evolve(structure), [jnp.asarray(leaf) for leaf in leaves])


@functools.cache
def _evolve(structure: Any) -> Any:
    def evolve(leaves: list[Any], times: Any, states: Any) -> tuple[Any, Any]:
        operator, method = jax.tree.unflatten(structure, leaves)
        result = dynamiqs.sesolve(operator, states[:, :, None], times, method=method, progress_meter=False, t0=0.0)
        found = result.states.to_jax()[..., 0]
        return found, found[:, -1]

    return jax.jit(evolve)


def step_of(operator: Any, dt: float) -> Any:
    """Return the transposed propagator `exp(-i H dt)` by `dynamiqs.expm`, as a real matrix of shape `(2 D, 2 D)`.

    It multiplies rows of states whose real and imaginary parts are neighbours. XLA multiplies real matrices two to four
    times as fast as complex ones on a CPU.
    """
    complex_step: NDArray[np.complex128] = np.asarray(dynamiqs.expm(-1j * dt * operator).to_jax()).T
    dim = len(complex_step)
    step = np.empty((dim, 2, dim, 2))
    step[:, 0, :, 0] = step[:, 1, :, 1] = complex_step.real
    step[:, 0, :, 1], step[:, 1, :, 0] = complex_step.imag, -complex_step.imag
    return jnp.asarray(step.reshape(2 * dim, 2 * dim))


@functools.partial(jax.jit, static_argnames="count")
def repeated(step: Any, states: Any, count: int) -> tuple[Any, Any]:
    """Apply a step so many times.

    Args:
        step: as from `step_of`, shape `(2 D, 2 D)`.
        states: shape `(B, 2 D)`, real and imaginary parts in turn.
        count: number of steps.

    Returns:
        The states after each step, shape `(count, B, 2 D)`, and after the last, `(B, 2 D)`.
    """

    def apply(now: Any, _: None) -> tuple[Any, Any]:
        then = now @ step
        return then, then

    last, found = jax.lax.scan(apply, states, None, length=count)
    return found, last
