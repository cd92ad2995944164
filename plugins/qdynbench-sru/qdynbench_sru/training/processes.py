"""The processes of one fit: one, or several that torch's own launcher has started, each with its share of the excerpts.

Gradients are summed over all of them, so that an update is the same as that of one process on all excerpts, up to
rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed


@dataclass(frozen=True)
class Processes:
    """How many processes train together, and which one this is.

    Attributes:
        rank: of this process, from 0; rank 0 alone writes and reports.
        count: of all.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> Processes:
        """Return the process group that was initialised, or this process alone."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return cls(torch.distributed.get_rank(), torch.distributed.get_world_size())
        return cls()

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace every tensor by its sum over all processes; all have one dtype and device."""
        if self.count == 1:
            return
        # One message: the many small tensors of a network would each pay the latency.
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        torch.distributed.all_reduce(flat)
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def same(self, number: float, device: str) -> float:
        """Return the number that rank 0 has, on all of them: decisions must not depend on rounding."""
        if self.count == 1:
            return number
        held = torch.tensor([number], dtype=torch.float64, device=device)
        torch.distributed.broadcast(held, 0)
        return held.item()
