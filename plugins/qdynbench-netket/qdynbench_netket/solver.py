"""Time-dependent variational Monte Carlo with NetKet; hbar = 1.

G. Carleo, F. Becca, M. Schiro and M. Fabrizio, Sci. Rep. 2, 243 (2012); G. Carleo and M. Troyer, Science 355, 602
(2017).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from qdynbench import Block, Cost, Given, Knowledge, Problem, Solver, moments
from qdynbench.toolkit.peers import missing
from qdynbench.toolkit.strings import norm_bound
from qdynbench_netket import ansatz, frame
from qdynbench_netket.findings import left_out, remarks
from qdynbench_netket.stepping import steps_within, stopping_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

REQUIREMENT = "netket>=3.23,<3.24"
INSTALL = 'pip install "qdynbench-netket[peer]"'
ABSENT = missing(REQUIREMENT, INSTALL)

LIBRARY_BYTES = 2e8
"""What JAX and NetKet hold of themselves."""
SMALLEST_AMPLITUDE = 1e-12
"""Smallest amplitude of an initial state whose logarithm can be taken."""

MOST_HALVINGS = 4
"""How often a state whose energy drifts is started anew with half the step."""


class NetketTvmc(Solver):
    """Evolves the couplings of a Jastrow wave function by NetKet's `TDVP` driver, one state after the other.

    The equation of motion is `S dJ/dt = -i F`, with the geometric tensor `S_kl = <O_k* O_l> - <O_k*><O_l>`, the forces
    `F_k = <O_k* E_loc> - <O_k*><E_loc>`, and `O_k = d log psi / dJ_k`. The averages are sums over the basis or, with
    `samples`, taken from Markov chains. The result is an approximation whose error no parameter bounds; it is exact in
    the limit of `order=N`, `samples=0`, and `step` and `tolerance` to 0.

    Attributes:
        order: most spins in a correlator of the wave function: 2 is the Jastrow wave function, N any state.
        samples: basis states drawn for every evaluation, in 16 chains; 0 sums over all of them.
        method: NetKet's integrator, `rk4` or `heun` (of second order, the usual one for sampled forces).
        step: longest time step. A longer step of the grid is divided evenly; a finer grid is interpolated.
        tolerance: largest drift of the energy, in units of `sum |coefficients|`. The variational principle conserves
            it, so that a drift comes from the integrator: the state starts anew with half the step. Sampled energies
            drift anyway, so with `samples` only states that diverge do.
        cutoff: eigenvalues of the geometric tensor below this, in units of the largest, are dropped (smoothly).
        seed: seed of the sampling; every state starts from it.
    """

    knowledge = Knowledge.HAMILTONIAN

    order: int = 3
    samples: int = 0
    method: Literal["rk4", "heun"] = "rk4"
    step: float = 0.02
    tolerance: float = 1e-5
    cutoff: float = 1e-10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.order < 1:
            raise ValueError(f"order={self.order}: at least 1 expected")
        if self.samples < 0:
            raise ValueError(f"samples={self.samples}: a number from 0 on expected")
        if not 0 < self.step < np.inf:
            raise ValueError(f"step={self.step}: a positive number expected")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance={self.tolerance}: a number between 0 and 1 expected")
        if not 0 <= self.cutoff < 1:
            raise ValueError(f"cutoff={self.cutoff}: a number from 0 to below 1 expected")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}: a number from 0 on expected")

    @property
    def label(self) -> str:
        """The ansatz and how its averages are taken."""
        sums = f"{self.samples} samples" if self.samples else "summed over the basis"
        return f"correlators of up to {self.order} spins, {sums}, state by state"

    def supports(self, problem: Problem) -> str | None:
        """Refuse without NetKet, under a drive, on a GPU, and entangled initial states beyond the wave function."""
        if ABSENT is not None:
            return ABSENT
        if problem.drive is not None:
            return "the model is driven, and this solver evolves under one Hamiltonian"
        if problem.device != "cpu":
            return "this plugin runs NetKet on the CPU: its use on a GPU has not been tested"
        if problem.entangled and self.order < problem.size:
            return f"order={self.order} holds product states alone: order={problem.size} can begin with any other"
        return None

    def estimate(self, problem: Problem) -> Cost:
        """Count evaluations of the equation of motion: each builds the geometric tensor and solves with it.

        No error is promised: that of the wave function is not known.
        """
        dim, couplings = 2.0 ** min(problem.size, 300), float(ansatz.count(min(problem.size, 300), self.order))
        stops = len(stopping_points(problem.steps + 1, problem.dt, self.step)) - 1
        evaluations = stops * ({"rk4": 4, "heun": 2}[self.method] * steps_within(problem.dt, self.step) + 1)
        basis_states = float(self.samples) or dim
        # A sample takes a sweep over the chain, spin by spin, with all couplings.
        each = 8 * basis_states * couplings**2 + 10 * couplings**3 + 8 * self.samples * problem.size * couplings
        trajectories = dim * (problem.steps + 1) * (problem.batch + 4.0)
        work = 4 * basis_states * couplings + 8 * couplings**2 + dim * couplings
        return Cost(LIBRARY_BYTES + 16 * (trajectories + work), problem.batch * evaluations * each)

    def prepare(self, problem: Problem) -> None:
        """Import NetKet, once, and set up what all states share."""
        super().prepare(problem)
        # XLA makes as many threads as NPROC says when its client is first used, which is while NetKet is imported.
        os.environ["NPROC"] = str(problem.threads)
        import jax

        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)
        from qdynbench_netket.evolution import Evolution

        self._evolution = Evolution(
            problem.size,
            order=self.order,
            method=self.method,
            cutoff=self.cutoff,
            samples=self.samples,
            seed=self.seed,
        )
        self._table = ansatz.table(problem.size, self.order)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield the initial states, then one block of shape `(B, T, 2**N)`.

        Raises:
            ValueError: entangled initial states that are beyond the wave function.
            ArithmeticError: a state diverges, however short the step.
        """
        yield Block(0, given.states[:, None])
        problem = self.problem
        followed = np.empty((len(given.states), problem.steps, problem.dimension), dtype=np.complex128)
        for number, state in enumerate(given.states.numpy()):
            spinors = None if given.spinors is None else given.spinors[number].numpy()
            followed[number] = self._follow(given, state, spinors)
        yield Block(1, torch.from_numpy(followed))

    def _start(
        self, state: NDArray[np.complex128], spinors: NDArray[np.complex128] | None
    ) -> tuple[NDArray[np.complex128], frame.Turned]:
        """Return the couplings `(P,)` of an initial state, and the sites in whose turned bases they are meant."""
        size = self.problem.size
        if spinors is not None:
            turned = frame.sites_to_turn(spinors)
            return ansatz.product_couplings(frame.turn_spinors(spinors, turned), self.order), turned
        if self.order < size:
            raise ValueError(
                f"an entangled initial state is no correlator wave function of order={self.order}: "
                f"product states, or order={size}, expected"
            )
        if np.abs(state).min() < SMALLEST_AMPLITUDE:
            raise ValueError("an entangled initial state has a vanishing amplitude, whose logarithm does not exist")
        return ansatz.couplings_of(state, self._table), (False,) * size

    def _follow(
        self, given: Given, state: NDArray[np.complex128], spinors: NDArray[np.complex128] | None
    ) -> NDArray[np.complex128]:
        """Return the trajectory of one state after its start, shape `(T, 2**N)`."""
        problem, hamiltonian = self.problem, self.problem.hamiltonians[0]
        scale = norm_bound(hamiltonian)
        if not scale:
            return np.broadcast_to(state, (problem.steps, problem.dimension))
        couplings, turned = self._start(state, spinors)
        operator = frame.turn_sum(hamiltonian, turned)
        energy = float(moments.mean(hamiltonian, torch.from_numpy(state)))
        for halvings in range(MOST_HALVINGS + 1):
            course = self._evolution.run(couplings, operator, problem.times, self.step / 2**halvings)
            if not np.isfinite(course.couplings).all():
                continue
            inside = ansatz.states(course.couplings[1:], self._table)
            drifts = moments.mean(operator, torch.from_numpy(inside)) - energy
            drift = float(drifts.abs().max()) / scale
            if self.samples or drift < self.tolerance:
                break
        else:
            if not np.isfinite(course.couplings).all():
                raise ArithmeticError(
                    f"a state diverges even at step={self.step / 2**MOST_HALVINGS:.2g}: amplitudes vanish on its way, "
                    "which this wave function cannot follow"
                )
        stops = ansatz.states(course.couplings[course.stops], self._table)
        residual = left_out(course.rates @ self._table.T, stops, operator)
        found = remarks(
            course,
            halvings=halvings,
            drift=drift,
            residual=residual,
            tolerance=self.tolerance,
            cutoff=self.cutoff,
            sampled=self.samples > 0,
        )
        for note in found:
            if note not in given.notes:
                given.note(note)
        return ansatz.with_phases(frame.turn_states(inside, turned), state, energy, problem.dt)
