"""Error of the magnetization along the three axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from qdynbench.contract.metric import CurveMetric

if TYPE_CHECKING:
    import torch

    from qdynbench.contract.window import Window
    from qdynbench.physics.observables import Axis


class AxisMagnetization(CurveMetric):
    """`|m_pred - m_ref|` with `m = (1/N) sum_i <sigma_i>`, Pauli matrices, of normalised states.

    The two magnetizations themselves are kept as curves, that of the prediction also where there is no reference.
    """

    axis: ClassVar[Axis]

    def values(self, prediction: Window, reference: Window) -> torch.Tensor:
        """Return the error for each state at each time, shape `(B, k)`."""
        exact = reference.spins[self.axis].mean(-1)
        self.keep(f"magnetization_{self.axis}_reference", reference.start, exact)
        return (self._kept(prediction) - exact).abs()

    def alone(self, prediction: Window) -> None:
        """Keep the magnetization of a block."""
        self._kept(prediction)

    def _kept(self, prediction: Window) -> torch.Tensor:
        predicted = prediction.spins[self.axis].mean(-1)
        self.keep(f"magnetization_{self.axis}", prediction.start, predicted)
        return predicted


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
