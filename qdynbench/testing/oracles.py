"""Answers that no solver here has made: closed forms and published values; hbar = 1, Pauli matrices.

They apply to solvers that see the Hamiltonian: the others are asked about one model, and learn it from trajectories.
A solver is held to the `error` of its predicted cost, a 2-norm error of the state; an expectation value of a string
then moves by at most twice that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from qdynbench.contract.initial import Initial
from qdynbench.contract.learned import LearnedSolver
from qdynbench.contract.problem import Knowledge
from qdynbench.contract.solver import Solver
from qdynbench.errors import Infeasible, Unsupported
from qdynbench.physics.operators import PauliSum
from qdynbench.task.families import KickedIsing, SquareLatticeIsing
from qdynbench.testing import independent
from qdynbench.testing.check import Check
from qdynbench.testing.exercise import LARGEST, Exercise, graded_chain, initial_of, product_initial
from qdynbench.testing.outcome import Failure, Skip
from qdynbench.testing.output import VALID
from qdynbench.testing.subject import SEED

if TYPE_CHECKING:
    from qdynbench.testing.subject import Run, Subject

ROUNDING = 1e-12
GROSS = 1e-2
"""Largest error of a spin at 40 sites where the solver promises nothing."""
UP, DOWN, PLUS = np.array([1, 0j]), np.array([0j, 1]), np.array([1, 1 + 0j]) / math.sqrt(2)


def sees_hamiltonian(solver_class: type[Solver]) -> str | None:
    """Exempt all but solvers that are handed any Hamiltonian."""
    if solver_class.knowledge is not Knowledge.HAMILTONIAN:
        return f"its knowledge is {solver_class.knowledge.value}: an oracle hands a Hamiltonian to the solver"
    return "it is learned from one model" if issubclass(solver_class, LearnedSolver) else None


def rabi(subject: Subject) -> str:
    """One spin under H = g X, from up: `<Z>(t) = cos(2 g t)`."""
    g, times = 0.7, np.linspace(0, 4, 41)
    run = subject.run(Exercise.pose(PauliSum.from_terms(1, [(g, "X", (0,))]), times, product([UP])))
    deviation = np.abs(run.observable("z")[0, :, 0].numpy() - np.cos(2 * g * times)).max()
    return judge(run, deviation, factor=2, motion=moved(np.cos(2 * g * times)))


def classical_ising(subject: Subject) -> str:
    """No transverse field: a basis state only gains the phase `exp(-i E t)`."""
    size, times = 4, np.linspace(0, 3, 31)
    bonds = [(1.0, "ZZ", (i, i + 1)) for i in range(size - 1)]
    hamiltonian = PauliSum.from_terms(size, [*bonds, *((0.5 - 0.17 * i, "Z", (i,)) for i in range(size))])
    spinors = np.array([[[UP, DOWN][index >> (size - 1 - site) & 1] for site in range(size)] for index in range(16)])
    exercise = Exercise.pose(hamiltonian, times, initial_of(spinors))
    run = subject.run(exercise)
    energies = np.diag(independent.dense(hamiltonian)).real
    phases = torch.from_numpy(np.exp(-1j * np.outer(energies, times)))
    expected = phases[:, :, None] * exercise.initial.states[:, None]
    deviation = torch.linalg.vector_norm(run.states() - expected, dim=-1).max()
    return judge(
        run, float(deviation), motion=float(torch.linalg.vector_norm(expected - expected[:, :1], dim=-1).max())
    )


def tfim_modes(size: int, coupling: float, g: float) -> tuple[np.ndarray, np.ndarray]:
    """Return `E_k` and `sin(theta_k)` of the free fermions of the periodic chain, k = (2n-1) pi / N, n = 1..N/2."""
    k = (2 * np.arange(1, size // 2 + 1) - 1) * math.pi / size
    energy = 2 * np.sqrt(coupling**2 + g**2 - 2 * coupling * g * np.cos(k))
    return energy, 2 * coupling * np.sin(k) / energy


def tfim_run(subject: Subject) -> tuple[Run, np.ndarray, np.ndarray, np.ndarray]:
    """Quench |+>^6 with H = -J sum ZZ - g sum X, periodic; return the run, times, E_k and sin(theta_k)."""
    size, coupling, g, times = 6, 1.0, 0.7, np.linspace(0, 2, 41)
    bonds = [(-coupling, "ZZ", (i, (i + 1) % size)) for i in range(size)]
    hamiltonian = PauliSum.from_terms(size, [*bonds, *((-g, "X", (i,)) for i in range(size))])
    run = subject.run(Exercise.pose(hamiltonian, times, product([PLUS] * size)))
    return run, times, *tfim_modes(size, coupling, g)


def tfim_magnetization(subject: Subject) -> str:
    """Quench of the transverse-field chain: `<X> = (2/N) sum_k [cos^2 theta_k + sin^2 theta_k cos(2 E_k t)]`."""
    run, times, energy, sine = tfim_run(subject)
    expected = (1 - sine**2 + sine**2 * np.cos(2 * np.outer(times, energy))).mean(axis=1)
    deviation = np.abs(run.observable("x")[0].mean(-1).numpy() - expected).max()
    return judge(run, deviation, factor=2, motion=moved(expected))


def tfim_loschmidt(subject: Subject) -> str:
    """Its Loschmidt echo: `|<psi(0)|psi(t)>|^2 = prod_k [1 - sin^2 theta_k sin^2(E_k t)]`."""
    run, times, energy, sine = tfim_run(subject)
    expected = np.prod(1 - sine**2 * np.sin(np.outer(times, energy)) ** 2, axis=1)
    states = run.states()[0].numpy()
    deviation = np.abs(np.abs(states @ states[0].conj()) ** 2 - expected).max()
    return judge(run, deviation, factor=2, motion=moved(expected))


def xx_neel(subject: Subject) -> str:
    """XX chain `J sum (Sx Sx + Sy Sy)` from the Neel state: `m_s(t) = J0(2 J t) / 2` before the boundary is felt.

    The periodic chain of 10 sites deviates by `J_10(2 t)`, below 3e-8 to t = 0.8 (J = 1).
    """
    from scipy.special import j0, jv

    size, times = 10, np.linspace(0, 0.8, 17)
    pairs = [(i, (i + 1) % size) for i in range(size)]
    hamiltonian = PauliSum.from_terms(size, [(0.25, letters, pair) for pair in pairs for letters in ("XX", "YY")])
    run = subject.run(Exercise.pose(hamiltonian, times, product([UP, DOWN] * (size // 2))))
    signs = torch.tensor([1.0, -1.0] * (size // 2), dtype=torch.float64)
    staggered = (run.observable("z")[0] * signs).mean(-1).numpy() / 2
    expected = j0(2 * times) / 2
    deviation = np.abs(staggered - expected).max()
    return judge(run, deviation, factor=1, bound=float(jv(size, 2 * times[-1])), motion=moved(expected))


def xx_open_chain(size: int, times: np.ndarray) -> np.ndarray:
    """Return `<Z_i>(t)` of the open XX chain `sum (Sx Sx + Sy Sy)` from the Neel state, shape `(T+1, N)`.

    Jordan-Wigner: hopping `h = 1/2` between neighbours, a fermion on every up spin, and `n_i(t)` is the sum of
    `|exp(-i h t)_ik|^2` over the sites k that were occupied: an `N x N` matrix, at any N.
    """
    energies, modes = np.linalg.eigh((np.eye(size, k=1) + np.eye(size, k=-1)) / 2)
    propagators = (modes * np.exp(-1j * np.multiply.outer(times, energies))[:, None, :]) @ modes.T
    spins: np.ndarray = 2 * (np.abs(propagators[:, :, ::2]) ** 2).sum(-1) - 1
    return spins


def xx_neel_40(subject: Subject) -> str:
    """The open XX chain of 40 spins from the Neel state, where no state vector exists: every `<Z_i>` to t = 0.5.

    A solver that promises no error is held to `GROSS`: the right model, the right sites and no blunder in time.
    """
    size, times = 40, np.linspace(0, 0.5, 6)
    bonds = [(0.25, letters, (i, i + 1)) for i in range(size - 1) for letters in ("XX", "YY")]
    spinors = torch.from_numpy(np.array([[UP, DOWN] * (size // 2)]))
    initial = Initial(spinors=spinors, memory=LARGEST)
    exercise = Exercise.pose(PauliSum.from_terms(size, bonds), times, initial)
    demand_a_cost(subject, exercise)
    try:
        run = subject.run(exercise)
    except (Infeasible, MemoryError, Skip) as error:
        raise Skip(
            f"not applicable: it needs the state vector, which a chain of 40 spins does not have ({error})"
        ) from error
    deviation = float(np.abs(run.observable("z")[0].numpy() - xx_open_chain(size, times)).max())
    if run.promised is not None:
        return judge(run, deviation, factor=2, motion=math.inf)
    if not deviation <= GROSS:
        raise Failure(f"a spin deviates by {deviation:.1e}, {GROSS:.1e} allowed where no error is promised")
    return f"deviates by {deviation:.1e}; no promised error, {GROSS:.1e} allowed"


def time_reversal(subject: Subject) -> str:
    """Evolution with H and then with -H returns the initial state."""
    size, times = 4, np.linspace(0, 2, 21)
    initial = product_initial(size, 2, seed=SEED + 2)
    run = subject.run(Exercise.pose(graded_chain(size), times, initial))
    there = run.states()[:, -1]
    there = there / torch.linalg.vector_norm(there, dim=-1, keepdim=True)
    back = subject.run(Exercise.pose(-graded_chain(size), times, Initial(there)))
    deviation = torch.linalg.vector_norm(back.states()[:, -1] - initial.states, dim=-1).max()
    return judge(
        back, float(deviation), factor=3, motion=float(torch.linalg.vector_norm(there - initial.states, dim=-1).max())
    )


def kicked_ising_selfdual(subject: Subject) -> str:
    """Self-dual kicked chain, J = b = pi / 4, open, from |+>^8: half-chain entropy `n ln 2` after n kicks, to n = 4.

    Bertini, Kos and Prosen, PRX 9, 021033 (2019). Near a flat spectrum of 2**n equal weights the entropy moves by less
    than `16 n` times the 2-norm error of the state, and by its square where the rank grows.
    """
    size, times = 8, np.arange(5.0)
    drive = KickedIsing(J=math.pi / 4, b=math.pi / 4, h=0.6).hamiltonian(size)
    try:
        run = subject.run(Exercise.pose(drive, times, product([PLUS] * size)))
    except (Skip, Unsupported) as error:
        raise Skip(f"not applicable: {error}") from error
    expected = math.log(2) * times
    deviation = np.abs(run.observable("entropy")[0].numpy() - expected).max()
    return judge(run, deviation, factor=64, motion=moved(expected))


def tfim_2d_quench(subject: Subject) -> str:
    """4 x 4 torus from |+>^16 to a tenth of the critical field: iPEPS values of <X> to 2e-3.

    Czarnik, Dziarmaga and Corboz, PRB 99, 035115 (2019); the critical field is 3.044.
    """
    size, times = 16, np.linspace(0, 0.4, 5)
    published = np.array([0.9227, 0.7210, 0.4691, 0.2476])
    hamiltonian = SquareLatticeIsing(J=-1.0, g=-0.3044).hamiltonian(size)
    exercise = Exercise.pose(hamiltonian, times, product([PLUS] * size))
    demand_a_cost(subject, exercise)
    run = subject.run(exercise)
    deviation = np.abs(run.observable("x")[0, 1:].mean(-1).numpy() - published).max()
    return judge(run, deviation, factor=2, bound=2e-3, motion=moved(np.array([1, *published])))


def demand_a_cost(subject: Subject, exercise: Exercise) -> None:
    """Skip a long chain for a solver that does not predict its cost: it may build a dense matrix."""
    if subject.blank().estimate(exercise.problem) is None:
        size = exercise.problem.size
        raise Skip(f"not applicable: {size} spins are only posed to a solver that predicts its cost")


def product(spinors: list[np.ndarray]) -> Initial:
    """Return one product state, given the spinor of each site."""
    return initial_of(np.array([spinors]))


def moved(expected: np.ndarray) -> float:
    """Return by how much a forecast that nothing moves would deviate."""
    return float(np.abs(expected - expected[0]).max())


def judge(run: Run, deviation: float, *, motion: float, factor: float = 1, bound: float = 0.0) -> str:
    """Hold a deviation to `factor` times the promised error, beside the oracle's own `bound` and rounding.

    A solver that promises nothing has to deviate by less than `motion`, as standing still does.
    """
    if run.promised is None:
        if not deviation < motion:
            raise Failure(f"deviates by {deviation:.1e}; that nothing moves would deviate by {motion:.1e}")
        raise Skip(f"deviates by {deviation:.1e}; the solver promises no error to be held to")
    tolerance = factor * run.promised + bound + ROUNDING
    if not deviation <= tolerance:
        raise Failure(f"deviates by {deviation:.1e}, {tolerance:.1e} allowed")
    return f"deviates by {deviation:.1e}, {tolerance:.1e} allowed"


CHECKS = tuple(
    Check(f"oracle_{run.__name__}", run, applies=sees_hamiltonian, needs=VALID)
    for run in (
        rabi,
        classical_ising,
        tfim_magnetization,
        tfim_loschmidt,
        xx_neel,
        xx_neel_40,
        time_reversal,
        kicked_ising_selfdual,
        tfim_2d_quench,
    )
)
