"""The contract of a solver: its problem, its methods, and the blocks that it yields.

A solver is one class. Its annotated fields are its parameters, so `ed[mode=per_state]` sets the field `mode`:

    class Persistence(Solver):
        knowledge = Knowledge.TRAJECTORIES

        def solve(self, given):
            yield Block(0, given.states[:, None].expand(-1, self.problem.steps + 1, -1))

The core calls `supports` and `estimate`, then `fit` or `load` (learned solvers only), then `prepare` once per size and
time grid, and `solve` for every batch of initial states. `fit`, `prepare` and `solve` are timed by separate clocks.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NoReturn, dataclass_transform

from qdynbench.contract.problem import Knowledge, Problem

if TYPE_CHECKING:
    import torch

    from qdynbench.contract.initial import Given


@dataclass(frozen=True)
class Block:
    """Some consecutive times of a trajectory, valid only until the next block is asked for.

    Attributes:
        start: index into `times` of the first column.
        states: shape `(B, k, 2**N)`, or None for a solver without a state vector. Any DLPack array is accepted.
        observables: named expectation values where there are no states: "x", "y" and "z" of shape `(B, k, N)`,
            "energy", "energy_variance", "norm", "entropy" and "truncation" (weight discarded so far) of shape `(B, k)`.
            "truncation" may also stand beside states.
    """

    start: int
    states: torch.Tensor | None = None
    observables: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a solver predicts for `prepare` and one `solve` of `problem.batch` states.

    The core turns operations into seconds by what the same solver has taken at smaller sizes on the machine at hand, so
    that their growth with the size matters, and their number only before anything has run.

    Attributes:
        bytes: largest memory beyond what was held before.
        operations: multiplications and additions of real numbers: a complex product is added up by eight.
        error: 2-norm error of a state that the solver promises at the last time (`check` holds it to that), or None.
    """

    bytes: float
    operations: float
    error: float | None = None


@dataclass_transform(kw_only_default=True)
class Solver(ABC):
    """Propagates initial states over a time grid.

    Subclasses become dataclasses. Their annotated fields are parameters, unless the name begins with an underscore.

    Class attributes:
        knowledge: what the solver may see of the model.
        accuracy: names of the parameters that control the error, such as `("tolerance",)`. Specs that differ only in
            these form one series.
        protocol: names of the parameters that choose how the same method is run, such as `("mode",)`. A spec that sets
            one of them counts as the same solver under another protocol.
    """

    knowledge: ClassVar[Knowledge]
    accuracy: ClassVar[tuple[str, ...]] = ()
    protocol: ClassVar[tuple[str, ...]] = ()

    problem: Problem
    """The problem, restricted to what `knowledge` allows; set by `prepare`."""

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        dataclass(kw_only=True, eq=False)(cls)

    def __setattr__(self, name: str, value: object) -> None:
        # Results are recorded under a name that contains the parameters, so these must not change.
        parameters = {field.name for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        if name in self.__dict__ and name in parameters and not name.startswith("_"):
            raise dataclasses.FrozenInstanceError(f"{type(self).__name__}.{name} is a parameter and cannot change")
        super().__setattr__(name, value)

    if not TYPE_CHECKING:  # a type checker would take it for a declaration of every name

        def __getattr__(self, name: str) -> NoReturn:
            hint = "; a prepare of your own begins with super().prepare(problem)" if name == "problem" else ""
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    @property
    def label(self) -> str:
        """A few words that reports show with the solver, such as an assumption that the reader must know."""
        return ""

    def supports(self, problem: Problem) -> str | None:
        """Return why this problem cannot be solved, or None. With a reason the cell ends as `unsupported`."""
        return None

    def estimate(self, problem: Problem) -> Cost | None:
        """Return the predicted cost, finite at any size, or None when unknown.

        A cell whose cost is beyond the task's limits ends as `infeasible`.
        """
        return None

    def prepare(self, problem: Problem) -> None:
        """Do all work that does not depend on the initial states, once per size and time grid.

        A subclass begins with `super().prepare(problem)`, which keeps the problem as `self.problem`.
        """
        self.problem = problem

    @abstractmethod
    def solve(self, given: Given) -> Iterator[Block]:
        """Yield the trajectories of all states in `given` as blocks in time order, from index 0 to T."""


def block_length(problem: Problem, batch: int, bytes_per_amplitude: int = 16, budget: float = 32e6) -> int:
    """Return how many times fit in a block of about `budget` bytes, at least 1 and at most all of them."""
    per_time = batch * problem.amplitudes * bytes_per_amplitude
    return int(max(1, min(problem.steps + 1, budget // per_time)))
