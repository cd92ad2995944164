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


@dataclass(frozen=True)
class Architecture:
    """All that a network's shape and its use depend on.

    Attributes:
        encoder: "local" or "padded".
        width: channels of the recurrent units.
        layers: recurrent layers.
        sizes: numbers of spins that it was trained on.
        dt: time step that it was trained on; hbar = 1.
    """

    encoder: Encoder
    width: int
    layers: int
    sizes: tuple[int, ...]
    dt: float

    def build(self, dropout: float = 0.0, seed: int = 0) -> Network:
        """Return a network with random weights; torch's own random numbers are left as they were."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            if self.encoder == "local":
                return LocalNetwork(self.width, self.layers, dropout)
            return PaddedNetwork(max(self.sizes), self.width, self.layers, dropout)


def save(network: Network, architecture: Architecture, folder: Path) -> None:
    """Write weights in float64 and the architecture to an existing folder."""
    tensors = {name: tensor.double().cpu().contiguous() for name, tensor in network.state_dict().items()}
    # Not `save_file`, which leaves a file that no one else may read, whatever the umask.
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(tensors))
    (folder / ARCHITECTURE).write_text(json.dumps(dataclasses.asdict(architecture), indent=1) + "\n")


def load(folder: Path, expected: Mapping[str, Any]) -> tuple[Network, Architecture]:
    """Read what `save` wrote, as a float64 network on the CPU.

    Args:
        folder: of the weights.
        expected: attributes that the architecture must have, such as `width`.

    Raises:
        InputError: a file is missing or damaged, or the weights are of another architecture.
    """
    try:
        fields = json.loads((folder / ARCHITECTURE).read_text())
        architecture = Architecture(**(fields | {"sizes": tuple(fields["sizes"])}))
        tensors = safetensors.torch.load_file(folder / WEIGHTS)
    except (OSError, ValueError, TypeError, KeyError, safetensors.SafetensorError) as error:
        raise InputError(
            f"the sru weights in {str(folder)!r} cannot be read ({type(error).__name__}: {error}); "
            "they may be cut off: train anew with --refit"
        ) from error
    for name, value in expected.items():
        if getattr(architecture, name) != value:
            raise InputError(
                f"the sru weights in {str(folder)!r} have {name}={getattr(architecture, name)}, "
                f"but {name}={value} is asked for; train anew with --refit"
            )
    network = architecture.build().double()
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"the sru weights in {str(folder)!r} are not those of their {ARCHITECTURE}: {error}"
        ) from error
    return network, architecture
