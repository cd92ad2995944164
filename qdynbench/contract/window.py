"""What metrics see: windows of a prediction and its reference; shared observables are computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.initial import Initial
from qdynbench.physics import distances, entanglement, moments, observables
from qdynbench.physics.observables import Axis
from qdynbench.physics.operators import PauliSum

AXES: tuple[Axis, ...] = ("x", "y", "z")

DERIVED = ("states", *AXES, "energy", "energy_variance", "norm", "entropy")
"""What can be computed from states."""


@dataclass(frozen=True)
class ScoreContext:
    """What the scorer knows of a case.

    Attributes:
        size: number of spins N.
        times: time grid, shape `(T+1,)`.
        hamiltonian: the operator, whatever the solver was allowed to see; None where the model is driven.
        initial: initial states; as spinors alone where neither solver nor reference needs their vectors.
    """

    size: int
    times: NDArray[np.float64]
    hamiltonian: PauliSum | None
    initial: Initial


class Window:
    """Some columns of a trajectory. Observables are computed from the states when they are first asked for.

    Attributes:
        context: the case.
        start: index into the time grid of the first column.
        states: shape `(B, k, 2**N)`, or None when the solver yields observables alone.
    """

    def __init__(
        self,
        context: ScoreContext,
        start: int,
        states: torch.Tensor | None,
        given: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        self.context = context
        self.start = start
        self.states = states
        self._known = dict(given or {})
        """Observables by name that were given or computed so far, each of shape `(B, k)` or, for spins, `(B, k, N)`."""
        self._whole: tuple[Window, slice] | None = None
        """The window that this one is a part of, and its columns there."""

    def offers(self, name: str) -> bool:
        """Return whether this window has "states" or a named observable."""
        return name in self._known or (self.states is not None and name in DERIVED)

    def part(self, begin: int, end: int) -> Window:
        """Return the columns `begin` to `end` of this window; they take their observables from the whole one."""
        if (begin, end) == (0, self.length):
            return self
        columns = slice(begin, end)
        states = None if self.states is None else self.states[:, columns]
        part = Window(self.context, self.start + begin, states, {k: v[:, columns] for k, v in self._known.items()})
        part._whole = self, columns
        return part

    @property
    def length(self) -> int:
        """Number of times k."""
        return int(self._given[0].shape[1])

    @property
    def bytes_per_time(self) -> float:
        """Bytes of states and known observables, for all samples at one time."""
        return sum(tensor.nbytes for tensor in self._given) / self.length

    def copy(self) -> Window:
        """Return the same window in memory of its own."""
        states = None if self.states is None else self.states.clone()
        return Window(self.context, self.start, states, {name: value.clone() for name, value in self._known.items()})

    @property
    def end(self) -> int:
        """Index into the time grid just past the last column."""
        return self.start + self.length

    @property
    def norm(self) -> torch.Tensor:
        """2-norm of the states, shape `(B, k)`."""
        return self._observable("norm")

    @property
    def energy(self) -> torch.Tensor:
        """Energy of the normalised states, `<psi|H|psi> / <psi|psi>`, shape `(B, k)`."""
        return self._observable("energy")

    @property
    def energy_variance(self) -> torch.Tensor:
        """Variance of the energy of the normalised states, `<H^2> - <H>^2`, shape `(B, k)`."""
        return self._observable("energy_variance")

    @property
    def truncation(self) -> torch.Tensor:
        """Weight that a tensor network has discarded so far, as the solver gives it, shape `(B, k)`."""
        return self._observable("truncation")

    @property
    def entropy(self) -> torch.Tensor:
        """Half-chain entanglement entropy, natural log, shape `(B, k)`."""
        return self._observable("entropy")

    @property
    def spins(self) -> dict[Axis, torch.Tensor]:
        """`<X_i>`, `<Y_i>`, `<Z_i>` of the normalised states, each of shape `(B, k, N)`; those that are offered."""
        return {axis: self._observable(axis) for axis in AXES if self.offers(axis)}

    def known(self) -> dict[str, torch.Tensor]:
        """Return the observables known so far, which are small enough to be kept when the states are not."""
        return dict(self._known)

    def take(self, known: Mapping[str, torch.Tensor]) -> None:
        """Take over observables that were computed on the same states before."""
        self._known = {**known, **self._known}

    @property
    def _given(self) -> list[torch.Tensor]:
        return [*([] if self.states is None else [self.states]), *self._known.values()]

    def _observable(self, name: str) -> torch.Tensor:
        if name not in self._known:
            if self._whole is not None:
                whole, columns = self._whole
                self._known[name] = whole._observable(name)[:, columns]
            elif self.states is not None:
                self._known |= self._computed(name, self.states)
        return self._known[name]

    def _computed(self, name: str, states: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return an observable of the states by its name; the three axes of the spins come together."""
        match name:
            case "x" | "y" | "z":
                return {str(axis): values for axis, values in observables.magnetization(states).items()}
            case "norm":
                return {name: observables.norm(states)}
            case "entropy":
                return {name: entanglement.half_chain_entropy(states)}
            case "energy_variance":
                return {name: moments.variance(self._hamiltonian, states)}
            case "energy":
                # The norm of a state may have decayed to 0; its energy is then 0, and its norm drift shows the cause.
                weight = self.norm.square().clamp_min(torch.finfo(self.norm.dtype).tiny)
                return {name: moments.mean(self._hamiltonian, states, self.spins) / weight}
        return {}

    @property
    def _hamiltonian(self) -> PauliSum:
        if self.context.hamiltonian is None:
            raise TypeError("a driven model has no one energy")
        return self.context.hamiltonian


@dataclass(frozen=True)
class Pair:
    """The same times of a prediction and its reference; comparisons that several metrics need are computed once.

    Attributes:
        prediction: what the solver yielded.
        exact: the reference; None where there is none.
    """

    prediction: Window
    exact: Window | None

    @property
    def reference(self) -> Window:
        """The reference.

        Raises:
            TypeError: there is none. A metric that can do without one asks for `exact`, and a metric that cannot
                declares `needs_reference`.
        """
        if self.exact is None:
            raise TypeError("there is no reference")
        return self.exact

    @property
    def states(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The states of reference and prediction, each of shape `(B, k, 2**N)`.

        Raises:
            TypeError: one of the two windows has observables alone.
        """
        reference, prediction = self.reference.states, self.prediction.states
        if reference is None or prediction is None:
            raise TypeError("this metric compares states, but one of the two windows has observables alone")
        return reference, prediction

    @cached_property
    def infidelity(self) -> torch.Tensor:
        """Infidelity of the two, see `qdynbench.physics.distances.ray_distance`, shape `(B, k)`."""
        return distances.ray_distance(*self.states)

    @cached_property
    def relative_entropy(self) -> torch.Tensor:
        """D(P||Q) of reference and prediction, see `qdynbench.physics.distances.magnitude_divergence`, `(B, k)`."""
        return distances.magnitude_divergence(*self.states)
