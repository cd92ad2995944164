"""Checks on trajectories as a whole: repeatable, independent of companions, and in the right bit order."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch

from qdynbench.contract.problem import Knowledge
from qdynbench.testing.check import Check
from qdynbench.testing.exercise import Exercise, bit_reversal, product_initial, reflected
from qdynbench.testing.outcome import Failure, Skip
from qdynbench.testing.output import VALID
from qdynbench.testing.subject import SEED, Run, Subject, distance

if TYPE_CHECKING:
    from qdynbench.contract.validation import Tensors
    from qdynbench.physics.operators import PauliSum

MANY_STATES, MANY_STEPS = 256, 200
"""More than fits in a block of a few megabytes."""
PATIENCE = 300.0
"""Seconds that `many_blocks` may take, judged by the standard exercise."""

BACKWARD = "nearer to the evolution backward in time: psi(t) = exp(-i H t) psi(0), check the sign of i H dt"

LARGEST = 2.1
"""A little more than the largest distance of two states, 2."""

SMALLEST_MOTION = 1e-3
"""A trajectory that differs from another by less than this cannot tell bit orders apart."""


def rounding(run: Run, *, learned: bool = False) -> float:
    """Return how far two runs of the same may differ: sums in another order, and what the solver promises."""
    # Learned solvers work in single precision inside, whatever they yield, and rounding grows along the trajectory.
    floor = 1e-4 if run.single or learned else 1e-9
    return max(floor, 2 * (run.promised or 0.0))


def determinism(subject: Subject) -> str:
    """Under the same seed a newly built solver gives the same trajectory."""
    again = subject.run(subject.exercise)
    difference = distance(subject.trajectory.tensors, again.tensors)
    # Threads may share a sum in another way the next time.
    tolerance = 1e-5 if again.single or subject.learns else 1e-12
    if difference > tolerance:
        raise Failure(f"two solvers under one seed differ by {difference:.1e}")
    return f"within {difference:.1e}"


def preparation(subject: Subject) -> str:
    """Another problem in between leaves no trace: a worker prepares one solver for many sizes and grids."""
    exercise = subject.exercise
    solver = subject.prepared(exercise)
    sizes = [size for size in (exercise.problem.size - 1, exercise.problem.size + 1) if size > 0]
    for size in sizes:
        initial = product_initial(size, 2, seed=SEED + 1)
        other = Exercise.pose(subject.chain(size), exercise.problem.times[:-1], initial, exercise.problem.parameters)
        if subject.refusal(other) is None:
            subject.run(other, subject.prepared(other, solver))
            break
    else:
        raise Skip(f"only {exercise.problem.size} spins are supported")
    again = subject.run(exercise, subject.prepared(exercise, solver))
    difference = distance(subject.trajectory.tensors, again.tensors)
    if difference > rounding(again, learned=subject.learns):
        raise Failure(f"after {size} spins in between, {exercise.problem.size} spins differ by {difference:.1e}")
    return f"{exercise.problem.size}, {size}, {exercise.problem.size} spins: within {difference:.1e}"


def batch_independence(subject: Subject) -> str:
    """A state's trajectory depends neither on its companions nor on its place among them."""
    exercise = subject.exercise
    solver = subject.prepared(exercise)
    whole = subject.trajectory
    tolerance = rounding(whole, learned=subject.learns)
    worst = 0.0
    for chosen in ([0], [1], [2], [2, 0], [1, 1, 2]):
        part = subject.run(exercise.some(chosen), solver)
        expected = {name: tensor[chosen] for name, tensor in whole.tensors.items()}
        difference = distance(part.tensors, expected)
        if difference > tolerance:
            raise Failure(
                f"states {chosen} of [0, 1, 2] solved without the others differ by {difference:.1e}, "
                f"{tolerance:.1e} allowed"
            )
        worst = max(worst, difference)
    return f"within {worst:.1e}"


def many_blocks(subject: Subject) -> str:
    """A batch and a grid too large for one small block give the same as a few states alone."""
    size = subject.exercise.problem.size
    # Beyond the grid of its training a learned solver may well amplify rounding; that is not what is checked here.
    steps = subject.exercise.problem.steps if subject.learns else MANY_STEPS
    times = np.linspace(0, steps * subject.exercise.problem.dt, steps + 1)
    initial = product_initial(size, MANY_STATES, seed=SEED + 3)
    many = Exercise.pose(subject.chain(size), times, initial, subject.exercise.problem.parameters)
    few = Exercise(dataclasses.replace(many.problem, batch=2), many.some([0, MANY_STATES - 1]).initial)
    _decline_if_slow(subject, many)
    large, small = subject.run(many), subject.run(few)
    difference = distance(small.tensors, {name: tensor[[0, -1]] for name, tensor in large.tensors.items()})
    if difference > rounding(small, learned=subject.learns):
        raise Failure(f"of {MANY_STATES} states over {steps} steps two differ by {difference:.1e} when alone")
    return f"{large.blocks} blocks for {MANY_STATES} states over {steps} steps, within {difference:.1e}"


def _decline_if_slow(subject: Subject, many: Exercise) -> None:
    exercise = subject.exercise
    solver = subject.prepared(exercise)
    subject.run(exercise, solver)  # may compile
    larger = many.problem.batch * many.problem.steps / (exercise.problem.batch * exercise.problem.steps)
    seconds = larger * subject.run(exercise, solver).seconds
    if seconds > PATIENCE:
        raise Skip(f"{many.problem.batch} states over {many.problem.steps} steps would take about {seconds:.0f} s")


def bit_order(subject: Subject) -> str:
    """The trajectory of an asymmetric state is nearer to the exact one than to that of other sites or backward time.

    A solver that sees the Hamiltonian gets a chain without reflection symmetry, where sites counted from the other
    end show even if inputs and outputs are turned alike. On a uniform chain that cannot show, and does no harm.
    """
    exercise = subject.exercise
    turned = bit_reversal(exercise.problem.size)
    exact = exercise.exact()
    counted = "nearer to the evolution with the sites of {} counted from the other end"
    others = {counted.format("the output"): exact[..., turned]}
    if subject.solver_class.knowledge is Knowledge.HAMILTONIAN and not subject.learns:

        def evolved(hamiltonian: PauliSum) -> torch.Tensor:
            return Exercise.pose(hamiltonian, exercise.problem.times, exercise.initial).exact()

        mirrored = evolved(reflected(exercise.hamiltonian))
        others[counted.format("the Hamiltonian")] = mirrored
        others[counted.format("the Hamiltonian and the output")] = mirrored[..., turned]
        # Blamed before the sites are, of which it looks like one more wrong order.
        others = {BACKWARD: evolved(-exercise.hamiltonian), **others}
    found, wanted = _after_start(subject.trajectory.tensors), _after_start(subject.seen(exact))
    error = distance(found, wanted)
    distances = {
        what: distance(found, expected)
        for what, states in others.items()
        if distance(wanted, expected := _after_start(subject.seen(states))) >= SMALLEST_MOTION
    }
    if error > LARGEST and "states" in found:
        raise Failure(f"deviates by {error:.1e} from scipy's expm, more than any two states can: it diverges")
    nearest = min(distances, key=distances.__getitem__, default="")
    if nearest and distances[nearest] <= error:
        raise Failure(nearest)
    promised = subject.trajectory.promised
    if promised is not None and error > promised + 1e-12:
        raise Failure(f"deviates by {error:.1e} from scipy's expm, but promises {promised:.1e}")
    return f"deviates by {error:.1e} from scipy's expm"


def _after_start(tensors: Tensors) -> Tensors:
    return {name: tensor[:, 1:] for name, tensor in tensors.items()}


CHECKS = (
    Check("determinism", determinism, needs=VALID),
    Check("batch_independence", batch_independence, needs=VALID),
    Check("many_blocks", many_blocks, needs=VALID),
    Check("preparation", preparation, needs=VALID),
    Check("bit_order", bit_order, needs=VALID),
)
