"""Checkpoints of a fit: one safetensors file with everything that the rest of the fit depends on, replaced atomically.

The state of the optimiser is part of it, so that a fit that was killed goes on exactly as it would have done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from qdynbench import written_whole

FILE = "checkpoint.safetensors"
_FIELD = "checkpoint"
OptimizerState = dict[int, dict[str, Any]]
"""What an optimiser remembers of each parameter, by the number of the parameter."""
# L-BFGS keeps scratch space among its state; it makes it anew when it is missing.
_SCRATCH = "al"


@dataclass(frozen=True)
class Checkpoint:
    """How far a fit has come.

    Attributes:
        chunks: finished chunks of updates, over all phases.
        network: state of the network.
        optimizer: state of the optimiser, or nothing at the end of a phase.
        best: state of the network when it was at its best; may be empty.
        standing: JSON data on the fit's past.
    """

    chunks: int
    network: dict[str, torch.Tensor]
    optimizer: OptimizerState
    best: dict[str, torch.Tensor]
    standing: dict[str, Any]


def write(
    folder: Path,
    key: Mapping[str, Any],
    chunks: int,
    network: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    standing: Mapping[str, Any],
    best: Mapping[str, torch.Tensor],
) -> None:
    """Replace the checkpoint in `folder`.

    Args:
        folder: exists.
        key: JSON data that the whole fit depends on; a checkpoint of another fit is not taken up.
        chunks: finished chunks of updates.
        network: is saved with its dtype.
        optimizer: None at the end of a phase, where the next one starts with a new optimiser.
        standing: JSON data on the fit's past.
        best: state of the network when it was at its best.
    """
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    scalars: dict[str, Any] = {}
    state = optimizer.state_dict()["state"] if optimizer is not None else {}
    for parameter, entries in state.items():
        for name, value in entries.items():
            if name == _SCRATCH:
                continue
            place = f"optimizer/{parameter}/{name}"
            if isinstance(value, torch.Tensor):
                tensors[place] = value
            elif isinstance(value, list):
                scalars[f"{place}/length"] = len(value)
                tensors |= {f"{place}/{number}": tensor for number, tensor in enumerate(value)}
            else:
                scalars[place] = value
    kept = {"key": dict(key), "chunks": chunks, "scalars": scalars, "standing": dict(standing)}
    metadata = {_FIELD: json.dumps(kept)}
    content = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, metadata)
    with written_whole(folder / FILE, sync=True) as file:
        file.write(content)


def read(folder: Path, key: Mapping[str, Any]) -> Checkpoint | None:
    """Return the checkpoint of this very fit, or None when there is none that can be used."""
    try:
        with safetensors.safe_open(folder / FILE, framework="pt") as file:
            kept = json.loads(file.metadata()[_FIELD])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        # Compared as JSON, which does not tell a tuple from a list.
        if kept["key"] != json.loads(json.dumps(dict(key))):
            return None
        chunks, scalars, standing = int(kept["chunks"]), kept["scalars"], dict(kept["standing"])
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
        return None
    network, best = (
        {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
        for start in ("network/", "best/")
    )
    return Checkpoint(chunks, network, _optimizer_state(tensors, scalars), best, standing)


def _optimizer_state(tensors: Mapping[str, torch.Tensor], scalars: Mapping[str, Any]) -> OptimizerState:
    state: OptimizerState = {}
    for place, value in {**tensors, **scalars}.items():
        if not place.startswith("optimizer/"):
            continue
        _, parameter, name, *rest = place.split("/")
        entries = state.setdefault(int(parameter), {})
        if rest == ["length"]:
            entries[name] = [tensors[f"optimizer/{parameter}/{name}/{number}"] for number in range(value)]
        elif not rest:
            entries[name] = value
    return state
