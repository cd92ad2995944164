"""Fine-tuning: a fit that starts from finished weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from qdynbench import InputError
from qdynbench_sru import weight_files
from qdynbench_sru.networks import Architecture, Network
from qdynbench_sru.networks.padded import PaddedNetwork


def started(folder: Path, expected: Mapping[str, Any], sizes: Sequence[int], dt: float) -> tuple[Network, Architecture]:
    """Return a network with the weights in `folder`, float64 on the CPU, and its architecture with the new sizes added.

    A size that the `padded` encoder has not seen begins with the gains of the nearest one that it has: it differs from
    that by a diagonal term of the Hamiltonian, from the mean of all sizes by more.

    Args:
        folder: of finished weights.
        expected: attributes that their architecture must have.
        sizes: numbers of spins to be trained on.
        dt: time step to be trained on.

    Raises:
        InputError: the weights are damaged, of another architecture or time step, or have no room for a size.
    """
    advice = "fit with their parameters, or name other weights with start="
    network, trained = weight_files.load(folder, expected, advice)
    if not math.isclose(dt, trained.dt, rel_tol=1e-9):
        raise InputError(
            f"the sru weights in {str(folder)!r} were trained for steps of {trained.dt:g}, the training data has steps "
            f"of {dt:g}: set training.dt to {trained.dt:g}"
        )
    if isinstance(network, PaddedNetwork):
        if max(sizes) > trained.room:
            raise InputError(
                f"the sru weights in {str(folder)!r} have room for {trained.room} spins, not {max(sizes)}: train them "
                f"with largest={max(sizes)}"
            )
        with torch.no_grad():
            for size in set(sizes) - set(trained.sizes):
                network.gains[size] = network.gains[min(trained.sizes, key=lambda known: abs(known - size))]
    return network, dataclasses.replace(trained, sizes=tuple(sorted({*trained.sizes, *sizes})))
