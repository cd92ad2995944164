"""Error of the entanglement entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdynbench.metric import CurveMetric

if TYPE_CHECKING:
    import torch

    from qdynbench.window import Window


class EntropyError(CurveMetric):
    """`|S_pred - S_ref|` with S the von Neumann entropy (natural log) of the left `N // 2` sites."""

    name = "entropy_error"
    reads = ("entropy",)

    def values(self, prediction: Window, reference: Window) -> torch.Tensor:
        """Return the error for each state at each time, shape `(B, k)`."""
        return (prediction.entropy - reference.entropy).abs()
