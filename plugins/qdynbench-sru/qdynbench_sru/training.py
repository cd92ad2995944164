"""Teacher-forced training: Adam on random windows, then L-BFGS on one fixed set of windows.

The loss is the squared error of the predicted change, relative to the mean squared change, averaged over sizes. The
dynamics to be learned is exact, so a smaller loss is always a better propagator; Adam alone stalls where L-BFGS, with
no noise from the choice of windows, goes down by five more orders of magnitude.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from qdynbench.solver import FitContext
from qdynbench_sru import checkpoint
from qdynbench_sru.network import Network
from qdynbench_sru.weights import Architecture
from qdynbench_sru.windows import Windows

CHUNK = 50
"""Updates between two checkpoints."""
WARM_UP = 20
"""Adam updates over which the learning rate rises from zero."""
LOSS_SCALE = 1e8
"""The loss that L-BFGS sees is multiplied by this: torch's refuses curvature below 1e-10 in absolute terms."""

Batch = Sequence[tuple[int, torch.Tensor, torch.Tensor]]
"""For each size: the size, states and changes of some windows."""


@dataclass(frozen=True)
class Recipe:
    """How long, how fast and on how much to train.

    Attributes:
        adam_chunks, lbfgs_chunks: of `CHUNK` updates each.
        learning_rate: of Adam at its highest; it falls to nearly zero along a cosine.
        adam_amplitudes, lbfgs_amplitudes: windows of one size times `2**N`.
        fewest, most: windows of one size.
    """

    adam_chunks: int
    lbfgs_chunks: int
    learning_rate: float
    adam_amplitudes: int
    lbfgs_amplitudes: int = 192
    fewest: int = 4
    most: int = 24

    def scaled(self, effort: float) -> Recipe:
        """Return the recipe with the number of updates multiplied by `effort`, at least one chunk a phase."""
        chunks = {
            name: max(1, round(effort * getattr(self, name))) if getattr(self, name) else 0
            for name in ("adam_chunks", "lbfgs_chunks")
        }
        return dataclasses.replace(self, **chunks)

    @property
    def chunks(self) -> int:
        """Chunks of all phases."""
        return self.adam_chunks + self.lbfgs_chunks

    def windows(self, size: int, amplitudes: int) -> int:
        """Return how many windows of a size make up about so many amplitudes."""
        return min(self.most, max(self.fewest, amplitudes >> size))


RECIPES = {
    "local": Recipe(adam_chunks=4, lbfgs_chunks=30, learning_rate=1e-2, adam_amplitudes=170, most=42),
    "padded": Recipe(adam_chunks=30, lbfgs_chunks=0, learning_rate=3e-3, adam_amplitudes=1, fewest=21),
}


class Training:
    """One fit, resumed from the context's folder where an interrupted one left a checkpoint.

    Args:
        architecture: of the network.
        recipe: of the training.
        dropout: see `SRU`; in the Adam phase alone, for L-BFGS needs a loss that does not change.
        windows: the data.
        context: folder, seed and device.
    """

    def __init__(
        self, architecture: Architecture, recipe: Recipe, dropout: float, windows: Windows, context: FitContext
    ) -> None:
        self._recipe, self._windows, self._context = recipe, windows, context
        self._key = {
            "architecture": dataclasses.asdict(architecture),
            "recipe": dataclasses.asdict(recipe),
            "dropout": dropout,
            "seed": context.seed,
            "mean_change": {str(size): value for size, value in windows.mean_change.items()},
        }
        self.network = architecture.build(dropout, context.seed).to(context.device)
        self.network.scale.fill_(math.sqrt(np.mean([v / 2**n for n, v in windows.mean_change.items()])))

    def run(self) -> Network:
        """Train to the end and return the network.

        Raises:
            FloatingPointError: the loss is not finite; the last good checkpoint stays.
        """
        with _one_thread():
            return self._run()

    def _run(self) -> Network:
        done, state = 0, {}
        kept = checkpoint.read(self._context.folder, self._key)
        if kept is not None:
            done, state = kept.chunks, kept.optimizer
            if done >= self._recipe.adam_chunks:
                self.network.double()
            self.network.load_state_dict(kept.network)
        if done < self._recipe.adam_chunks:
            self._adam(done, state)
            done, state = self._recipe.adam_chunks, {}
        self.network.double()
        if done < self._recipe.chunks:
            self._lbfgs(done - self._recipe.adam_chunks, state)
        return self.network

    def _adam(self, done: int, state: dict[int, dict[str, object]]) -> None:
        parameters = list(self.network.parameters())
        optimizer = torch.optim.Adam(parameters, betas=(0.9, 0.99))
        _restore(optimizer, state)
        total = self._recipe.adam_chunks * CHUNK
        for chunk in range(done, self._recipe.adam_chunks):
            for update in range(chunk * CHUNK, (chunk + 1) * CHUNK):
                # Each update has its own random numbers, so that none need be kept to resume.
                random = np.random.default_rng([self._context.seed, update])
                batch = self._batch(random, torch.float32, self._recipe.adam_amplitudes)
                rate = min(1.0, (update + 1) / WARM_UP) * (0.5 * (1 + math.cos(math.pi * update / total)) + 1e-3)
                optimizer.param_groups[0]["lr"] = self._recipe.learning_rate * rate
                optimizer.zero_grad()
                loss = self._loss(batch, torch.Generator().manual_seed(int(random.integers(1 << 62))))
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
            last = chunk + 1 == self._recipe.adam_chunks
            self._finish(chunk + 1, loss.item(), None if last else optimizer)

    def _lbfgs(self, done: int, state: dict[int, dict[str, object]]) -> None:
        random = np.random.default_rng([self._context.seed, self._recipe.adam_chunks * CHUNK])
        batch = self._batch(random, torch.float64, self._recipe.lbfgs_amplitudes)
        optimizer = torch.optim.LBFGS(
            self.network.parameters(),
            max_iter=CHUNK,
            max_eval=CHUNK * 3 // 2,
            history_size=50,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )
        _restore(optimizer, state)
        loss = math.inf

        def closure() -> torch.Tensor:
            nonlocal loss
            optimizer.zero_grad()
            scaled = LOSS_SCALE * self._loss(batch)
            scaled.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            loss = scaled.item() / LOSS_SCALE
            return scaled

        for chunk in range(done, self._recipe.lbfgs_chunks):
            optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            self._finish(self._recipe.adam_chunks + chunk + 1, loss, optimizer)

    def _batch(self, random: np.random.Generator, dtype: torch.dtype, amplitudes: int) -> Batch:
        return [
            (size, *self._windows.draw(size, self._recipe.windows(size, amplitudes), random, dtype))
            for size in self._windows.sizes
        ]

    def _loss(self, batch: Batch, generator: torch.Generator | None = None) -> torch.Tensor:
        predicted = self.network.changes([states for _, states, _ in batch], generator)
        burn_in = self._windows.burn_in
        errors = [
            (change - prediction)[burn_in:].square().sum((-1, -2)).mean() / self._windows.mean_change[size]
            for prediction, (size, _, change) in zip(predicted, batch, strict=True)
        ]
        return torch.stack(errors).mean()

    def _finish(self, chunks: int, loss: float, optimizer: torch.optim.Optimizer | None) -> None:
        if not (math.isfinite(loss) and all(bool(p.isfinite().all()) for p in self.network.parameters())):
            raise FloatingPointError(
                f"the training of sru failed: the loss is {loss} after {chunks * CHUNK} of "
                f"{self._recipe.chunks * CHUNK} updates; the checkpoint before it is kept in "
                f"{str(self._context.folder)!r}"
            )
        if chunks == self._recipe.adam_chunks:
            self.network.double()
        checkpoint.write(self._context.folder, self._key, chunks, self.network, optimizer)
        self._context.progress(chunks / self._recipe.chunks, loss=loss, rollout_error=self._rollout_error())

    def _rollout_error(self) -> float:
        """Return the mean infidelity at the end of held-out trajectories, predicted from their first state alone.

        Of the largest size, which is the hardest.
        """
        size = max(self._windows.sizes)
        truth = self._windows.held_out(size)
        steps = self.network.propagator(size, self._context.device).steps(truth[:, 0])
        for _ in range(truth.shape[1] - 1):
            predicted = next(steps)
        overlap = (truth[:, -1].conj() * torch.view_as_complex(predicted.contiguous())).sum(-1)
        return float(1 - overlap.abs().square().mean())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have torch use one CPU thread for a while.

    The tensors are so small that a second thread gains a quarter on an idle machine and costs a factor on a busy one,
    and with one thread the sums, and so the weights, do not depend on how many cores there are.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _restore(optimizer: torch.optim.Optimizer, state: dict[int, dict[str, object]]) -> None:
    if state:
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
