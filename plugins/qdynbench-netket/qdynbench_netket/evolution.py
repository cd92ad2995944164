"""One state in NetKet's hands: its variational states, operators, integrators and TDVP driver.

The only module that imports NetKet. F. Vicentini et al., "NetKet 3: Machine Learning Toolbox for Many-Body Quantum
Systems", SciPost Phys. Codebases 7 (2022).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import netket
import numpy as np
from netket.experimental import dynamics
from netket.experimental.driver import TDVP
from netket.optimizer.qgt import QGTJacobianDense
from netket.optimizer.solver import pinv_smooth
from scipy.interpolate import CubicHermiteSpline

from qdynbench_netket import ansatz
from qdynbench_netket.stepping import steps_within, stopping_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench import PauliSum

INTEGRATORS = {"rk4": dynamics.RK4, "heun": dynamics.Heun}

SMALLEST_EIGENVALUE = 1e-14
"""Smallest eigenvalue of the geometric tensor that counts, in units of the largest; below it is only rounding."""

CHAINS = 16
"""Markov chains that run side by side, NetKet's default."""


class Course(NamedTuple):
    """What came of one state, with P couplings.

    Attributes:
        couplings: at all times of the grid, complex128, shape `(T+1, P)`; not finite where the integrator diverged.
        stops: indices of the k times where the integrator stopped; the couplings between are interpolated.
        rates: derivatives of the couplings there, shape `(k, P)`.
        eigenvalues: of the geometric tensor at the last time, in units of the largest, ascending, shape `(P,)`.
        acceptance: share of the proposed spin flips that the sampler took at the last time; 1 without sampling.
    """

    couplings: NDArray[np.complex128]
    stops: NDArray[np.int64]
    rates: NDArray[np.complex128]
    eigenvalues: NDArray[np.float64]
    acceptance: float


class Evolution:
    """Evolves product states of `size` spins; what JAX compiled for one of them serves the others.

    Args:
        size: number of spins N.
        order: most spins in a cluster of the ansatz.
        method: name of the integrator.
        cutoff: where `pinv_smooth` begins to drop eigenvalues of the geometric tensor, in units of the largest.
        samples: basis states drawn for each evaluation, 0 for the sum over all of them.
        seed: of the sampling.
    """

    def __init__(self, size: int, *, order: int, method: str, cutoff: float, samples: int, seed: int) -> None:
        self._hilbert = netket.hilbert.Spin(0.5, size)
        self._clusters = jnp.asarray(ansatz.clusters(size, order))
        self._integrator = INTEGRATORS[method]
        self._samples = samples
        self._seed = seed
        self._tensor = partial(QGTJacobianDense, holomorphic=True)
        self._solve = partial(pinv_smooth, rtol=SMALLEST_EIGENVALUE, rtol_smooth=cutoff)
        self._sampler = netket.sampler.MetropolisLocal(self._hilbert, n_chains=CHAINS)
        self._operators: dict[PauliSum, Any] = {}

    def run(
        self, couplings: NDArray[np.complex128], hamiltonian: PauliSum, times: NDArray[np.float64], step: float
    ) -> Course:
        """Follow the couplings `(P,)` from `times[0]` over the grid `(T+1,)`, in steps no longer than `step`."""
        spacing = float(times[1] - times[0])
        stops = stopping_points(len(times), spacing, step)
        stretch = spacing * int(stops[1])
        state = self._state(couplings)
        driver = TDVP(
            self._operator(hamiltonian),
            state,
            self._integrator(stretch / steps_within(stretch, step)),
            t0=float(times[0]),
            qgt=self._tensor,
            linear_solver=self._solve,
        )
        reached: list[Any] = []

        def keep(_time: float, _log: dict[str, Any], driver: Any) -> bool:
            reached.append(driver.state.parameters)
            return True

        driver.run(float(times[-1] - times[0]), tstops=times[stops], callback=keep, show_progress=False)
        rates = np.stack([np.asarray(driver.ode(w=parameters)["couplings"]) for parameters in reached])
        at_stops = np.stack([np.asarray(parameters["couplings"]) for parameters in reached])
        finite = np.isfinite(at_stops).all() and np.isfinite(rates).all()
        tensor = np.asarray(self._tensor(state).to_dense()) if finite else np.eye(len(couplings))
        eigenvalues = np.linalg.eigvalsh(tensor)
        return Course(
            CubicHermiteSpline(times[stops], at_stops, rates)(times) if finite else np.full((len(times), 1), np.nan),
            stops,
            rates,
            eigenvalues / max(eigenvalues[-1], np.finfo(np.float64).tiny),
            float(state.sampler_state.acceptance) if self._samples else 1.0,
        )

    def _log_amplitudes(self, variables: Any, spins: Any, **_: object) -> Any:
        """Return log psi of spins `(..., N)` as NetKet asks for it, shape `(...)`."""
        padded = jnp.concatenate([spins, jnp.ones_like(spins[..., :1])], axis=-1)
        products = jnp.prod(padded[..., self._clusters], axis=-1)
        return products.astype(complex) @ variables["params"]["couplings"]

    def _state(self, couplings: NDArray[np.complex128]) -> Any:
        start = {"params": {"couplings": jnp.asarray(couplings)}}
        if not self._samples:
            return netket.vqs.FullSumState(self._hilbert, apply_fun=self._log_amplitudes, variables=start)
        return netket.vqs.MCState(
            self._sampler,
            apply_fun=self._log_amplitudes,
            variables=start,
            n_samples=self._samples,
            seed=self._seed,
            sampler_seed=self._seed,
        )

    def _operator(self, hamiltonian: PauliSum) -> Any:
        """Return the Hamiltonian as NetKet's; the few of a batch that differ in turned sites are built once."""
        if hamiltonian not in self._operators:
            self._operators[hamiltonian] = pauli_strings(self._hilbert, hamiltonian)
        return self._operators[hamiltonian]


def pauli_strings(hilbert: Any, hamiltonian: PauliSum) -> Any:
    """Return a Pauli sum as `netket.operator.PauliStrings`, one letter for each site from the left."""
    strings = []
    for term in hamiltonian.terms:
        letters = ["I"] * hamiltonian.size
        for letter, site in zip(term.paulis, term.sites, strict=True):
            letters[site] = letter
        strings.append("".join(letters))
    return netket.operator.PauliStrings(hilbert, strings, [term.coefficient for term in hamiltonian.terms], cutoff=0.0)
