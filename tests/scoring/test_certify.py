"""How far the reference itself is judged: by a second method, where it reaches."""

from __future__ import annotations

import numpy as np
import pytest

from qdynbench import PauliSum, Problem
from qdynbench.scoring import certify


@pytest.mark.parametrize("size", [6, 13, 20, 21])
def test_says_how_a_reference_is_certified_or_why_it_is_not(size: int) -> None:
    problem = Problem(size, np.linspace(0, 1, 9), PauliSum.from_terms(size, [(1.0, "X", (0,))]))
    how, why = certify.method(problem), certify.why_not(problem)
    assert bool(how) != bool(why)
    assert ("every step" in how) == (size <= certify.STEPWISE)
    assert ("at steps 2, 4, 6, 8" in how) == (certify.STEPWISE < size <= certify.LARGEST)
    assert ("too large" in why) == (size > certify.LARGEST)
