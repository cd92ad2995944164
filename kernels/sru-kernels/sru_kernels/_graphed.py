"""Rollouts on a GPU without Python in each step: steps are recorded into CUDA graphs once and replayed."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch

from sru_kernels._rollout import Restartable, Step

LONGEST = 64
"""Steps of the longest graph: its launch is then a small part of its own time; longer ones take long to record."""
STAGE_BYTES = 64e6
"""Bytes of states that graphs leave behind before they are copied to where they belong."""
WARM_UP = 2
"""Steps done before any is recorded: the first starts the memories and so differs, the second makes sure that all that
the others need is compiled, loaded and allocated."""

Action = Callable[[], None]


def record(action: Action) -> Action:
    """Record what an action does on the current GPU, without doing it; return what does it.

    Raises:
        RuntimeError: there is no GPU, or the action does what cannot be recorded.
    """
    graph = torch.cuda.CUDAGraph()
    # Other threads of the process may allocate or synchronise meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        action()
    return graph.replay


class GraphedRollout:
    """Repeats a step by replaying graphs of 1, 2, 4, ... steps; without a GPU, or where recording fails, one by one.

    See `Rollout`. Any number of steps is a sum of powers of two, so that no step is done in vain. Recording
    takes longer than a short rollout: keep the object and `restart` it.

    Args:
        states: initial states, complex128, shape `(B, 2**N)`.
        step: started at these states.
        record: turns an action into its recording.
    """

    def __init__(self, states: torch.Tensor, step: Step, record: Callable[[Action], Action] = record) -> None:
        self._initial, self._step, self._record = states, step, record
        self._taken, self._warm = -1, 0
        """Steps taken since the start, -1 before the initial states were handed out; steps ever taken one by one."""
        self._graphs: dict[tuple[int, bool], Action] | None = {}
        """By number of steps, and whether each of them is staged; None where recording has failed."""
        self._longest = LONGEST
        while self._longest > 1 and self._longest * 16 * states.numel() > STAGE_BYTES:
            self._longest //= 2
        self._stage = torch.view_as_real(states.new_empty(len(states), self._longest, states.shape[1]))

    def restart(self, states: torch.Tensor) -> None:
        """Begin anew at as many states of the same size; what was recorded stays."""
        self._step.restart(states)
        self._initial, self._taken = states, -1

    @torch.no_grad()
    def advance(self, block: torch.Tensor, every: int = 1) -> None:
        """Fill a block with the next states; see `Rollout`."""
        parts = torch.view_as_real(block)
        column, columns = 0, block.shape[1]
        if self._taken < 0 and columns > 0:
            block[:, 0] = self._initial
            self._taken, column = 0, 1
        while column < columns:
            count = self._leap(columns - column) if every == 1 else 0
            if count > 0 and self._replay(count, staged=True):
                parts[:, column : column + count] = self._stage[:, :count]
                column += count
            else:
                parts[:, column] = self._run(every)
                column += 1

    def _leap(self, wanted: int) -> int:
        """Return how many of the wanted steps the next graph takes: a power of two, or 0 where there must be none."""
        if self._taken < 1 or self._warm < WARM_UP or wanted < 1:
            return 0
        return min(self._longest, 1 << (wanted.bit_length() - 1))

    def _run(self, steps: int) -> torch.Tensor:
        """Take some steps and return the states after the last."""
        states = None
        while steps > 0:
            count = self._leap(steps - 1)
            if count == 0 or not self._replay(count, staged=False):
                states, count = self._step(), 1
                self._taken, self._warm = self._taken + 1, self._warm + 1
            steps -= count
        if states is None:
            raise ValueError("every: expected at least 1")
        return states

    def _replay(self, count: int, staged: bool) -> bool:
        """Take steps by a graph, recorded now if there is none yet; return whether that worked."""
        if self._graphs is None:
            return False
        if (count, staged) not in self._graphs:
            try:
                with torch.cuda.device_of(self._stage):  # type: ignore[no-untyped-call]  # torch leaves it unannotated
                    self._graphs[count, staged] = self._record(lambda: self._steps(count, staged))
            except RuntimeError as error:
                self._graphs = None
                reason = str(error).split("\n", 1)[0]
                warnings.warn(f"sru: no CUDA graph ({reason}), so steps run one by one", RuntimeWarning, stacklevel=4)
                return False
        self._graphs[count, staged]()
        self._taken += count
        return True

    def _steps(self, count: int, staged: bool) -> None:
        for number in range(count):
            states = self._step()
            if staged:
                self._stage[:, number] = states


class Graphed:
    """Keeps the latest rollout of one size, so that what was recorded for a batch serves the next of its length.

    Starting one ends the one before: they share their memory.
    """

    def __init__(self) -> None:
        self._batch = 0
        self._kept: Restartable | None = None

    def start(
        self,
        states: torch.Tensor,
        step: Callable[[], Step],
        rollout: Callable[[], Restartable] | None = None,
    ) -> Restartable:
        """Begin at initial states.

        Args:
            states: complex128, shape `(B, 2**N)`.
            step: makes the step that is to be recorded.
            rollout: makes the rollout in another way; has precedence.
        """
        if self._kept is None or self._batch != len(states):
            self._kept = rollout() if rollout is not None else GraphedRollout(states, step())
            self._batch = len(states)
        else:
            self._kept.restart(states)
        return self._kept
