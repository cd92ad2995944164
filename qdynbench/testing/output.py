"""Checks on what a solver yields, one rule each: order, shape, dtype, finiteness, first state, untouched inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qdynbench.contract import validation as rules
from qdynbench.contract.initial import Given
from qdynbench.testing.check import Check
from qdynbench.testing.exercise import Exercise
from qdynbench.testing.outcome import Failure

if TYPE_CHECKING:
    from qdynbench.testing.subject import Subject


def yields_blocks(subject: Subject) -> str:
    """Solve runs to its end and yields blocks of arrays."""
    count = len(subject.recorded)
    problem = subject.exercise.problem
    return f"{count} block{'s' if count != 1 else ''} for {problem.steps + 1} times of {problem.size} spins"


def block_order(subject: Subject) -> str:
    """Blocks follow one another without gap or overlap, from the first time to the last."""
    position = 0
    names = None
    for block, tensors in subject.recorded:
        rules.check_order(block, position)
        rules.check_names(tensors, names)
        names = set(tensors)
        position += next(iter(tensors.values())).shape[1]
        rules.check_end(position, subject.exercise.problem)
    rules.check_complete(position, subject.exercise.problem)
    return ""


def shapes(subject: Subject) -> str:
    """Every array has the shape of the contract."""
    for _, tensors in subject.recorded:
        rules.check_shapes(tensors, subject.exercise.problem, len(subject.exercise.initial))
    return ", ".join(sorted(subject.recorded[0][1])) if subject.recorded else ""


def dtypes(subject: Subject) -> str:
    """States are complex, observables real, single or double."""
    for _, tensors in subject.recorded:
        rules.check_dtypes(tensors)
    found = {str(tensor.dtype).removeprefix("torch.") for _, tensors in subject.recorded for tensor in tensors.values()}
    return ", ".join(sorted(found))


def finiteness(subject: Subject) -> str:
    """No number is NaN or infinite."""
    for block, tensors in subject.recorded:
        rules.check_finite(tensors, block.start)
    return ""


def first_state(subject: Subject) -> str:
    """Index 0 is the initial state."""
    rules.check_first(subject.recorded[0][1], subject.exercise.initial)
    return ""


def inputs_unmodified(subject: Subject) -> str:
    """Neither the initial states nor the time grid have changed after a solve."""
    exercise = subject.exercise
    given = exercise.initial
    copied = exercise.fresh()
    problem = Exercise.pose(
        exercise.hamiltonian, exercise.problem.times.copy(), copied, exercise.problem.parameters
    ).problem
    solver = subject.prepared(Exercise(problem, copied))
    for _ in rules.iterated(solver.solve(Given(copied))):
        pass
    if not torch.equal(copied.states, given.states):
        raise Failure("solve has written to given.states")
    if given.spinors is not None and copied.spinors is not None and not torch.equal(copied.spinors, given.spinors):
        raise Failure("solve has written to given.spinors")
    if (problem.times != exercise.problem.times).any():
        raise Failure("the solver has written to problem.times")
    return ""


NEEDS = ("yields_blocks",)
VALID = ("yields_blocks", "shapes", "dtypes", "block_order", "finiteness", "first_state")
"""What must have passed before a figure made from the trajectory means anything."""

CHECKS = (
    Check("yields_blocks", yields_blocks, needs=("fit",)),
    Check("shapes", shapes, needs=NEEDS),
    Check("dtypes", dtypes, needs=NEEDS),
    Check("block_order", block_order, needs=("yields_blocks", "shapes")),
    Check("finiteness", finiteness, needs=("yields_blocks", "shapes", "dtypes")),
    Check("first_state", first_state, needs=("yields_blocks", "shapes", "dtypes", "finiteness")),
    Check("inputs_unmodified", inputs_unmodified, needs=NEEDS),
)
