"""Gradients of an update: over micro-batches when memory is short, and over all processes that train together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from qdynbench_sru.networks import Network
from qdynbench_sru.training.loss import Batch, Loss, parts
from qdynbench_sru.training.processes import Processes


class Gradients:
    """Leaves the gradient of a batch's loss in the parameters of a network.

    Args:
        network: is trained.
        loss: to be minimised.
        processes: share the batch between them.
        say: is told, once each time, that memory ran out.

    Attributes:
        pieces: micro-batches that an update is computed in; doubled whenever the device's memory does not suffice. The
            update stays the same to rounding, for their gradients add up.
    """

    def __init__(self, network: Network, loss: Loss, processes: Processes, say: Callable[[str], None]) -> None:
        self._network = network
        self._loss = loss
        self._processes = processes
        self._say = say
        self.pieces = 1

    def __call__(self, batch: Batch, seed: int | None = None, scale: float = 1.0) -> float:
        """Compute the gradient of `scale` times the loss, and return that product.

        Args:
            batch: all excerpts of the update, those of the other processes included.
            seed: of the dropout; None drops nothing.
            scale: of the loss.

        Raises:
            torch.OutOfMemoryError: not even one excerpt at a time fits.
        """
        while True:
            # Once the handler is left, nothing refers to the failed attempt's tensors any longer.
            try:
                loss = self._accumulate(batch, seed, scale)
                break
            except torch.OutOfMemoryError:
                if not self._halve(batch):
                    raise
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        total = torch.tensor([loss], dtype=self._parameters[0].dtype, device=self._parameters[0].device)
        self._processes.sum([*(_gradient(parameter) for parameter in self._parameters), total])
        return total.item() if self._processes.count > 1 else loss

    def _accumulate(self, batch: Batch, seed: int | None, scale: float) -> float:
        self._network.zero_grad()
        loss = 0.0
        shares = parts(batch, self.pieces, self._processes.rank, self._processes.count)
        for number, part in enumerate(shares):
            # Different micro-batches drop different channels; the first one drops those that a whole batch would.
            stream = number * self._processes.count + self._processes.rank
            random = None if seed is None else torch.Generator().manual_seed(seed + stream)
            scaled = scale * self._loss(self._network, part, random)
            scaled.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            loss += scaled.item()
        return loss

    def _halve(self, batch: Batch) -> bool:
        largest = max(excerpts.states.shape[1] for excerpts in batch)
        if self.pieces * self._processes.count >= largest:
            return False
        self.pieces *= 2
        self._say(
            f"out of memory: each update is now computed in {self.pieces} micro-batches, whose gradients add up to the "
            "same update"
        )
        return True

    @property
    def _parameters(self) -> Sequence[torch.nn.Parameter]:
        return list(self._network.parameters())


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    if parameter.grad is None:
        # This process had no excerpt of a size that alone uses the parameter; the others may have had one.
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
