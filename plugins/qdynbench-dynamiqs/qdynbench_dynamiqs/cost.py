"""What dynamiqs will need: counts of its work from the action and the tolerance, measured at 4 to 20 spins."""

from __future__ import annotations

from qdynbench import Cost, Problem
from qdynbench.toolkit.schedule import piece_count, total_action
from qdynbench.toolkit.strings import flips
from qdynbench_dynamiqs.matching import Method, local

# Seconds, on two shared CPU cores.
COMPILATION = {"dopri8": 2.5, "tsit5": 1.8, "expm": 1.0}
CALL = 5e-3
PER_STEP = 2e-5
PER_ELEMENT = 1e-9  # of a diagonal, times one amplitude
PER_DENSE_ELEMENT = 1e-9
PER_SAVED_AMPLITUDE = 5e-8
PER_EXPONENTIAL = 2e-9  # times the dimension cubed

# Bytes: what JAX and its compiler take of themselves; and how often XLA holds the arrays of a step.
LIBRARY_BYTES = 5e8
COPIES = 6

STAGES = {"dopri8": 14, "tsit5": 7}
ORDER = {"dopri8": 8, "tsit5": 5}
STEPS_PER_ACTION = 0.1


def predicted(method: Method, tolerance: float, problem: Problem) -> Cost:
    """Return memory in bytes and time in seconds of `prepare`, the compilation and one `solve` of the largest batch."""
    size = min(problem.size, 300)  # beyond, powers of two leave the range of a float
    dim = 2.0**size
    amplitudes = dim * problem.batch
    pieces = 1 if problem.drive is None else piece_count(problem)
    times = min(problem.steps, 512e6 / (16 * amplitudes)) if amplitudes < 3.2e7 else 1.0
    seconds = COMPILATION[method] + pieces * CALL + PER_SAVED_AMPLITUDE * problem.steps * amplitudes
    # What is saved stands in the loop's buffer, in the result and, for the next block, once more.
    saved = 3 * 16 * amplitudes * max(1.0, times)
    if method == "expm":
        seconds += pieces * PER_EXPONENTIAL * dim**3
        seconds += max(problem.steps, pieces) * (PER_STEP + PER_DENSE_ELEMENT * dim * amplitudes)
        return Cost(bytes=LIBRARY_BYTES + 10 * 16 * dim**2 + saved, seconds=seconds)
    elements = min(_diagonals(problem), dim)
    phase = max(1.0, total_action(problem))
    steps = STEPS_PER_ACTION * phase * local(method, tolerance, problem) ** (-1 / ORDER[method]) + 2 * pieces
    seconds += steps * (PER_STEP + PER_ELEMENT * STAGES[method] * elements * amplitudes)
    buffers = 16 * amplitudes * (STAGES[method] + 6)
    matrices = 16 * dim * elements * len(problem.hamiltonians)
    return Cost(bytes=LIBRARY_BYTES + COPIES * (matrices + buffers) + saved, seconds=seconds)


def _diagonals(problem: Problem) -> float:
    """Return a bound on how many diagonals a Hamiltonian has: a string that flips m spins lies on `2**m` of them."""
    counts = (sum(2.0 ** len(sites) for sites in flips(hamiltonian)) for hamiltonian in problem.hamiltonians)
    return max([1.0, *counts])
