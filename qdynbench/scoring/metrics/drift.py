"""Drifts of what exact evolution under a static Hamiltonian conserves: they need no reference."""

from __future__ import annotations

from abc import abstractmethod

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair, Window


class Drift(CurveMetric):
    """Distance of a conserved quantity of the prediction from its own value at time 0."""

    needs_reference = False

    @abstractmethod
    def conserved(self, prediction: Window) -> torch.Tensor:
        """Return the quantity for each state at each time, shape `(B, k)`."""

    def values(self, pair: Pair) -> torch.Tensor:
        """Return the drift of each state at each time, shape `(B, k)`."""
        quantity = self.conserved(pair.prediction)
        if pair.prediction.start == 0:
            self._initial = quantity[:, :1]
        return (quantity - self._initial).abs()


class EnergyDrift(Drift):
    """`|E(t) - E(0)|` with `E = <psi|H|psi> / <psi|psi>`."""

    name = "energy_drift"
    unit = "energy"
    reads = ("energy",)
    static = True

    def conserved(self, prediction: Window) -> torch.Tensor:
        """Return the energy, shape `(B, k)`."""
        return prediction.energy


class EnergyVarianceDrift(Drift):
    """`|Var H(t) - Var H(0)|` with `Var H = <H^2> - <H>^2`: sees errors that leave the mean energy as it is."""

    name = "energy_variance_drift"
    unit = "energy^2"
    reads = ("energy_variance",)
    static = True

    def conserved(self, prediction: Window) -> torch.Tensor:
        """Return the variance of the energy, shape `(B, k)`."""
        return prediction.energy_variance


class NormDrift(Drift):
    """`| ||psi(t)|| - ||psi(0)|| |`."""

    name = "norm_drift"
    reads = ("norm",)

    def conserved(self, prediction: Window) -> torch.Tensor:
        """Return the norm, shape `(B, k)`."""
        return prediction.norm
