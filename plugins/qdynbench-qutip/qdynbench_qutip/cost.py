"""What QuTiP will need: counts of its work from the action and the tolerance, times measured at 4 to 10 spins."""

from __future__ import annotations

import math

from qdynbench import Cost, Problem, block_length
from qdynbench.toolkit.schedule import piece_count, total_action
from qdynbench.toolkit.strings import flips
from qdynbench_qutip.matching import ERROR_PER_ACTION, Method, krylov_steps, krylov_tolerance

# Seconds, on two shared CPU cores.
CALL = 2e-3
PER_TIME = 2e-5
PER_ADDITION = 1e-9  # of one amplitude to another
PER_ELEMENT = 3e-9  # of a sparse matrix, times one amplitude
PER_RIGHT_SIDE = 1e-5
PER_DENSE_ELEMENT = 2.5e-10
PER_EIGENVALUE_CUBED = 8e-9  # QuTiP diagonalises -iH as a general complex matrix

VERN9_STAGES = 16
VERN9_ADDITIONS = 200  # of a step: the stages are triangular
VERN9_INTERPOLATION = 26
VERN9_BUFFERS = 27


def predicted(method: Method, tolerance: float, krylov_dim: int, problem: Problem) -> Cost:
    """Return memory in bytes and time in seconds of `prepare` and one `solve` of `problem.batch` states."""
    size = min(problem.size, 300)  # beyond, powers of two leave the range of a float
    dim = 2.0**size
    amplitudes = dim * problem.batch
    phase = max(1.0, total_action(problem))
    pieces = piece_count(problem)
    elements = max((len(flips(hamiltonian) | {()}) for hamiltonian in problem.hamiltonians), default=1)  # of a row
    product = PER_ELEMENT * elements

    matrix = 16 * dim * (dim if method == "diag" else 2 * elements)
    block = 16.0 * amplitudes * block_length(problem, problem.batch) if size < 60 else 16.0 * amplitudes
    seconds = CALL + 1e-7 * dim * elements
    if method == "diag":
        seconds += PER_EIGENVALUE_CUBED * dim**3 * len(problem.hamiltonians)
        seconds += pieces * (PER_TIME + PER_DENSE_ELEMENT * dim * amplitudes)
        return Cost(bytes=5 * matrix + 4 * 16 * amplitudes + block, seconds=seconds)
    if method == "krylov":
        vectors = min(krylov_dim, dim)
        bases = krylov_steps(krylov_tolerance(tolerance, problem, int(vectors)), problem, int(vectors))
        bases += 0 if problem.drive is None else pieces
        basis = vectors * product * dim + vectors**2 / 2 * (4e-6 + 3 * PER_ADDITION * dim) + 5e-4
        each = bases * basis + pieces * (3 * PER_TIME + PER_ADDITION * dim * vectors)
        # Kets of the whole grid stand in QuTiP's result and in the block.
        times = min(problem.steps, 512e6 / (16 * amplitudes)) if amplitudes < 3.2e7 else 1.0
        return Cost(
            bytes=matrix + 16 * (3 * vectors * dim + times * (amplitudes + 2 * dim)),
            seconds=seconds + problem.batch * each,
        )
    local = tolerance / (ERROR_PER_ACTION[method] * phase)
    if method == "vern9":
        steps = phase / 9 * local ** (-1 / 9) + 1
        per_step = VERN9_STAGES * (1e-6 + product * amplitudes) + VERN9_ADDITIONS * (1e-7 + PER_ADDITION * amplitudes)
        per_time = PER_TIME + PER_ADDITION * VERN9_INTERPOLATION * amplitudes
        buffers = VERN9_BUFFERS
    else:
        steps = phase * (6 + 2.7 * max(0.0, -math.log10(local) - 6))
        per_step = PER_RIGHT_SIDE + (product + 20 * PER_ADDITION) * amplitudes
        per_time = PER_TIME + 20 * PER_ADDITION * amplitudes
        buffers = 20
    if problem.drive is not None:  # every piece starts anew, at the shortest by one step
        steps += pieces * (2 if method == "vern9" else 10)
    return Cost(
        bytes=matrix + 16 * buffers * amplitudes + block, seconds=seconds + steps * per_step + pieces * per_time
    )
