"""The forward-backward echo: how near an evolution under H and then -H comes to where it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from qdynbench.contract.metric import Metric

if TYPE_CHECKING:
    from qdynbench.contract.metric import ScoreContext
    from qdynbench.contract.window import Window


class EchoInfidelity(Metric):
    """`1 - |<psi(0)| U(-H) U(H) |psi(0)>|**2` of normalised states over the whole grid; one value a sample.

    It needs no reference: an exact evolution returns to its initial state. Necessary and not sufficient, as a wrong H
    or a wrong time returns just as well. The engine measures it when all else is done, `qdynbench.run.echo`: it
    cannot be read off the trajectory, so that no block is ever shown to this class.
    """

    name = "echo_infidelity"
    per_time = False
    needs_reference = False

    @classmethod
    def applies(cls, context: ScoreContext) -> bool:
        """Say no: blocks do not tell it."""
        del context
        return False

    def update(self, prediction: Window, reference: Window) -> NoReturn:
        """Refuse a block."""
        raise TypeError("an echo is no property of a trajectory")

    def result(self) -> NoReturn:
        """Refuse as well."""
        raise TypeError("an echo is no property of a trajectory")
