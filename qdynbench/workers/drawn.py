"""Drawn states as the scorer uses and sends them: vectors only where somebody needs them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.ensemble import Draw
from qdynbench.contract.solver import Initial
from qdynbench.workers.channel import Message


def parts_of(drawn: Draw, vectors: bool) -> dict[str, NDArray[np.complex128]]:
    """Return what initial states are given as: vectors if they are needed or all there is, and spinors."""
    parts = {"vectors": drawn.states} if vectors or drawn.spinors is None else {}
    return parts if drawn.spinors is None else {**parts, "spinors": drawn.spinors}


def initial_of(drawn: Draw, vectors: bool) -> Initial:
    """Return drawn states in torch, as vectors where these are needed."""
    return Initial(**{name: torch.from_numpy(array) for name, array in parts_of(drawn, vectors).items()})


def drawn_message(drawn: Draw, vectors: bool) -> Message:
    """Return the answer that holds drawn states; `given` names its arrays."""
    parts = parts_of(drawn, vectors)
    return Message("done", {"given": list(parts)}, tuple(parts.values()))
