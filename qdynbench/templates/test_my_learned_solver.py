"""The contract of a learned solver: a small fit, what is saved and loaded, blindness."""

from my_learned_solver import MyLearnedSolver

from qdynbench.testing import ConformanceTests


class TestMyLearnedSolver(ConformanceTests):
    solver = MyLearnedSolver
    overrides = {"updates": 200}  # for the tests alone
