"""What t-VMC will need: counts of its work, times measured at 3 to 8 spins."""

from __future__ import annotations

from qdynbench import Cost, Problem
from qdynbench_netket import ansatz
from qdynbench_netket.stepping import steps_within, stopping_points

# Seconds, on one of two shared CPU cores.
COMPILATION = 8.0
PER_STATE = 0.02
PER_EVALUATION = 3e-3  # NetKet calls some twenty compiled functions one by one
PER_ELEMENT = 4e-10  # of the geometric tensor, times one basis state or sample
PER_EIGENVALUE_CUBED = 5e-10
PER_SPIN_OF_A_SAMPLE = 2e-6

RUNS = 1.4
"""Of a state, on average: one whose energy drifts starts anew."""

EVALUATIONS = {"rk4": 4, "heun": 2}


def predicted(method: str, order: int, samples: int, step: float, problem: Problem) -> Cost:
    """Return memory in bytes and time in seconds of `prepare`, the compilation and one `solve` of the largest batch."""
    size = min(problem.size, 300)  # beyond, powers of two leave the range of a float
    dim = 2.0**size
    couplings = float(ansatz.count(size, order))
    stops = len(stopping_points(problem.steps + 1, problem.dt, step)) - 1
    evaluations = stops * (EVALUATIONS[method] * steps_within(problem.dt, step) + 1)
    basis_states = float(samples) if samples else dim
    each = PER_EVALUATION + PER_ELEMENT * basis_states * couplings**2 + PER_EIGENVALUE_CUBED * couplings**3
    each += PER_SPIN_OF_A_SAMPLE * samples * size
    seconds = COMPILATION + problem.batch * (PER_STATE + RUNS * evaluations * each)
    trajectories = 16 * dim * (problem.steps + 1) * (problem.batch + 4.0)
    work = 16 * (4 * basis_states * couplings + 8 * couplings**2 + dim * couplings)
    return Cost(bytes=2e8 + trajectories + work, seconds=seconds)
