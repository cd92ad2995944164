"""The contract of a metric: fed pairs of windows of prediction and reference, gives values per sample and time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from qdynbench.stats import Interval, bootstrap_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from qdynbench.contract.window import Pair, ScoreContext


class Metric(ABC):
    """Compares a prediction with the reference, window by window.

    Class attributes:
        name: as in the task file and the table.
        unit: SI, "1" for a pure number, "energy", "energy^2" or "1/energy" in the units of the model (hbar = 1).
        better: which direction is an improvement.
        reads: what the metric needs of a prediction: "states", or names of observables; a solver that yields
            observables alone is scored by the metrics that can do with them.
        per_time: whether values carry the time axis; otherwise there is one value a sample.
        static: whether the metric means something under one constant Hamiltonian only, such as a drift of the energy.
        needs_reference: whether the metric has no value without a reference.
        observes: whether such a metric keeps curves of the prediction as well. It is then also updated without a
            reference, with `pair.exact` None, and has no value of its own there.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    reads: ClassVar[tuple[str, ...]] = ("states",)
    per_time: ClassVar[bool] = True
    static: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = True
    observes: ClassVar[bool] = False

    def __init__(self, context: ScoreContext) -> None:
        self.context = context

    @classmethod
    def applies(cls, context: ScoreContext) -> bool:
        """Say whether the metric means anything in this case."""
        return context.hamiltonian is not None or not cls.static

    @abstractmethod
    def update(self, pair: Pair) -> None:
        """Take the next pair of windows, in time order; both start at the same index and have the same length."""

    @abstractmethod
    def result(self) -> NDArray[np.float64]:
        """Return values of shape `(B, T+1)`, or `(B,)` when `per_time` is false, after the last block."""

    def curves(self) -> dict[str, NDArray[np.float64]]:
        """Return further named curves worth keeping, each of shape `(B, T+1)`, such as the magnetization itself."""
        return {}

    @classmethod
    def summarise(cls, arrays: Mapping[str, NDArray[np.float64]], step: int | None) -> Interval:
        """Return estimate and 95 % interval over the samples at one step (None: no time axis): the mean.

        Args:
            arrays: what `result` and `curves` gave, by name, for all samples.
            step: index into the time grid.
        """
        values = arrays[cls.name]
        return bootstrap_mean(values if step is None else values[:, step])


class CurveMetric(Metric):
    """A metric whose value at one time depends on that time alone: define `values`.

    Its curves are written into arrays of their final size. Small pieces kept between blocks that come and go would
    keep the freed blocks from being used again: the process would grow by one block with each.
    """

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        self._curves: dict[str, NDArray[np.float64]] = {}

    @abstractmethod
    def values(self, pair: Pair) -> torch.Tensor | None:
        """Return the metric for one pair of windows, real, shape `(B, k)`; None where it lacks its reference."""

    def update(self, pair: Pair) -> None:
        """Keep the values of a pair."""
        values = self.values(pair)
        if values is not None:
            self.keep(self.name, pair.prediction.start, values)

    def keep(self, curve: str, start: int, values: torch.Tensor) -> None:
        """Write values `(B, k)` of the times from index `start` on to a named curve."""
        import numpy as np

        if curve not in self._curves:
            shape = (len(self.context.initial), len(self.context.times))
            self._curves[curve] = np.full(shape, np.nan)
        self._curves[curve][:, start : start + values.shape[1]] = values.detach().cpu().numpy()

    def result(self) -> NDArray[np.float64]:
        """Return the metric's own curve, shape `(B, T+1)`."""
        return self._curves[self.name]

    def curves(self) -> dict[str, NDArray[np.float64]]:
        """Return the other curves that were kept, each of shape `(B, T+1)`."""
        return {name: curve for name, curve in self._curves.items() if name != self.name}
