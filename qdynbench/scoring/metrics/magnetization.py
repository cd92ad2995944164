"""Error of the magnetization along the three axes."""

from __future__ import annotations

from typing import ClassVar

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair
from qdynbench.physics.observables import Axis


class AxisMagnetization(CurveMetric):
    """`|m_pred - m_ref|` with `m = (1/N) sum_i <sigma_i>`, Pauli matrices, of normalised states.

    The two magnetizations themselves are kept as curves, that of the prediction also where there is no reference.
    """

    axis: ClassVar[Axis]
    observes = True

    def values(self, pair: Pair) -> torch.Tensor | None:
        """Return the error for each state at each time, shape `(B, k)`."""
        predicted = pair.prediction.spins[self.axis].mean(-1)
        self.keep(f"magnetization_{self.axis}", pair.prediction.start, predicted)
        if pair.exact is None:
            return None
        exact = pair.exact.spins[self.axis].mean(-1)
        self.keep(f"magnetization_{self.axis}_reference", pair.exact.start, exact)
        return (predicted - exact).abs()


class MagnetizationErrorX(AxisMagnetization):
    """Error of the magnetization along x."""

    name = "magnetization_error_x"
    axis = "x"
    reads = ("x",)


class MagnetizationErrorY(AxisMagnetization):
    """Error of the magnetization along y."""

    name = "magnetization_error_y"
    axis = "y"
    reads = ("y",)


class MagnetizationErrorZ(AxisMagnetization):
    """Error of the magnetization along z."""

    name = "magnetization_error_z"
    axis = "z"
    reads = ("z",)
