"""The loss: squared errors of predicted changes, relative to the mean squared change, averaged over sizes.

Teacher forcing feeds the network the true states. Its weakness, which the paper names, is that errors accumulate once
the network is fed its own predictions. The rollout trains on just that: after a teacher-forced beginning each
prediction is the next input, and the gradient goes through all of them. After j steps of its own the error of the state
is divided by j, so that a steady error weighs the same at every step as it does in teacher forcing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from qdynbench_sru.networks import Network


@dataclass(frozen=True)
class Excerpts:
    """Excerpts of trajectories of one size.

    Attributes:
        size: number of spins N.
        states: true states, shape `(T, B, 2**N, 2)`.
        changes: true changes from each of them to the next, same shape.
        noise: what is added to the states as inputs, same shape, or None.
        share: the part of an update's excerpts of this size that these are.
    """

    size: int
    states: torch.Tensor
    changes: torch.Tensor
    noise: torch.Tensor | None = None
    share: float = 1.0

    def inputs(self, steps: int) -> torch.Tensor:
        """Return what the network is given at the first `steps` times."""
        return self.states[:steps] if self.noise is None else self.states[:steps] + self.noise[:steps]

    def part(self, which: slice) -> Excerpts:
        """Return some of the excerpts."""
        states = self.states[:, which]
        noise = None if self.noise is None else self.noise[:, which]
        share = self.share * (states.shape[1] / self.states.shape[1])
        return Excerpts(self.size, states, self.changes[:, which], noise, share)


Batch = Sequence[Excerpts]
"""The excerpts of an update: one entry for each size."""


def parts(batch: Batch, count: int, rank: int = 0, processes: int = 1) -> Iterator[Batch]:
    """Cut this process's share of a batch into `count` micro-batches whose losses add up; empty ones are left out."""
    for number in range(rank, count * processes, processes):
        which = slice(number, None, count * processes)
        part = [excerpts.part(which) for excerpts in batch if number < excerpts.states.shape[1]]
        if part:
            yield part


@dataclass(frozen=True)
class Loss:
    """Computes the loss of a batch.

    Attributes:
        mean_change: mean squared change by size.
        burn_in: first steps that do not count.
        rollout: last steps on which the network is fed its own predictions.
        mixed: whether the network runs in bfloat16 where that is safe (`torch.autocast`).
    """

    mean_change: dict[int, float]
    burn_in: int
    rollout: int = 0
    mixed: bool = False

    def __call__(self, network: Network, batch: Batch, generator: torch.Generator | None = None) -> torch.Tensor:
        """Return the loss, a scalar; `generator` is for dropout."""
        with torch.autocast(batch[0].states.device.type, torch.bfloat16, enabled=self.mixed):
            errors = (self._rolled if self.rollout else _forced)(network, batch, generator)
        means = [
            error[self.burn_in :].square().sum((-1, -2)).mean() / self.mean_change[excerpts.size] * excerpts.share
            for error, excerpts in zip(errors, batch, strict=True)
        ]
        return torch.stack(means).sum() / len(self.mean_change)

    def _rolled(self, network: Network, batch: Batch, generator: torch.Generator | None) -> list[torch.Tensor]:
        forced = batch[0].states.shape[0] - self.rollout
        # The same channels are dropped at all times of a sequence, so every call starts from the same random numbers.
        start = None if generator is None else generator.get_state()
        predicted, memories = network.predict([excerpts.inputs(forced) for excerpts in batch], None, generator)
        rows = [
            list((excerpts.changes[:forced] - part).unbind()) for excerpts, part in zip(batch, predicted, strict=True)
        ]
        # What the prediction of the state is too small by; of the last forced step at first.
        short = [row[-1] for row in rows]
        for step in range(forced, forced + self.rollout):
            fed = [_normalised(excerpts.states[step] - gap) for excerpts, gap in zip(batch, short, strict=True)]
            if generator is not None and start is not None:
                generator.set_state(start)
            predicted, memories = network.predict([state[None] for state in fed], memories, generator)
            for number, (excerpts, part) in enumerate(zip(batch, predicted, strict=True)):
                following = excerpts.states[step] + excerpts.changes[step]
                short[number] = following - (fed[number] + part[0])
                rows[number].append(short[number] / (step - forced + 2))
        return [torch.stack(row) for row in rows]


def _forced(network: Network, batch: Batch, generator: torch.Generator | None) -> list[torch.Tensor]:
    predicted = network.changes([excerpts.inputs(len(excerpts.states)) for excerpts in batch], generator)
    return [excerpts.changes - prediction for excerpts, prediction in zip(batch, predicted, strict=True)]


def _normalised(states: torch.Tensor) -> torch.Tensor:
    return states / states.square().sum((-1, -2), keepdim=True).sqrt()
