"""The linear propagator: what is gained by learning nothing but one matrix per size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from qdynbench import Block, Cost, FitContext, Given, Knowledge, LearnedSolver, Problem, TrainingData, block_length
from qdynbench_baselines.one_step import OneStep, fit_one_step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POWERS_BYTES = 32e6
"""Largest table of powers of the propagator, all of which one product applies."""


class LinearPropagator(LearnedSolver):
    """Applies the least-squares propagator `psi(t + dt) = U psi(t)` of its size (exact dynamic mode decomposition).

    It knows the sizes and the time step of its training data, and no others. Where the snapshots do not span the space,
    it leaves the rest of it unmoved.
    """

    knowledge = Knowledge.TRAJECTORIES
    label = "one matrix per training size"

    def __post_init__(self) -> None:
        self.dt = 0.0
        self.learned_steps: dict[int, OneStep] = {}
        """Propagator, snapshot rank and residual of each training size; empty before `fit` or `load`."""

    def supports(self, problem: Problem) -> str | None:
        """Refuse sizes and time steps without training data, once that is known."""
        if not self.learned_steps:
            return None
        if problem.size not in self.learned_steps:
            sizes = ", ".join(map(str, self.learned_steps))
            return f"no trajectories of {problem.size} spins in the training data ({sizes})"
        if not np.isclose(problem.dt, self.dt, rtol=1e-9, atol=0):
            return f"trained on time steps of {self.dt:g}, not {problem.dt:g}"
        return None

    def estimate(self, problem: Problem) -> Cost:
        """Count the table of powers, and its product with the states."""
        dim = 2.0 ** min(problem.size, 300)
        powers = max(1.0, min(problem.steps, POWERS_BYTES // (16 * dim**2)))
        operations = 8 * dim**2 * (powers * dim + problem.steps * problem.batch)
        return Cost(2 * dim**2 * 16 + 2 * POWERS_BYTES, operations)

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Solve the least-squares problem of every size; report its snapshot rank and residual."""
        self.dt = float(data.times[1] - data.times[0])
        self.learned_steps = {}
        for done, size in enumerate(data.sizes, start=1):
            step = self.learned_steps[size] = fit_one_step(data, size)
            context.progress(done / len(data.sizes), size=size, rank=step.rank, residual=step.residual)

    def save(self, folder: Path) -> None:
        """Write `linear.safetensors` (real and imaginary parts last) and `linear.json`."""
        matrices = {str(size): step.propagator for size, step in self.learned_steps.items()}
        pairs = {size: np.stack([matrix.real, matrix.imag], axis=-1) for size, matrix in matrices.items()}
        save_file(pairs, folder / "linear.safetensors")
        sizes = {size: {"rank": step.rank, "residual": step.residual} for size, step in self.learned_steps.items()}
        (folder / "linear.json").write_text(json.dumps({"dt": self.dt, "sizes": sizes}, indent=2))

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""
        summary = json.loads((folder / "linear.json").read_text())
        pairs = load_file(folder / "linear.safetensors")
        self.dt = summary["dt"]
        self.learned_steps = {
            int(size): OneStep(pairs[size] @ np.array([1, 1j]), **figures) for size, figures in summary["sizes"].items()
        }

    def prepare(self, problem: Problem) -> None:
        """Tabulate powers of U, so that one product with `(U, U^2, ..., U^k)` gives k times."""
        super().prepare(problem)
        propagator = torch.from_numpy(self.learned_steps[problem.size].propagator.T.copy()).to(problem.device)
        powers = [propagator]
        for _ in range(min(problem.steps, int(POWERS_BYTES // propagator.nbytes)) - 1):
            powers.append(powers[-1] @ propagator)
        self._powers = torch.stack(powers, dim=1).flatten(1)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield contiguous blocks of shape `(B, k, 2**N)`."""
        yield Block(0, given.states[:, None])
        batch, dim = given.states.shape
        length = min(block_length(self.problem, batch), self._powers.shape[1] // dim)
        last = given.states
        for start in range(1, self.problem.steps + 1, length):
            count = min(length, self.problem.steps + 1 - start)
            states = (last @ self._powers[:, : count * dim]).view(batch, count, dim)
            last = states[:, -1].clone()
            yield Block(start, states)
