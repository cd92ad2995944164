"""The contract of a solver, the answers that are known exactly, and the order of the method."""

from my_solver import MySolver

from qdynbench.testing import ConformanceTests
from qdynbench.testing.trajectories import errors, exact, posed, product_initial, random_strings, trajectory


class TestMySolver(ConformanceTests):
    solver = MySolver


def test_half_the_time_step_divides_the_error_by_two_to_the_order():
    hamiltonian, states = random_strings(4, 12, seed=0), product_initial(4, 3, seed=1).states
    found = []
    for steps in (40, 80):
        problem = posed(hamiltonian, dt=1 / steps, steps=steps)
        found.append(errors(trajectory(MySolver(order=2), problem, states), exact(problem, states))[:, -1].max())
    assert 3.5 < found[0] / found[1] < 4.5
