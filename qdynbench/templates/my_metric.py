"""Error of the staggered magnetization, which is 1 in the Neel state."""

import torch

from qdynbench import CurveMetric, hookimpl


def staggered(window):
    """Return (1/N) sum_i (-1)^i <Z_i>, shape (B, k)."""
    z = window.spins["z"]  # (B, k, N)
    signs = 1 - 2 * (torch.arange(z.shape[-1], device=z.device) % 2)
    return (signs * z).mean(-1)


class MyMetric(CurveMetric):
    """|m_s(prediction) - m_s(reference)|; both m_s are kept as curves."""

    name = "my-metric"
    reads = ("z",)
    observes = True

    def values(self, pair):
        predicted = staggered(pair.prediction)
        self.keep("staggered", pair.prediction.start, predicted)
        if pair.exact is None:
            return None
        self.keep("staggered_reference", pair.exact.start, staggered(pair.exact))
        return (predicted - staggered(pair.exact)).abs()


@hookimpl
def register_metrics(register):
    register("my-metric", MyMetric, summary="error of the staggered z magnetization")
