"""Error of the magnetization along the three axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from qdynbench.metric import CurveMetric, ScoreContext

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from qdynbench.physics.observables import Axis
    from qdynbench.window import Window


class AxisMagnetization(CurveMetric):
    """`|m_pred - m_ref|` with `m = (1/N) sum_i <sigma_i>`, Pauli matrices, of normalised states.

    The two magnetizations themselves are kept as curves.
    """

    axis: ClassVar[Axis]

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        self._curves: dict[str, list[torch.Tensor]] = {}

    def values(self, prediction: Window, reference: Window) -> torch.Tensor:
        """Return the error for each state at each time, shape `(B, k)`."""
        name = f"magnetization_{self.axis}"
        predicted = prediction.spins[self.axis].mean(-1)
        exact = reference.spins[self.axis].mean(-1)
        self._curves.setdefault(name, []).append(predicted.cpu())
        self._curves.setdefault(f"{name}_reference", []).append(exact.cpu())
        return (predicted - exact).abs()

    def curves(self) -> dict[str, NDArray[np.float64]]:
        """Return the magnetization of prediction and reference, each of shape `(B, T+1)`."""
        return {name: torch.cat(columns, dim=1).double().numpy() for name, columns in self._curves.items()}


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
