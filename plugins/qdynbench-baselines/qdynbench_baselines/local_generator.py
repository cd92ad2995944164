"""The local generator: a two-site Hamiltonian read off the trajectories of small chains, and applied to any size."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse
import torch

from qdynbench import (
    Block,
    Cost,
    FitContext,
    Given,
    InputError,
    Knowledge,
    LearnedSolver,
    Problem,
    TrainingData,
    block_length,
)
from qdynbench.toolkit.eigenbasis import EigenbasisPropagator, dense_cost
from qdynbench_baselines.one_step import fit_one_step
from qdynbench_baselines.regression import LocalModel, generator_of, regress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


class LocalGenerator(LearnedSolver):
    """Regresses `H = sum_i h1(i) + sum_i h2(i, i+1)`, the same at every site, from trajectories of small chains.

    For each training size the least-squares propagator U of one step gives the generator `i log(U) / dt`; one set of
    coefficients of X, Y, Z on each site, of the nine two-site Pauli strings on each bond and of a phase per site is
    then fitted to all sizes at once, for an open and for a periodic chain, and the better of the two is kept. It is
    exact where its assumption holds; where it does not, the residual that `fit` reports tells how much is missed.

    Attributes:
        dense_spins: the largest chain that is diagonalised; longer ones are evolved step by step by scipy's
            `expm_multiply`, which needs no matrix but a sparse one.
    """

    knowledge = Knowledge.TRAJECTORIES
    label = "assumes a translation-invariant two-site generator"

    dense_spins: int = 11

    def __post_init__(self) -> None:
        self.model: LocalModel | None = None
        """What `fit` or `load` brought."""

    def estimate(self, problem: Problem) -> Cost:
        """Predict as for `ed` while chains are diagonalised, and from ten sparse products a step beyond."""
        if problem.size <= self.dense_spins:
            return dense_cost(problem)
        dim = 2.0 ** min(problem.size, 300)
        entries = dim * 4 * problem.size
        operations = 10.0 * problem.steps * 8 * entries * problem.batch
        return Cost(2 * 24 * entries + 6 * 16 * dim * problem.batch, operations)

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Read the generator off the trajectories.

        Sizes whose snapshots do not span the space, or whose propagator comes near the branch cut of the logarithm
        (`|E| dt > 0.9 pi`), are left out. A phase beyond pi cannot be told from a single U;
        it shows as a large residual.

        Raises:
            InputError: no size is left; the message says why for each of them.
        """
        dt = float(data.times[1] - data.times[0])
        generators: dict[int, NDArray[np.complex128]] = {}
        refused = []
        for done, size in enumerate(data.sizes, start=1):
            step = fit_one_step(data, size)
            if not step.full_rank:
                refused.append(f"{size} spins: the snapshots span {step.rank} of {2**size} dimensions")
                continue
            try:
                generators[size] = generator_of(step.propagator, dt)
            except InputError as error:
                refused.append(f"{size} spins: {error}")
            context.progress(0.9 * done / len(data.sizes), size=size, rank=step.rank, residual=step.residual)
        if not generators:
            raise InputError(f"local-generator has no size to learn from ({'; '.join(refused)})")
        self.model = regress(generators, dt)
        context.progress(1.0, relative_residual=self.model.residual, periodic=float(self.model.periodic))

    def save(self, folder: Path) -> None:
        """Write `local_generator.json`; the coefficients come back bit by bit."""
        (folder / "local_generator.json").write_text(json.dumps(asdict(self._fitted()), indent=2))

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""
        self.model = LocalModel(**json.loads((folder / "local_generator.json").read_text()))

    def prepare(self, problem: Problem) -> None:
        """Build the generator at the size asked for, and diagonalise it where that is feasible."""
        super().prepare(problem)
        operator, phase = self._fitted().hamiltonian(problem.size), self._fitted().phase(problem.size)
        if problem.size <= self.dense_spins:
            matrix = operator.to_dense() + phase * np.eye(problem.dimension)
            self._propagator = EigenbasisPropagator(matrix, problem)
        else:
            sparse = operator.to_sparse() + phase * scipy.sparse.eye_array(problem.dimension)
            self._increment = (-1j * problem.dt * sparse).tocsr()

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield contiguous blocks of shape `(B, k, 2**N)`."""
        if self.problem.size <= self.dense_spins:
            return self._propagator.blocks(given.states)
        return self._step_by_step(given)

    def _step_by_step(self, given: Given) -> Iterator[Block]:
        from scipy.sparse.linalg import expm_multiply

        times, batch = self.problem.steps + 1, len(given.states)
        length = block_length(self.problem, batch)
        trace = self._increment.diagonal().sum()
        columns = given.states.cpu().numpy().T
        for start in range(0, times, length):
            block = np.empty((batch, min(length, times - start), self.problem.dimension), dtype=np.complex128)
            for offset in range(block.shape[1]):
                if start + offset > 0:
                    columns = expm_multiply(self._increment, columns, traceA=trace)
                block[:, offset] = columns.T
            yield Block(start, torch.from_numpy(block).to(self.problem.device))

    def _fitted(self) -> LocalModel:
        if self.model is None:
            raise TypeError("local-generator has to be fitted or loaded first")
        return self.model
