"""The baselines on trajectories that scipy's `expm` made."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import scipy.linalg
import torch
from qdynbench_baselines.linear import LinearPropagator
from qdynbench_baselines.local_generator import LocalGenerator
from qdynbench_baselines.persistence import Persistence

from qdynbench import Initial, InputError, LearnedSolver, PauliSum, Problem, Solver
from qdynbench.testing import independent
from qdynbench.testing.exercise import FitRecorder
from qdynbench.testing.trajectories import blocks, trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def product_states(size: int, count: int, seed: int) -> NDArray[np.complex128]:
    random = np.random.default_rng([seed, size])
    states = np.ones((count, 1), dtype=np.complex128)
    for _ in range(size):
        spins = random.normal(size=(count, 2)) + 1j * random.normal(size=(count, 2))
        spins /= np.linalg.norm(spins, axis=1, keepdims=True)
        states = (states[:, :, None] * spins[:, None, :]).reshape(count, -1)
    return states


@dataclass
class Trajectories:
    """A `TrainingData` of one model family; `noise` is the standard deviation of each amplitude's two parts."""

    model: Callable[[int], PauliSum]
    sizes: Sequence[int] = (2, 3, 4)
    count: int = 40
    steps: int = 20
    dt: float = 0.002
    noise: float = 0.0
    seed: int = 0

    @property
    def times(self) -> NDArray[np.float64]:
        return np.linspace(0, self.dt * self.steps, self.steps + 1)

    def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        step = scipy.linalg.expm(-1j * self.dt * independent.dense(self.model(size)))
        columns = [product_states(size, self.count, self.seed)]
        for _ in range(self.steps):
            columns.append(columns[-1] @ step.T)
        states = np.stack(columns, axis=1)
        random = np.random.default_rng([self.seed, size, 1])
        noise = random.normal(size=(*states.shape, 2)) @ np.array([1, 1j]) * self.noise
        return torch.from_numpy((states + noise)[start : self.count if stop is None else stop])


def chain(size: int, *, periodic: bool = False, complex_: bool = False) -> PauliSum:
    """Return the mixed-field Ising chain, or a chain with fields and couplings that are not real."""
    bonds = [(site, (site + 1) % size) for site in range(size if periodic and size > 2 else size - 1)]
    terms: list[tuple[float, str, tuple[int, ...]]] = [
        *((1.0, "ZZ", bond) for bond in bonds),
        *((-1.05, "X", (site,)) for site in range(size)),
        *((0.5, "Z", (site,)) for site in range(size)),
    ]
    if complex_:
        terms += [*((0.3, "XY", bond) for bond in bonds), *((0.2, "Y", (site,)) for site in range(size))]
    return PauliSum.from_terms(size, terms)


def exact(model: PauliSum, times: NDArray[np.float64], states: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the trajectories, shape `(B, T+1, 2**N)`."""
    step = scipy.linalg.expm(-1j * (times[1] - times[0]) * independent.dense(model))
    columns = [states]
    for _ in times[1:]:
        columns.append(columns[-1] @ step.T)
    return np.stack(columns, axis=1)


@pytest.fixture
def context(tmp_path: Path) -> FitRecorder:
    return FitRecorder(tmp_path)


def blind(size: int, steps: int = 100, dt: float = 0.002, batch: int = 3) -> Problem:
    return Problem(size=size, times=np.linspace(0, dt * steps, steps + 1), batch=batch)


def evolve(solver: Solver, problem: Problem, states: NDArray[np.complex128]) -> NDArray[np.complex128]:
    found = trajectory(solver, problem, torch.from_numpy(states)).numpy()
    assert np.array_equal(found[:, 0], states)
    return found


def error(solver: Solver, model: PauliSum, problem: Problem, batch: int = 3) -> float:
    """Return the largest 2-norm error of a state on the grid, against `expm`."""
    states = product_states(problem.size, batch, seed=99)
    difference = evolve(solver, problem, states) - exact(model, problem.times, states)
    return float(np.linalg.norm(difference, axis=-1).max())


def test_persistence_repeats_the_first_state() -> None:
    states = product_states(3, 4, seed=0)
    found = evolve(Persistence(), blind(3), states)
    assert np.array_equal(found, np.broadcast_to(states[:, None], found.shape))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_linear_is_exact_at_the_sizes_it_saw(size: int, context: FitRecorder) -> None:
    solver = LinearPropagator()
    solver.fit(Trajectories(chain), context)
    assert error(solver, chain(size), blind(size)) < 1e-12


def test_linear_says_what_it_was_not_trained_for(context: FitRecorder) -> None:
    solver = LinearPropagator()
    assert solver.supports(blind(7)) is None  # before fit, nothing is known
    solver.fit(Trajectories(chain), context)
    assert solver.supports(blind(7)) == "no trajectories of 7 spins in the training data (2, 3, 4)"
    assert "time steps of 0.002, not 0.01" in (solver.supports(blind(3, dt=0.01)) or "")
    assert solver.supports(blind(3)) is None


def test_linear_reports_the_rank_of_its_snapshots(context: FitRecorder) -> None:
    # One state of the pair rotates in the plane of a single spin's flip: two snapshots span two of four dimensions.
    data = Trajectories(lambda size: PauliSum.from_terms(size, [(1.0, "X", (0,))]), sizes=(2,), count=1)
    solver = LinearPropagator()
    solver.fit(data, context)
    assert solver.learned_steps[2].rank == 2
    assert context.curve[-1]["rank"] == 2
    seen = data.trajectories(2).numpy()
    np.testing.assert_allclose(evolve(solver, blind(2, data.steps), seen[:, 0]), seen, atol=1e-12)


def test_linear_leaves_what_it_never_saw_unmoved(context: FitRecorder) -> None:
    data = Trajectories(lambda size: PauliSum.from_terms(size, [(1.0, "X", (0,))]), sizes=(2,), count=1)
    solver = LinearPropagator()
    solver.fit(data, context)
    seen = data.trajectories(2).numpy()[0]
    unseen = np.linalg.svd(seen)[2][3:]
    assert np.abs(seen.conj() @ unseen[0]).max() < 1e-12
    np.testing.assert_allclose(evolve(solver, blind(2), unseen)[:, -1], unseen, atol=1e-10)


def test_linear_does_not_depend_on_blocks_or_chunks(context: FitRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, split = LinearPropagator(), LinearPropagator()
    data = Trajectories(chain, noise=1e-3)
    whole.fit(data, context)
    monkeypatch.setattr("qdynbench_baselines.one_step.CHUNK_BYTES", 1e4)
    monkeypatch.setattr("qdynbench_baselines.linear.POWERS_BYTES", 7 * 16 * 16**2)
    split.fit(data, context)
    states = product_states(4, 3, seed=5)
    np.testing.assert_allclose(evolve(split, blind(4), states), evolve(whole, blind(4), states), atol=1e-12)


@pytest.mark.parametrize("kind", [LinearPropagator, LocalGenerator])
def test_what_was_learned_is_saved_bit_by_bit(kind: type[LearnedSolver], context: FitRecorder, tmp_path: Path) -> None:
    first, second = kind(), kind()
    first.fit(Trajectories(chain, noise=1e-4), context)
    first.save(tmp_path)
    second.load(tmp_path)
    states = product_states(3, 2, seed=5)
    assert np.array_equal(evolve(first, blind(3), states), evolve(second, blind(3), states))
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors"}


@pytest.mark.parametrize("options", [{}, {"periodic": True}, {"complex_": True}])
def test_local_generator_is_exact_at_a_size_it_never_saw(options: dict[str, bool], context: FitRecorder) -> None:
    solver = LocalGenerator()
    solver.fit(Trajectories(lambda size: chain(size, **options)), context)
    assert solver.model is not None
    assert solver.model.periodic == options.get("periodic", False)
    assert error(solver, chain(8, **options), blind(8)) < 1e-12


def test_local_generator_finds_the_coefficients(context: FitRecorder) -> None:
    solver = LocalGenerator()
    solver.fit(Trajectories(chain), context)
    assert solver.model is not None
    nonzero = {letters: value for letters, value in solver.model.coefficients.items() if value != 0}
    assert nonzero == pytest.approx({"ZZ": 1.0, "X": -1.05, "Z": 0.5}, abs=1e-11)


@pytest.mark.parametrize("size", [1, 5])
def test_local_generator_takes_any_time_step(size: int, context: FitRecorder) -> None:
    solver = LocalGenerator()
    solver.fit(Trajectories(chain), context)
    assert error(solver, chain(size), blind(size, steps=30, dt=0.01)) < 1e-11


def test_local_generator_beyond_dense_chains(context: FitRecorder) -> None:
    solver = LocalGenerator(dense_spins=5)
    solver.fit(Trajectories(chain), context)
    assert error(solver, chain(6), blind(6, steps=20)) < 1e-12


def test_local_generator_stands_noise(context: FitRecorder) -> None:
    noisy, noisier = LocalGenerator(), LocalGenerator()
    noisy.fit(Trajectories(chain, count=400, noise=1e-5), context)
    noisier.fit(Trajectories(chain, count=400, noise=1e-4), context)
    small, large = (error(solver, chain(6), blind(6)) for solver in (noisy, noisier))
    assert 1e-8 < small < 1e-2
    assert small < large < 1e-1
    # Hermitian whatever the noise: the norm stays.
    found = evolve(noisier, blind(6), product_states(6, 2, seed=3))
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-12)


def test_local_generator_reports_what_it_cannot_represent(context: FitRecorder) -> None:
    def far(size: int) -> PauliSum:
        return PauliSum.from_terms(size, [*chain(size).to_json()["terms"], (0.7, "ZZ", (0, size - 1))])

    solver = LocalGenerator()
    solver.fit(Trajectories(far, sizes=(3, 4)), context)
    assert context.curve[-1]["relative_residual"] > 0.05


def test_local_generator_skips_sizes_without_full_rank(context: FitRecorder) -> None:
    def one_spin_turns(size: int) -> PauliSum:
        return PauliSum.from_terms(size, [(1.0, "X", (0,))])

    def two_spins_are_a_chain(size: int) -> PauliSum:
        return chain(2) if size == 2 else one_spin_turns(size)

    solver = LocalGenerator()
    solver.fit(Trajectories(two_spins_are_a_chain, sizes=(2, 3), count=1), context)
    assert solver.model is not None
    assert solver.model.coefficients["ZZ"] == pytest.approx(1, abs=1e-6)  # from two spins alone
    assert [report["size"] for report in context.curve if "size" in report] == [2]

    lone = Trajectories(one_spin_turns, sizes=(2, 3), count=1)
    with pytest.raises(InputError, match=r"2 spins: the snapshots span 2 of 4 dimensions; 3 spins: .* 2 of 8"):
        LocalGenerator().fit(lone, context)


def test_local_generator_refuses_an_ambiguous_logarithm(context: FitRecorder) -> None:
    # |E| dt = pi for the two spins of H = X_0 + X_1, whose energies are -2, 0 and 2.
    flips = Trajectories(
        lambda size: PauliSum.from_terms(size, [(1.0, "X", (site,)) for site in range(size)]), sizes=(2,), dt=np.pi / 2
    )
    with pytest.raises(InputError, match="too long"):
        LocalGenerator().fit(flips, context)


def test_estimates_are_finite_at_any_size() -> None:
    for solver in (Persistence(), LinearPropagator(), LocalGenerator()):
        cost = solver.estimate(blind(40, batch=200))
        assert cost is not None
        assert np.isfinite([cost.bytes, cost.operations]).all()
    beyond = LocalGenerator().estimate(blind(40))
    assert beyond.bytes > 1e13


def test_registering_imports_no_torch() -> None:
    code = "import sys, qdynbench_baselines; sys.exit(bool({'torch', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_persistence_of_a_long_chain_tells_observables() -> None:
    spinors = torch.tensor([[0.6, 0.8j]], dtype=torch.complex128).expand(2, 40, 2)
    initial = Initial(spinors=spinors)
    (block,) = blocks(Persistence(), blind(40, steps=3), initial)
    assert block.states is None
    assert not initial.vectors_exist
    assert {name: tuple(one.shape) for name, one in block.observables.items()} == {
        **dict.fromkeys("xyz", (2, 4, 40)),
        **dict.fromkeys(("norm", "entropy"), (2, 4)),
    }
    torch.testing.assert_close(block.observables["y"], torch.full((2, 4, 40), 0.96, dtype=torch.float64))
