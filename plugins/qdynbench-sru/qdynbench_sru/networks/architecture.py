"""What a network is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from qdynbench_sru.networks.local import LocalNetwork
from qdynbench_sru.networks.network import Network
from qdynbench_sru.networks.padded import PaddedNetwork

Encoder = Literal["local", "padded"]


@dataclass(frozen=True)
class Architecture:
    """All that a network's shape and its use depend on.

    Attributes:
        encoder: "local" or "padded".
        width: channels of the recurrent units.
        layers: recurrent layers.
        sizes: numbers of spins that it was trained on.
        dt: time step that it was trained on; hbar = 1.
        largest: spins that the `padded` encoder has room for; 0 for the largest of the sizes.
        neighbourhood: of the `local` encoder, see `LocalNetwork`.
    """

    encoder: Encoder
    width: int
    layers: int
    sizes: tuple[int, ...]
    dt: float
    largest: int = 0
    neighbourhood: int = 1

    @property
    def room(self) -> int:
        """Largest number of spins that the `padded` encoder has room for."""
        return self.largest or max(self.sizes)

    def build(self, dropout: float = 0.0, seed: int = 0) -> Network:
        """Return a network with random weights; torch's own random numbers are left as they were."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            if self.encoder == "local":
                return LocalNetwork(self.width, self.layers, dropout, self.neighbourhood)
            return PaddedNetwork(self.room, self.width, self.layers, dropout)
