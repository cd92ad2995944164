"""Error of the entanglement entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdynbench.contract.metric import CurveMetric

if TYPE_CHECKING:
    import torch

    from qdynbench.contract.window import Window


class EntropyError(CurveMetric):
    """`|S_pred - S_ref|` with S the von Neumann entropy (natural log) of the left `N // 2` sites.

    The entropies themselves are kept as curves, that of the prediction also where there is no reference.
    """

    name = "entropy_error"
    reads = ("entropy",)

    def values(self, prediction: Window, reference: Window) -> torch.Tensor:
        """Return the error for each state at each time, shape `(B, k)`."""
        self.keep("entropy_reference", reference.start, reference.entropy)
        self.alone(prediction)
        return (prediction.entropy - reference.entropy).abs()

    def alone(self, prediction: Window) -> None:
        """Keep the entropy of a block."""
        self.keep("entropy", prediction.start, prediction.entropy)
