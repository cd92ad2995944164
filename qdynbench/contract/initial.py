"""Initial states, and what a solver is given when it is asked to evolve them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qdynbench.errors import Infeasible
from qdynbench.physics import product
from qdynbench.text import memory

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import torch
    from numpy.typing import NDArray

LONGEST = 900
"""Largest number of spins for which a float holds the number of amplitudes times a factor."""


def vector_bytes(size: int) -> float:
    """Return the bytes of one state vector of `size` spins, complex128."""
    return 16 * 2.0 ** min(size, LONGEST)


def spinor_bytes(size: int) -> float:
    """Return the bytes of one product state of `size` spins, given by its spinors, complex128."""
    return 32.0 * size


class Initial:
    """A batch of initial states; `len` is their number B. They must not be written to.

    Product states are given by their spinors. Their vectors are computed when `states` is first asked for, so that
    chains can be solved that are too long for a state vector.

    Args:
        states: normalised vectors, complex128, shape `(B, 2**N)`, as a tensor or numpy array; None where there are
            `spinors`.
        spinors: normalised spinors of product states, complex128, shape `(B, N, 2)`, up first; None for other states.
        memory: number of bytes that vectors computed from spinors may take.

    Attributes:
        making: seconds that it took to compute vectors from spinors, which the clocks of solvers leave out.
    """

    def __init__(
        self,
        states: torch.Tensor | NDArray[np.complex128] | None = None,
        spinors: torch.Tensor | NDArray[np.complex128] | None = None,
        *,
        memory: float = math.inf,
    ) -> None:
        import torch

        if states is None and spinors is None:
            raise TypeError("initial states are vectors, spinors or both")
        self._states = None if states is None else torch.as_tensor(states)
        self.spinors = None if spinors is None else torch.as_tensor(spinors)
        self.memory = memory
        self.making = 0.0
        self._whole: tuple[Initial, slice] | None = None
        """For some of the states of a batch: the batch, which makes the vectors of all, and which they are."""

    def __len__(self) -> int:
        return len(self._given)

    def __getitem__(self, part: slice) -> Initial:
        cut = self._each(lambda tensor: tensor[part])
        cut._whole = (self, part)
        return cut

    @property
    def states(self) -> torch.Tensor:
        """The state vectors, shape `(B, 2**N)`, normalised; for product states they are computed on first use.

        Raises:
            Infeasible: they would take more memory than the limit allows.
        """
        if self._states is None and self._whole is not None:
            whole, part = self._whole
            if whole.vectors_exist or whole.vectors_fit:
                self._states = whole.states[part]
        if self._states is None:
            import torch

            assert self.spinors is not None  # noqa: S101 - __init__ guarantees it; for the type checker
            began = time.perf_counter()
            size = self.spinors.shape[1]
            if (needed := len(self) * vector_bytes(size)) > self.memory:
                raise Infeasible(f"state vectors of {size} spins take {memory(needed)}, limit {memory(self.memory)}")
            made = torch.from_numpy(product.vectors(self.spinors.cpu().numpy()))
            self._states = made.to(self.spinors.device)
            self.making += time.perf_counter() - began
        return self._states

    @property
    def vectors_exist(self) -> bool:
        """Whether the vectors were given or have been computed."""
        return self._states is not None

    @property
    def vectors_fit(self) -> bool:
        """Whether vectors of product states fit into the limit of memory."""
        return self.spinors is not None and len(self) * vector_bytes(self.spinors.shape[1]) <= self.memory

    def to(self, device: str) -> Initial:
        """Return the states on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def turned(self, phases: NDArray[np.complex128]) -> Initial:
        """Return the same physical states with other global phases.

        Args:
            phases: of modulus 1, shape `(B,)`.
        """
        import torch

        turn = torch.from_numpy(phases)

        def change(tensor: torch.Tensor) -> torch.Tensor:
            made = tensor.clone()
            first = made if made.ndim == 2 else made[:, 0]  # of a product state the phase of one spinor
            first *= turn.to(tensor.device)[:, None]
            return made

        return self._each(change)

    def arrays(self) -> dict[str, NDArray[np.complex128]]:
        """Return the argument of `Initial` that gives these states, by name: for product states the spinors."""
        name = "states" if self.spinors is None else "spinors"
        return {name: self._given.cpu().numpy()}

    @property
    def _given(self) -> torch.Tensor:
        given = self._states if self.spinors is None else self.spinors
        assert given is not None  # noqa: S101 - __init__ guarantees it; for the type checker
        return given

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Initial:
        parts = (None if part is None else change(part) for part in (self._states, self.spinors))
        return Initial(*parts, memory=self.memory)


@dataclass(frozen=True)
class Given:
    """What a solver holds when it is asked to solve; `len` is the number of states B.

    Attributes:
        initial: the initial states, on the problem's device.
        notes: remarks of the solver on this call, see `note`.
    """

    initial: Initial
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.initial)

    @property
    def states(self) -> torch.Tensor:
        """The initial state vectors, complex128, shape `(B, 2**N)`, normalised. Do not write to them."""
        return self.initial.states

    @property
    def spinors(self) -> torch.Tensor | None:
        """The same states as spinors, complex128, shape `(B, N, 2)`, where they are product states, else None."""
        return self.initial.spinors

    def note(self, text: str) -> None:
        """Add a remark for the reader of the result, such as "bond dimension reached its limit 64 at step 37".

        Remarks on the scored calls are recorded with the cell.
        """
        self.notes.append(str(text))
