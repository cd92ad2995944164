"""Metrics that compare observables, or look at the prediction alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from qdynbench import Initial, PauliSum
from qdynbench.contract.window import Pair, ScoreContext, Window
from qdynbench.scoring.metrics.charges import ChargeDrift
from qdynbench.scoring.metrics.drift import EnergyDrift, EnergyVarianceDrift, NormDrift
from qdynbench.scoring.metrics.entropy import EntropyError
from qdynbench.scoring.metrics.magnetization import (
    AxisMagnetization,
    MagnetizationErrorX,
    MagnetizationErrorY,
    MagnetizationErrorZ,
)
from qdynbench.scoring.metrics.relative_entropy import MeanRelativeEntropy
from qdynbench.scoring.metrics.spin_error import SpinError
from qdynbench.scoring.metrics.truncation import Truncation
from qdynbench.testing import independent
from qdynbench.testing.metrics import random_trajectories, scored


@pytest.mark.parametrize("metric", [MagnetizationErrorX, MagnetizationErrorY, MagnetizationErrorZ])
def test_magnetization_error_against_kronecker_products(metric: type[AxisMagnetization]) -> None:
    reference, prediction = random_trajectories(3, 4, 8, seed=1), random_trajectories(3, 4, 8, seed=2)
    total = np.mean([independent.pauli_string(3, metric.axis.upper(), (i,)) for i in range(3)], axis=0)
    exact, predicted = (
        np.einsum("bti,ij,btj->bt", s.numpy().conj(), total, s.numpy()).real for s in (reference, prediction)
    )
    found = scored(metric, 0.7 * prediction, reference, split=(1, 3))
    assert found.result() == pytest.approx(abs(predicted - exact), abs=1e-14)
    curves = found.curves()
    assert curves[f"magnetization_{metric.axis}"] == pytest.approx(predicted, abs=1e-14)
    assert curves[f"magnetization_{metric.axis}_reference"] == pytest.approx(exact, abs=1e-14)


def test_energy_drift_is_of_the_normalised_prediction_from_its_own_start() -> None:
    hamiltonian = PauliSum.from_terms(3, [(0.3, "XY", (0, 2)), (-1.0, "Z", (1,)), (0.8, "ZYX", (2, 1, 0))])
    prediction = random_trajectories(2, 5, 8, seed=3)
    matrix = independent.dense(hamiltonian)
    energy = np.einsum("bti,ij,btj->bt", prediction.numpy().conj(), matrix, prediction.numpy()).real
    lengths = torch.linspace(1, 2, 5)[None, :, None]
    found = scored(
        EnergyDrift, lengths * prediction, random_trajectories(2, 5, 8), split=(1, 2), hamiltonian=hamiltonian
    ).result()
    assert found == pytest.approx(abs(energy - energy[:, :1]), abs=1e-14)
    assert np.all(found[:, 0] == 0)


def test_norm_drift() -> None:
    lengths = torch.tensor([1.0, 0.5, 1.25])[None, :, None]
    found = scored(NormDrift, lengths * random_trajectories(2, 3, 4), random_trajectories(2, 3, 4), split=(2,)).result()
    assert found == pytest.approx(np.tile([0, 0.5, 0.25], (2, 1)), abs=1e-15)


def test_entropy_error_of_a_bell_pair_against_a_product() -> None:
    bell = torch.tensor([1, 0, 0, 1], dtype=torch.complex128).reshape(1, 1, 4) / np.sqrt(2)
    product = torch.tensor([1, 1, 1, 1], dtype=torch.complex128).reshape(1, 1, 4) / 2
    assert scored(EntropyError, bell, product).result() == pytest.approx(np.log(2), abs=1e-14)


def test_metrics_that_need_no_states_take_observables() -> None:
    reference, prediction = random_trajectories(2, 3, 4, seed=1), random_trajectories(2, 3, 4, seed=2)
    context = ScoreContext(2, np.arange(3.0), PauliSum.from_terms(2, [(1.0, "ZZ", (0, 1))]), Initial(reference[:, 0]))
    full = Window(context, 0, prediction)
    given = {str(axis): values for axis, values in full.spins.items()}
    given |= {"energy": full.energy, "norm": full.norm, "entropy": full.entropy}
    bare = Window(context, 0, None, given)
    exact = Window(context, 0, reference)
    for metric in (MagnetizationErrorX, EnergyDrift, NormDrift, EntropyError):
        assert set(metric.reads) <= set(given)
        from_states, from_observables = metric(context), metric(context)
        from_states.update(Pair(full, exact))
        from_observables.update(Pair(bare, exact))
        assert np.array_equal(from_states.result(), from_observables.result())
    with pytest.raises(TypeError, match="compares states"):
        MeanRelativeEntropy(context).update(Pair(bare, exact))


def test_charge_drift_is_the_largest_of_the_conserved_charges() -> None:
    exchange = PauliSum.from_terms(3, [(c, p, (i, i + 1)) for i in range(2) for c, p in ((1.0, "XX"), (1.0, "YY"))])
    states = random_trajectories(2, 4, 8, seed=3)
    spins = np.array([sum(1 - 2 * int(bit) for bit in f"{index:03b}") for index in range(8)])
    parity = np.array([(-1) ** bin(index).count("1") for index in range(8)])
    weights = abs(states.numpy()) ** 2
    charges = np.stack(
        [
            weights @ spins,
            weights @ parity,
            np.einsum("bti,bti->bt", states.numpy().conj(), states.numpy()[..., ::-1]).real,
        ]
    )
    expected = abs(charges - charges[..., :1]).max(axis=0)
    found = scored(ChargeDrift, states, states, split=(1, 3), hamiltonian=exchange)
    assert found.result() == pytest.approx(expected, abs=1e-13)


def test_charge_drift_is_left_out_where_nothing_is_conserved() -> None:
    mixed = PauliSum.from_terms(2, [(1.0, "ZZ", (0, 1)), (0.5, "X", (0,)), (0.5, "Z", (0,))])
    for hamiltonian, expected in ((mixed, False), (None, False), (PauliSum.from_terms(2, [(1.0, "ZZ", (0, 1))]), True)):
        context = ScoreContext(2, np.arange(3.0), hamiltonian, Initial(random_trajectories(2, 4)))
        assert ChargeDrift.applies(context) is expected


def test_energy_variance_drift_against_matrices() -> None:
    hamiltonian = PauliSum.from_terms(3, [(1.0, "ZZ", (0, 1)), (0.7, "XY", (1, 2)), (0.3, "X", (0,))])
    matrix = independent.dense(hamiltonian)
    states = random_trajectories(2, 4, 8, seed=4)
    first, second = (
        np.einsum("bti,ij,btj->bt", states.numpy().conj(), power, states.numpy()).real
        for power in (matrix, matrix @ matrix)
    )
    variance = second - first**2
    found = scored(EnergyVarianceDrift, 2 * states, states, split=(1,), hamiltonian=hamiltonian).result()
    assert found == pytest.approx(abs(variance - variance[:, :1]), abs=1e-12)


def test_truncation_is_what_the_solver_says() -> None:
    states = random_trajectories(2, 3, 4)
    context = ScoreContext(2, np.arange(3.0), None, Initial(states[:, 0]))
    weight = torch.tensor([[0.0, 1e-9, 3e-9], [0.0, 0.0, 2e-3]], dtype=torch.float64)
    window = Window(context, 0, states, {"truncation": weight})
    metric = Truncation(context)
    metric.update(Pair(window, None))
    assert np.array_equal(metric.result(), weight.numpy())
    assert window.offers("truncation")
    assert window.offers("energy")
    assert not Window(context, 0, states).offers("truncation")
    assert not Window(context, 0, None, {"truncation": weight}).offers("energy")


def test_spin_error_sees_what_moves_between_sites() -> None:
    left, right = torch.zeros(2, 1, 3, 4, dtype=torch.complex128)
    left[..., 2], right[..., 1] = 1, 1  # down-up and up-down
    assert scored(MagnetizationErrorZ, left, right).result() == pytest.approx(0)
    assert scored(SpinError, left, right).result() == pytest.approx(2)
    moving = left.clone()
    moving[:, 2] = right[:, 2]
    curves = scored(SpinError, moving, left, split=(1,)).curves()
    assert curves["spin_overlap"] == pytest.approx(np.array([[1, 1, -1]]))
    assert curves["spin_overlap_reference"] == pytest.approx(1)
