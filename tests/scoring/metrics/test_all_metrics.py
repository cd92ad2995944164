"""What holds for every built-in metric."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from qdynbench.contract.metric import Metric
from qdynbench.scoring.metrics.drift import EnergyDrift, EnergyVarianceDrift, NormDrift
from qdynbench.scoring.metrics.entropy import EntropyError
from qdynbench.scoring.metrics.infidelity import Infidelity
from qdynbench.scoring.metrics.magnetization import MagnetizationErrorX, MagnetizationErrorY, MagnetizationErrorZ
from qdynbench.scoring.metrics.relative_entropy import MeanRelativeEntropy
from qdynbench.scoring.metrics.skill import Skill
from qdynbench.scoring.metrics.spin_error import SpinError
from qdynbench.scoring.metrics.valid_time import ValidTime
from qdynbench.testing.metrics import random_trajectories, scored

ERRORS = [
    MeanRelativeEntropy,
    Infidelity,
    MagnetizationErrorX,
    MagnetizationErrorY,
    MagnetizationErrorZ,
    EnergyDrift,
    EnergyVarianceDrift,
    NormDrift,
    EntropyError,
    SpinError,
]


@pytest.mark.parametrize("metric", ERRORS)
def test_a_perfect_static_prediction_has_no_error(metric: type[Metric]) -> None:
    states = random_trajectories(3, 1, 16).expand(3, 5, 16)
    # Energies are of order one, and a block of another length may be summed in another order.
    rounding = 1e-13 if metric in {EnergyDrift, EnergyVarianceDrift} else 1e-30
    assert scored(metric, states.clone(), states, split=(2,)).result() == pytest.approx(0, abs=rounding)


@pytest.mark.parametrize("metric", [*ERRORS, Skill])
def test_single_precision_is_compared_in_double(metric: type[Metric]) -> None:
    reference = random_trajectories(3, 5, 16, seed=1)
    single = random_trajectories(3, 5, 16, seed=2).to(torch.complex64)
    values = scored(metric, single, reference).result()
    assert values.dtype == np.float64
    assert values.shape == (3, 5)
    assert np.array_equal(values, scored(metric, single.to(torch.complex128), reference).result(), equal_nan=True)


@pytest.mark.parametrize("metric", [*ERRORS, Skill, ValidTime])
def test_says_what_it_is(metric: type[Metric]) -> None:
    assert metric.name.isidentifier()
    assert metric.unit in {"1", "energy", "energy^2", "1/energy"}
    assert (metric.better == "higher") == (metric in {Skill, ValidTime})
