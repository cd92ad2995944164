"""Weights on disk: `weights.safetensors` and, beside it, `architecture.json`, which says what they are weights of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors
import safetensors.torch
import torch

from qdynbench.errors import InputError
from qdynbench_sru.local import LocalNetwork
from qdynbench_sru.network import Network
from qdynbench_sru.padded import PaddedNetwork

Encoder = Literal["local", "padded"]
WEIGHTS, ARCHITECTURE = "weights.safetensors", "architecture.json"
ADVICE = "train anew with --refit, or install the package anew if they came with it"


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


def save(network: Network, architecture: Architecture, folder: Path) -> None:
    """Write weights in float64 and the architecture to an existing folder."""
    tensors = {name: tensor.double().cpu().contiguous() for name, tensor in network.state_dict().items()}
    # Not `save_file`, which leaves a file that no one else may read, whatever the umask.
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(tensors))
    (folder / ARCHITECTURE).write_text(json.dumps(dataclasses.asdict(architecture), indent=1) + "\n")


def load(folder: Path, expected: Mapping[str, Any], advice: str = ADVICE) -> tuple[Network, Architecture]:
    """Read what `save` wrote, as a float64 network on the CPU.

    Args:
        folder: of the weights.
        expected: attributes that the architecture must have, such as `width`.
        advice: what to do when they cannot be used.

    Raises:
        InputError: a file is missing or damaged, or the weights are of another architecture.
    """
    file = folder / ARCHITECTURE
    try:
        fields = json.loads(file.read_text())
        architecture = Architecture(**(fields | {"sizes": tuple(fields["sizes"])}))
        file = folder / WEIGHTS
        tensors = safetensors.torch.load_file(file)
    except (OSError, ValueError, TypeError, KeyError, safetensors.SafetensorError) as error:
        raise InputError(
            f"the sru weights in {str(file)!r} cannot be read ({type(error).__name__}: {error}); they may be cut off: "
            f"{advice}"
        ) from error
    for name, value in expected.items():
        if getattr(architecture, name) != value:
            raise InputError(
                f"the sru weights in {str(folder)!r} have {name}={getattr(architecture, name)}, "
                f"but {name}={value} is asked for: {advice}"
            )
    network = architecture.build().double()
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"the sru weights in {str(file)!r} are not those of their {ARCHITECTURE}: {advice} ({reason})"
        ) from error
    return network, architecture
