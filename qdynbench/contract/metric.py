"""The contract of a metric: it takes pairs of windows and returns values for each sample and time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from qdynbench.stats import Interval, mean_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from qdynbench.contract.window import Pair, ScoreContext


class Metric(ABC):
    """Compares a prediction with the reference, window by window.

    Class attributes:
        name: its name in task files and tables.
        unit: an SI unit, "1" for a pure number, or "energy", "energy^2" or "1/energy" in units of the model (hbar = 1).
        better: the direction of an improvement.
        reads: what the metric needs of a prediction: "states", or names of observables. A solver that yields only
            observables is scored by the metrics that need no more than these.
        per_time: whether there is a value for each time; otherwise there is one value per sample.
        order: 1 where the metric grows in proportion to a small error of the state, 2 where it grows with
            its square, as the infidelity does. Twice the error of a state is `2**order` times the value.
        static: whether the metric requires a constant Hamiltonian, such as the drift of the energy does.
        needs_reference: whether the metric has no value without a reference.
        observes: whether a metric that needs a reference also keeps curves of the prediction. It is then updated
            without a reference as well, with `pair.exact` None, and gives only these curves.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "1"
    better: ClassVar[Literal["lower", "higher"]] = "lower"
    reads: ClassVar[tuple[str, ...]] = ("states",)
    per_time: ClassVar[bool] = True
    order: ClassVar[int] = 1
    static: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = True
    observes: ClassVar[bool] = False

    def __init__(self, context: ScoreContext) -> None:
        self.context = context

    @classmethod
    def applies(cls, context: ScoreContext) -> bool:
        """Return whether the metric is defined in this case."""
        return context.hamiltonian is not None or not cls.static

    @abstractmethod
    def update(self, pair: Pair) -> None:
        """Take the next pair of windows, in time order; both start at the same index and have the same length."""

    @abstractmethod
    def result(self) -> NDArray[np.float64]:
        """Return the values of shape `(B, T+1)`, or `(B,)` when `per_time` is false, after the last pair."""

    def curves(self) -> dict[str, NDArray[np.float64]]:
        """Return further named curves to be kept, each of shape `(B, T+1)`, such as the magnetization itself."""
        return {}

    @classmethod
    def summarise(cls, arrays: Mapping[str, NDArray[np.float64]], step: int | None) -> Interval:
        """Return the mean over the samples at one step with its 95 % interval.

        Args:
            arrays: the arrays of `result` and `curves` by name, for all samples.
            step: index into the time grid; None for a metric without a time axis.
        """
        values = arrays[cls.name]
        return mean_of(values if step is None else values[:, step])


class CurveMetric(Metric):
    """A metric whose value at one time depends on that time alone: define `values`.

    Curves are written into arrays of their final size. Small arrays that stay between large temporary ones would
    fragment the memory, and the process would grow by one block with each block.
    """

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        self._curves: dict[str, NDArray[np.float64]] = {}

    @abstractmethod
    def values(self, pair: Pair) -> torch.Tensor | None:
        """Return the metric for one pair of windows, real, shape `(B, k)`; None where it needs a missing reference."""

    def update(self, pair: Pair) -> None:
        """Keep the values of a pair."""
        values = self.values(pair)
        if values is not None:
            self.keep(self.name, pair.prediction.start, values)

    def keep(self, curve: str, start: int, values: torch.Tensor) -> None:
        """Write values `(B, k)` to a named curve, from time index `start` on."""
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
