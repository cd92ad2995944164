"""Drift of the symmetry charges that the Hamiltonian conserves: it needs no reference."""

from __future__ import annotations

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair, ScoreContext
from qdynbench.physics import charges


class ChargeDrift(CurveMetric):
    """Largest `|Q(t) - Q(0)|` over the charges Q that commute with H: total Z, and the products of all X and all Z.

    Which of them do is found from the Pauli strings, exactly. Left out where none does, as in mixed-field Ising chains.
    A solver that yields observables is judged by the total Z, or not at all where only a product is conserved: nan.
    """

    name = "charge_drift"
    reads = ("z",)
    static = True
    needs_reference = False

    @classmethod
    def applies(cls, context: ScoreContext) -> bool:
        """Say whether the Hamiltonian conserves any of these charges."""
        return context.hamiltonian is not None and bool(charges.conserved(context.hamiltonian))

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        self._names = () if context.hamiltonian is None else charges.conserved(context.hamiltonian)

    def values(self, pair: Pair) -> torch.Tensor:
        """Return the largest drift of each state at each time, shape `(B, k)`."""
        prediction, found = pair.prediction, []
        if "total_z" in self._names:
            found.append(prediction.spins["z"].sum(-1))
        if prediction.states is not None:
            found += [charges.parity(prediction.states, name) for name in self._names if name != "total_z"]
        if not found:
            return torch.full((len(self.context.initial), prediction.length), torch.nan, dtype=torch.float64)
        charge = torch.stack(found, dim=-1)
        if prediction.start == 0:
            self._initial = charge[:, :1]
        return (charge - self._initial).abs().amax(-1)
