"""What metrics see: windows of a prediction and its reference, with what metrics share computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from qdynbench.physics import distances, entanglement, moments, observables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qdynbench.contract.initial import Initial
    from qdynbench.physics.observables import Axis
    from qdynbench.physics.operators import PauliSum


AXES: tuple[Axis, ...] = ("x", "y", "z")

DERIVED = ("states", *AXES, "energy", "energy_variance", "norm", "entropy")
"""What follows from states."""


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
    """Some columns of a trajectory; what is derived from them is computed when first asked for.

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
        self._given = given or {}
        self._whole: Window | None = None
        self._cut = slice(None)

    def offers(self, name: str) -> bool:
        """Say whether "states" or a named observable can be had from this window."""
        return name in self._given or (self.states is not None and name in DERIVED)

    def part(self, begin: int, end: int) -> Window:
        """Return the columns `begin` to `end` of this window; they take their observables from the whole one."""
        if (begin, end) == (0, self.length):
            return self
        states = None if self.states is None else self.states[:, begin:end]
        part = Window(self.context, self.start + begin, states, {k: v[:, begin:end] for k, v in self._given.items()})
        part._whole = self
        part._cut = slice(begin, end)
        return part

    @cached_property
    def length(self) -> int:
        """Number of times k."""
        some = self.states if self.states is not None else next(iter(self._given.values()))
        return int(some.shape[1])

    @property
    def bytes_per_time(self) -> float:
        """Bytes of what was given, for all samples at one time."""
        given = [*self._given.values(), *([] if self.states is None else [self.states])]
        return sum(tensor.nbytes for tensor in given) / self.length

    def copy(self) -> Window:
        """Return the same in memory of its own."""
        states = None if self.states is None else self.states.clone()
        return Window(self.context, self.start, states, {name: value.clone() for name, value in self._given.items()})

    @property
    def end(self) -> int:
        """Index into the time grid just past the last column."""
        return self.start + self.length

    @cached_property
    def norm(self) -> torch.Tensor:
        """2-norm of the states, shape `(B, k)`."""
        return self._derive("norm", observables.norm, lambda whole: whole.norm)

    @cached_property
    def energy(self) -> torch.Tensor:
        """Energy of the normalised states, `<psi|H|psi> / <psi|psi>`, shape `(B, k)`."""
        return self._derive("energy", self._energy, lambda whole: whole.energy)

    @cached_property
    def energy_variance(self) -> torch.Tensor:
        """Variance of the energy of the normalised states, `<H^2> - <H>^2`, shape `(B, k)`."""
        return self._derive("energy_variance", self._energy_variance, lambda whole: whole.energy_variance)

    @property
    def truncation(self) -> torch.Tensor:
        """Weight that a tensor network has discarded so far, as the solver gives it, shape `(B, k)`."""
        return self._given["truncation"]

    @cached_property
    def entropy(self) -> torch.Tensor:
        """Half-chain entanglement entropy, natural log, shape `(B, k)`."""
        return self._derive("entropy", entanglement.half_chain_entropy, lambda whole: whole.entropy)

    @cached_property
    def spins(self) -> dict[Axis, torch.Tensor]:
        """`<X_i>`, `<Y_i>`, `<Z_i>` of the normalised states, each of shape `(B, k, N)`."""
        if self._whole is not None:
            return {axis: values[:, self._cut] for axis, values in self._whole.spins.items()}
        if self.states is None or "x" in self._given:
            return {axis: self._given[axis] for axis in AXES if axis in self._given}
        return observables.magnetization(self.states)

    def _energy(self, states: torch.Tensor) -> torch.Tensor:
        # A state that has lost all its norm has no energy; its norm drift tells the story.
        smallest = torch.finfo(self.norm.dtype).tiny
        return moments.mean(self._hamiltonian, states, self.spins) / self.norm.square().clamp_min(smallest)

    def _energy_variance(self, states: torch.Tensor) -> torch.Tensor:
        return moments.variance(self._hamiltonian, states)

    @property
    def _hamiltonian(self) -> PauliSum:
        if self.context.hamiltonian is None:
            raise TypeError("a driven model has no one energy")
        return self.context.hamiltonian

    def _derive(
        self, name: str, compute: Callable[[torch.Tensor], torch.Tensor], of: Callable[[Window], torch.Tensor]
    ) -> torch.Tensor:
        if self._whole is not None:
            return of(self._whole)[:, self._cut]
        return self._given[name] if self.states is None or name in self._given else compute(self.states)

    def take(self, known: Mapping[str, torch.Tensor]) -> None:
        """Take over observables that were computed on the same states before."""
        self._given = {**known, **self._given}

    def known(self) -> dict[str, torch.Tensor]:
        """Return the observables that were computed so far, small enough to be kept when the states are not."""
        derived = {name: self.__dict__[name] for name in DERIVED if name != "states" and name in self.__dict__}
        spins = {str(axis): values for axis, values in self.__dict__.get("spins", {}).items()}
        return {**self._given, **derived, **spins}


@dataclass(frozen=True)
class Pair:
    """The same times of a prediction and its reference; what several metrics take from both is computed once.

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
            TypeError: there is none; a metric that needs one asks `exact` first, or declares `needs_reference`.
        """
        if self.exact is None:
            raise TypeError("there is no reference")
        return self.exact

    @property
    def states(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The states of reference and prediction, each of shape `(B, k, 2**N)`.

        Raises:
            TypeError: one of the two has observables alone; a metric that reads states must not be asked about it.
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
