"""Weights on disk: `weights.safetensors` and, beside it, `architecture.json`, which says what they are weights of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch

from qdynbench import InputError
from qdynbench_sru.networks import Architecture, Network

WEIGHTS, ARCHITECTURE = "weights.safetensors", "architecture.json"
ADVICE = "train anew with --refit, or install the package anew if they came with it"


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
