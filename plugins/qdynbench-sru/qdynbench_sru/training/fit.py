"""A fit: Adam on random excerpts, then L-BFGS on one fixed set of excerpts, with checkpoints.

The dynamics to be learned is exact, so a smaller loss is always a better propagator; Adam alone stalls where L-BFGS,
with no noise from the choice of excerpts, goes down by five more orders of magnitude. What counts in the end is the
error of a rollout, not the loss: it decides over which weights are kept, and over when to stop.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from qdynbench import FitContext
from qdynbench_sru import checkpoint
from qdynbench_sru.networks import Network
from qdynbench_sru.training.gradients import Gradients
from qdynbench_sru.training.loss import Batch, Excerpts, Loss
from qdynbench_sru.training.processes import Processes
from qdynbench_sru.training.progress import Standing, rollout_error, validation_loss
from qdynbench_sru.training.recipe import CHUNK, Recipe
from qdynbench_sru.training.trajectories import Trajectories

LOSS_SCALE = 1e8
"""The loss that L-BFGS sees is multiplied by this: torch's refuses curvature below 1e-10 in absolute terms."""

Precision = Literal["single", "mixed"]


@dataclass(frozen=True)
class Options:
    """What a user can turn about a fit; see the solver's parameters of the same names."""

    dropout: float = 0.0
    noise: float = 0.0
    rollout: int = 0
    precision: Precision = "single"
    patience: int = 0


class Training:
    """One fit, resumed from the context's folder where an interrupted one left a checkpoint.

    Args:
        network: with its first weights, on the context's device.
        recipe: of the training.
        options: see there.
        trajectories: the data.
        context: folder, seed and device.
        key: JSON data on what else the fit depends on, such as the architecture and the weights that it starts from.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        options: Options,
        trajectories: Trajectories,
        context: FitContext,
        key: dict[str, Any],
    ) -> None:
        self.network = network
        self._recipe, self._options, self._trajectories, self._context = recipe, options, trajectories, context
        self._processes = Processes.current()
        self._standing = Standing()
        self._key = {
            **key,
            "recipe": dataclasses.asdict(recipe),
            "options": dataclasses.asdict(options),
            "seed": context.seed,
            # Not to the last digit, in which two libraries' sums may differ.
            "mean_change": {str(size): f"{value:.6g}" for size, value in trajectories.mean_change.items()},
        }
        mixed = options.precision == "mixed" and context.device != "cpu"
        if options.precision == "mixed" and not mixed:
            self._say("precision=mixed needs a GPU; on this CPU the fit runs in single precision")
        loss = Loss(trajectories.mean_change, trajectories.burn_in, options.rollout, mixed)
        # L-BFGS compares losses to many digits, and so runs in double precision whatever Adam does.
        self._adam_gradients = Gradients(network, loss, self._processes, context.note)
        exact = dataclasses.replace(loss, mixed=False)
        self._lbfgs_gradients = Gradients(network, exact, self._processes, context.note)

    def run(self) -> Network:
        """Train to the end and return the network with the weights of the smallest rollout error, in double precision.

        Raises:
            FloatingPointError: the loss is not finite; the last good checkpoint stays.
        """
        with _one_thread():
            done, state = self._resume()
            if done < self._recipe.adam_chunks:
                self.network.single()
            if done == 0:
                self._judge()
                self._report(0.0)
            if done < self._recipe.adam_chunks:
                self._adam(done, state)
                done, state = self._recipe.adam_chunks, {}
            self.network.double()
            if done < self._recipe.chunks:
                self._lbfgs(done - self._recipe.adam_chunks, state)
            if self._standing.best:
                self.network.load_state_dict(self._standing.best)
        return self.network

    def _resume(self) -> tuple[int, checkpoint.OptimizerState]:
        kept = checkpoint.read(self._context.folder, self._key)
        done = 0 if kept is None else kept.chunks
        if self._processes.same(done, self._context.device) != done:
            raise RuntimeError("the processes of this fit do not see the same checkpoint; they must share its folder")
        if kept is None:
            return 0, {}
        if done >= self._recipe.adam_chunks:
            self.network.double()
        self.network.load_state_dict(kept.network)
        self._standing = Standing.of(kept.standing, kept.best)
        for gradients in (self._adam_gradients, self._lbfgs_gradients):
            gradients.pieces = self._standing.pieces
        return done, kept.optimizer

    def _adam(self, done: int, state: checkpoint.OptimizerState) -> None:
        parameters = list(self.network.parameters())
        optimizer = torch.optim.Adam(parameters, betas=(0.9, 0.99))
        _restore(optimizer, state)
        for chunk in range(done, self._recipe.adam_chunks):
            for update in range(chunk * CHUNK, (chunk + 1) * CHUNK):
                # Each update has its own random numbers, so that none need be kept to resume.
                random = np.random.default_rng([self._context.seed, update])
                batch = self._batch(random, torch.float32, self._recipe.adam_excerpts)
                optimizer.param_groups[0]["lr"] = self._recipe.rate(update)
                loss = self._adam_gradients(batch, seed=int(random.integers(1 << 62)))
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
            if self._finish(chunk + 1, self._recipe.adam_chunks, loss, self._adam_gradients, optimizer):
                return

    def _lbfgs(self, done: int, state: checkpoint.OptimizerState) -> None:
        random = np.random.default_rng([self._context.seed, self._recipe.adam_chunks * CHUNK])
        batch = self._batch(random, torch.float64, self._recipe.lbfgs_excerpts)
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

        def closure() -> float:
            nonlocal loss
            scaled = self._lbfgs_gradients(batch, scale=LOSS_SCALE)
            loss = scaled / LOSS_SCALE
            return scaled

        for chunk in range(self._recipe.adam_chunks + done, self._recipe.chunks):
            optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            if self._finish(chunk + 1, self._recipe.chunks, loss, self._lbfgs_gradients, optimizer):
                return

    def _batch(self, random: np.random.Generator, dtype: torch.dtype, scale: float) -> Batch:
        batch = []
        for size in self._trajectories.sizes:
            states, changes = self._trajectories.draw(size, self._recipe.excerpts(size, scale), random, dtype)
            noise = None
            if self._options.noise:
                deviation = self._options.noise / math.sqrt(states.shape[-2] * 2)
                noise = torch.from_numpy(deviation * random.standard_normal(states.shape)).to(states)
            batch.append(Excerpts(size, states, changes, noise))
        return batch

    def _finish(
        self, chunks: int, end: int, loss: float, gradients: Gradients, optimizer: torch.optim.Optimizer
    ) -> bool:
        """End a chunk of updates; return whether it was the last of its phase."""
        recipe, standing = self._recipe, self._standing
        standing.updates += CHUNK
        standing.pieces = gradients.pieces
        loss = self._processes.same(loss, self._context.device)
        if not (math.isfinite(loss) and all(bool(p.isfinite().all()) for p in self.network.parameters())):
            raise FloatingPointError(
                f"the training of sru failed: the loss is {loss} after {standing.updates} of "
                f"{recipe.chunks * CHUNK} updates; the checkpoint before it is kept in "
                f"{str(self._context.folder)!r}"
            )
        if chunks == recipe.adam_chunks:
            self.network.double()
        self._judge()
        stopped = 0 < self._options.patience <= standing.waited and chunks < end
        if stopped:
            self._say(
                f"stopped early after {standing.updates} updates: the rollout error had not fallen for "
                f"{standing.waited * CHUNK} of them"
            )
            chunks = end
        if chunks == end:
            self.network.double()
            standing.waited = 0
        if self._processes.rank == 0:
            # A phase that has ended leaves nothing of its optimiser to the next.
            kept = None if chunks == end < recipe.chunks else optimizer
            checkpoint.write(
                self._context.folder, self._key, chunks, self.network, kept, standing.scalars(), standing.best
            )
        self._report(chunks / recipe.chunks, loss=loss)
        return chunks == end

    def _judge(self) -> None:
        error = rollout_error(self.network, self._trajectories, self._context.device)
        self._error = self._processes.same(error, self._context.device)
        self._standing.judge(self._error, self.network)

    def _report(self, fraction: float, **figures: float) -> None:
        if self._processes.rank == 0:
            validation = validation_loss(self.network, self._trajectories, self._context.seed)
            figures |= {"validation_loss": validation, "rollout_error": self._error}
            self._context.progress(fraction, updates=self._standing.updates, **figures)

    def _say(self, text: str) -> None:
        if self._processes.rank == 0:
            self._context.note(text)


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


def _restore(optimizer: torch.optim.Optimizer, state: checkpoint.OptimizerState) -> None:
    if state:
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
