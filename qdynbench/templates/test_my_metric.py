"""The contract of a metric, and a value that is known."""

import torch
from my_metric import MyMetric

from qdynbench.testing import check_metric, passed
from qdynbench.testing.metrics import scored


def test_it_keeps_the_contract():
    results = check_metric(MyMetric)
    assert passed(results), results


def test_the_two_neel_states_differ_by_two():
    up_down, down_up = torch.eye(4, dtype=torch.complex128)[[1, 2], None]  # two spins at one time
    assert scored(MyMetric, up_down[None], down_up[None]).result() == 2
