"""The kit passes correct solvers, and each kind of broken one fails the check that is meant for it."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import pytest
import scipy.special
import torch
from pydantic import Field

from qdynbench import (
    Block,
    Cost,
    FitContext,
    Given,
    Initial,
    Knowledge,
    LearnedSolver,
    Problem,
    Solver,
    TrainingData,
    moments,
    observables,
)
from qdynbench.errors import InputError, InvalidOutput
from qdynbench.physics.entanglement import half_chain_entropy
from qdynbench.testing import CheckResult, ConformanceTests, behaviour, oracles, passed, run_checks
from qdynbench.testing.exercise import ExactTrajectories, FitRecorder, uniform_chain
from qdynbench.testing.kit import BY_NAME, CHECKS, perform
from qdynbench.testing.subject import Subject


class Chebyshev(Solver):
    """Chebyshev series of exp(-i H dt) with the Hamiltonian as a sparse matrix, step by step in single-time blocks."""

    knowledge = Knowledge.HAMILTONIAN
    order: int = 40

    def supports(self, problem: Problem) -> str | None:
        return "at most 14 spins" if problem.size > 14 else None

    def estimate(self, problem: Problem) -> Cost | None:
        return Cost(bytes=16.0 * self.order * problem.batch * 2.0**problem.size, operations=1.0, error=1e-9)

    def prepare(self, problem: Problem) -> None:
        super().prepare(problem)
        self.matrix = problem.hamiltonian.to_sparse()
        self.radius = sum(abs(term.coefficient) for term in problem.hamiltonian.terms)

    def step(self, states: np.ndarray) -> np.ndarray:
        scale = self.radius * self.problem.dt
        before, now = states, -1j * (self.matrix @ states) / self.radius
        total = scipy.special.jv(0, scale) * before + 2 * scipy.special.jv(1, scale) * now
        for order in range(2, self.order):
            before, now = now, -2j * (self.matrix @ now) / self.radius + before
            total = total + 2 * scipy.special.jv(order, scale) * now
        return np.asarray(total)

    def solve(self, given: Given) -> Iterator[Block]:
        states = given.states.numpy().T.copy()
        for index in range(self.problem.steps + 1):
            yield Block(index, torch.from_numpy(np.ascontiguousarray(states.T))[:, None])
            if index < self.problem.steps:
                states = self.step(states)


class Propagator(LearnedSolver):
    """Least-squares propagator of each size: learns from trajectories alone, and knows only the sizes it has seen."""

    knowledge = Knowledge.TRAJECTORIES

    def fit(self, data: TrainingData, context: FitContext) -> None:
        self.propagators = {}
        for done, size in enumerate(data.sizes):
            states = data.trajectories(size)
            before, after = states[:, :-1].flatten(0, 1), states[:, 1:].flatten(0, 1)
            self.propagators[str(size)] = torch.linalg.lstsq(before, after, driver="gelsd").solution.numpy()
            context.progress((done + 1) / len(data.sizes), residual=0.0)

    def save(self, folder: Path) -> None:
        np.savez(folder / "propagators.npz", **self.propagators)

    def load(self, folder: Path) -> None:
        with np.load(folder / "propagators.npz", allow_pickle=False) as arrays:
            self.propagators = dict(arrays)

    def supports(self, problem: Problem) -> str | None:
        return None if str(problem.size) in self.propagators else f"saw {', '.join(self.propagators)} spins"

    def solve(self, given: Given) -> Iterator[Block]:
        propagator = torch.from_numpy(self.propagators[str(self.problem.size)])
        states = given.states
        for index in range(self.problem.steps + 1):
            yield Block(index, states[:, None])
            states = states @ propagator


class Spins(Chebyshev):
    """Yields observables and no states."""

    def solve(self, given: Given) -> Iterator[Block]:
        for block in super().solve(given):
            assert block.states is not None
            found = {str(axis): values for axis, values in observables.magnetization(block.states).items()}
            found["norm"] = observables.norm(block.states)
            found["energy"] = moments.mean(self.problem.hamiltonian, block.states)
            found["entropy"] = half_chain_entropy(block.states)
            yield Block(block.start, observables=found)


class Fermions(Chebyshev):
    """Solves the open XX chain from the Neel state at any size, with its clock as fast as `pace`."""

    pace: float = 1.0
    promise: float | None = None

    def supports(self, problem: Problem) -> str | None:
        return None

    def estimate(self, problem: Problem) -> Cost:
        return Cost(bytes=1e6, operations=1.0, error=self.promise)

    def prepare(self, problem: Problem) -> None:
        if problem.size <= 14:
            super().prepare(problem)
        else:
            Solver.prepare(self, problem)

    def solve(self, given: Given) -> Iterator[Block]:
        if self.problem.size <= 14:
            yield from super().solve(given)
            return
        z = oracles.xx_open_chain(self.problem.size, self.pace * self.problem.times)
        yield Block(0, observables={"z": torch.from_numpy(z)[None]})


@pytest.mark.parametrize(
    ("parameters", "status", "detail"),
    [
        ({}, "passed", "no promised error"),
        ({"pace": 1.1}, "failed", "1.0e-02 allowed where no error is promised"),
        ({"promise": 1e-6}, "passed", "2.0e-06 allowed"),
        ({"pace": 1.001, "promise": 1e-6}, "failed", "2.0e-06 allowed"),
    ],
)
def test_a_solver_that_needs_no_vector_is_held_to_40_spins(
    tmp_path: Path, parameters: dict[str, float], status: str, detail: str
) -> None:
    result = perform(BY_NAME["oracle_xx_neel_40"], Subject(Fermions, parameters, "fermions", tmp_path))
    assert result.status == status, result
    assert detail in result.detail


class Textbook(Solver):
    """Predicts nothing and builds a dense matrix."""

    knowledge = Knowledge.HAMILTONIAN

    def prepare(self, problem: Problem) -> None:
        super().prepare(problem)
        energies, self.vectors = map(torch.from_numpy, np.linalg.eigh(problem.hamiltonian.to_dense()))
        self.phases = torch.exp(-1j * torch.from_numpy(problem.times)[:, None] * energies)

    def solve(self, given: Given) -> Iterator[Block]:
        vectors = self.vectors.to(torch.complex128)
        coefficients = given.states @ vectors.conj()
        states = (coefficients[:, None] * self.phases) @ vectors.T
        states[:, 0] = given.states
        yield Block(0, states)


class Reads(Textbook):
    """Predicts little and reads vectors whatever the size."""

    def estimate(self, problem: Problem) -> Cost:
        return Cost(bytes=1e6, operations=1.0)

    def prepare(self, problem: Problem) -> None:
        if problem.size <= 14:
            super().prepare(problem)
        else:
            Solver.prepare(self, problem)

    def solve(self, given: Given) -> Iterator[Block]:
        given.states  # noqa: B018 - what it does not have at 40 spins
        return super().solve(given)


@pytest.mark.parametrize(
    ("solver", "reason"),
    [
        (Textbook, "40 spins are only posed to a solver that predicts its cost"),
        (Reads, "it needs the state vector, which a chain of 40 spins does not have"),
    ],
)
def test_a_solver_that_needs_the_vector_is_not_held_to_40_spins(
    tmp_path: Path, solver: type[Solver], reason: str
) -> None:
    subject = Subject(solver, {}, "needy", tmp_path)
    long = perform(BY_NAME["oracle_xx_neel_40"], subject)
    assert long.status == "skipped"
    assert reason in long.detail
    driven = perform(BY_NAME["oracle_kicked_ising_selfdual"], subject)
    assert driven.status == "skipped"
    assert driven.detail == "not applicable: the model is driven, and this solver evolves under one Hamiltonian"


class TestChebyshev(ConformanceTests):
    solver = Chebyshev
    parameters: ClassVar = {"order": 50}
    skips = frozenset({"import_cost", "oracle_tfim_2d_quench", "oracle_xx_neel_40", "oracle_kicked_ising_selfdual"})


class TestPropagator(ConformanceTests):
    solver = Propagator
    skips = frozenset({"import_cost"})


class TestSpins(ConformanceTests):
    solver = Spins
    skips = TestChebyshev.skips | {"oracle_classical_ising", "oracle_tfim_loschmidt", "oracle_time_reversal"}


def outcomes(solver: type[Solver]) -> dict[str, CheckResult]:
    return {result.name: result for result in run_checks(solver, {})}


def test_every_check_is_told_as_it_ends_and_counted() -> None:
    told: list[CheckResult] = []
    results = run_checks(Chebyshev, {"order": 50}, name="chebyshev", progress=told.append)
    assert told == results
    assert len({result.name for result in results}) == len(results)
    assert passed(results)
    assert sum(result.status == "passed" for result in results) >= 18
    assert not any(result.status == "failed" for result in results)
    assert all(result.detail for result in results if result.status == "skipped")


def test_zero_checks_are_a_failure() -> None:
    assert not passed([])
    assert not passed([CheckResult("bit_order", "skipped", "no small chain is supported")])
    assert passed([CheckResult("bit_order", "passed")])
    assert not passed([CheckResult("bit_order", "passed"), CheckResult("shapes", "failed", "why")])


def test_unknown_parameters_are_an_input_error() -> None:
    with pytest.raises(InputError, match="no parameter 'oder'; did you mean 'order'"):
        run_checks(Chebyshev, {"oder": 3}, name="chebyshev")


def test_oracles_are_one_line_for_a_solver_that_sees_no_hamiltonian() -> None:
    results = outcomes(Propagator)
    assert [name for name in results if name.startswith("oracle")] == ["oracles"]
    assert "trajectories" in results["oracles"].detail


class BackwardInTime(Chebyshev):
    def prepare(self, problem: Problem) -> None:
        super().prepare(problem)
        self.matrix = -self.matrix


class Returns(Chebyshev):
    """A beginner's error: no `yield`."""

    def solve(self, given: Given) -> Iterator[Block]:
        return Block(0, given.states[:, None])  # type: ignore[return-value]


class YieldsStates(Chebyshev):
    def solve(self, given: Given) -> Iterator[Block]:
        yield given.states[:, None]  # type: ignore[misc]


class SitesFromTheOtherEnd(Chebyshev):
    """Consistent inside: only a chain without reflection symmetry tells."""

    def solve(self, given: Given) -> Iterator[Block]:
        size = self.problem.size
        turned = [int(f"{index:0{size}b}"[::-1], 2) for index in range(1 << size)]
        for block in super().solve(Given(Initial(given.states[:, turned]))):
            assert block.states is not None
            yield Block(block.start, block.states[..., turned])


class WritesToItsInput(Chebyshev):
    def solve(self, given: Given) -> Iterator[Block]:
        yield from super().solve(Given(Initial(given.states.clone())))
        given.states.mul_(2)


class WritesToItsSpinors(Chebyshev):
    def solve(self, given: Given) -> Iterator[Block]:
        yield from super().solve(given)
        if given.spinors is not None:
            given.spinors[:, 0] = 0


class SharedNorm(Chebyshev):
    """Normalises by the mean norm of the whole batch after leaking a little: companions matter."""

    def solve(self, given: Given) -> Iterator[Block]:
        for block in super().solve(given):
            assert block.states is not None
            drift = 1e-3 * block.start * given.states[:, 0].abs().mean()
            yield Block(block.start, block.states * (1 - drift))


class Gap(Chebyshev):
    def solve(self, given: Given) -> Iterator[Block]:
        return (block for block in super().solve(given) if block.start != 3)


class StopsEarly(Chebyshev):
    def solve(self, given: Given) -> Iterator[Block]:
        return (block for block in super().solve(given) if block.start < self.problem.steps)


class NeverStops(Chebyshev):
    def solve(self, given: Given) -> Iterator[Block]:
        while True:
            yield from super().solve(given)


class Changes(Chebyshev):
    """Passes every block through `change`."""

    def change(self, states: torch.Tensor, index: int) -> torch.Tensor:
        raise NotImplementedError

    def solve(self, given: Given) -> Iterator[Block]:
        for block in super().solve(given):
            assert block.states is not None
            yield Block(block.start, self.change(block.states, block.start))


class Magnitudes(Changes):
    def change(self, states: torch.Tensor, index: int) -> torch.Tensor:
        return states.abs()


class NotANumber(Changes):
    def change(self, states: torch.Tensor, index: int) -> torch.Tensor:
        return states * torch.nan if index == 5 else states


class TimeFirst(Changes):
    def change(self, states: torch.Tensor, index: int) -> torch.Tensor:
        return states.transpose(0, 1)


class StartsOneStepLate(Changes):
    def change(self, states: torch.Tensor, index: int) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.step(states[:, 0].numpy().T).T))[:, None]


class Random(Changes):
    """Draws from a generator of its own that no seed reaches."""

    source = np.random.default_rng()

    def change(self, states: torch.Tensor, index: int) -> torch.Tensor:
        return states + (1e-6 * float(self.source.normal()) if index else 0)


class Inaccurate(Chebyshev):
    order: int = 6


class Remembers(Chebyshev):
    """Adds the couplings of every problem it is prepared for."""

    factor = 1.0

    def prepare(self, problem: Problem) -> None:
        super().prepare(problem)
        self.factor += 1e-3
        self.matrix = self.matrix * self.factor


class NegativeCost(Chebyshev):
    def estimate(self, problem: Problem) -> Cost | None:
        return Cost(bytes=-1.0, operations=0.0)


class SilentRefusal(Chebyshev):
    def supports(self, problem: Problem) -> str | None:
        return "" if problem.size > 14 else None


class Overflows(Chebyshev):
    """Predicts by building what it predicts."""

    def estimate(self, problem: Problem) -> Cost | None:
        return Cost(bytes=float(np.empty((1 << problem.size, 1 << problem.size)).nbytes), operations=1.0)


class ParametersChange(Chebyshev):
    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


class ForgetsTheProblem(Chebyshev):
    def prepare(self, problem: Problem) -> None:
        self.matrix = problem.hamiltonian.to_sparse()


class Raises(Chebyshev):
    def solve(self, given: Given) -> Iterator[Block]:
        raise ZeroDivisionError("of all things")


class LooksAtTheHamiltonian(Chebyshev):
    knowledge = Knowledge.TRAJECTORIES


class OutputReversed(Propagator):
    def solve(self, given: Given) -> Iterator[Block]:
        size = self.problem.size
        turned = [int(f"{index:0{size}b}"[::-1], 2) for index in range(1 << size)]
        for block in super().solve(given):
            assert block.states is not None
            yield Block(block.start, block.states if block.start == 0 else block.states[..., turned])


class Pickles(Propagator):
    def save(self, folder: Path) -> None:
        (folder / "weights.bin").write_bytes(pickle.dumps(self.propagators))

    def load(self, folder: Path) -> None:
        self.propagators = pickle.loads((folder / "weights.bin").read_bytes())  # noqa: S301 - what the kit has to refuse


class TorchSave(Propagator):
    def save(self, folder: Path) -> None:
        torch.save({size: torch.from_numpy(matrix) for size, matrix in self.propagators.items()}, folder / "weights")

    def load(self, folder: Path) -> None:
        self.propagators = {size: matrix.numpy() for size, matrix in torch.load(folder / "weights").items()}


class Rounds(Propagator):
    def save(self, folder: Path) -> None:
        single = {size: matrix.astype(np.complex64) for size, matrix in self.propagators.items()}
        np.savez(folder / "propagators.npz", **single)

    def load(self, folder: Path) -> None:
        super().load(folder)
        self.propagators = {size: matrix.astype(np.complex128) for size, matrix in self.propagators.items()}


class UnseededFit(Propagator):
    def fit(self, data: TrainingData, context: FitContext) -> None:
        super().fit(data, context)
        noise = np.random.default_rng()
        self.propagators = {k: v + 1e-3 * noise.normal(size=v.shape) for k, v in self.propagators.items()}


class ProgressBackwards(Propagator):
    def fit(self, data: TrainingData, context: FitContext) -> None:
        context.progress(1.0)
        super().fit(data, context)


class SavesNothing(Propagator):
    def save(self, folder: Path) -> None:
        pass


class FailsToFit(Propagator):
    def fit(self, data: TrainingData, context: FitContext) -> None:
        raise RuntimeError("no convergence")


@pytest.mark.parametrize(
    ("solver", "check", "detail"),
    [
        (SitesFromTheOtherEnd, "bit_order", "sites of the Hamiltonian counted from the other end"),
        (OutputReversed, "bit_order", "sites of the output counted from the other end"),
        (Inaccurate, "bit_order", "but promises 1.0e-09"),
        (WritesToItsInput, "inputs_unmodified", "written to given.states"),
        (WritesToItsSpinors, "inputs_unmodified", "written to given.spinors"),
        (SharedNorm, "batch_independence", "solved without the others differ"),
        (Gap, "block_order", "starts at time index 3 expected, one that starts at 4 came"),
        (StopsEarly, "block_order", "21 times expected, only 20 came"),
        (NeverStops, "yields_blocks", "does not stop"),
        (Magnitudes, "dtypes", "torch.float64 came"),
        (NotANumber, "finiteness", "nan came in states of state 0 at time index 5"),
        (TimeFirst, "shapes", "= (3, 3, 16) expected, (1, 3, 16) came"),
        (StartsOneStepLate, "first_state", "initial state expected at time index 0"),
        (Random, "determinism", "two solvers under one seed differ"),
        (Remembers, "preparation", "3 spins in between"),
        (ForgetsTheProblem, "yields_blocks", "a prepare of your own begins with super().prepare(problem)"),
        (Returns, "yields_blocks", "write `yield` in place of `return`"),
        (YieldsStates, "yields_blocks", "write `yield Block(index, states)`"),
        (BackwardInTime, "bit_order", "backward in time"),
        (NegativeCost, "supports_and_estimate", "from estimate, -1.0 came"),
        (SilentRefusal, "supports_and_estimate", "None or a reason, it returned ''"),
        (Overflows, "supports_and_estimate", "Error: "),
        (ParametersChange, "parameters_frozen", "'order' can be set"),
        (Raises, "yields_blocks", "ZeroDivisionError: of all things (test_kit.py, line "),
        (LooksAtTheHamiltonian, "blindness", "fails on a problem without a Hamiltonian"),
        (Pickles, "save_and_load", "weights.bin is a pickle"),
        (TorchSave, "save_and_load", "written with torch.save"),
        (Rounds, "save_and_load", "before saving and after loading differ"),
        (UnseededFit, "fit_repeats", "two fits under one seed"),
        (ProgressBackwards, "fit", "progress must not go back"),
        (SavesNothing, "fit", "No such file"),
        (FailsToFit, "fit", "no convergence"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_broken_solver_fails_the_check_meant_for_it(
    tmp_path: Path, solver: type[Solver], check: str, detail: str
) -> None:
    subject = Subject(solver, {}, "broken", tmp_path)
    # Oracles would only take time: they need the checks on the trajectory to have passed.
    cheap = [one for one in CHECKS if one.applies(solver) is None and not one.name.startswith("oracle_")]
    results = {one.name: perform(one, subject) for one in cheap}
    assert not passed(results.values())
    first = next(result for result in results.values() if result.status == "failed")
    found = results[check]
    assert found.status == "failed", found
    assert detail in found.detail
    # Of the checks on the trajectory itself nothing else is blamed first.
    assert first.name in {check, "yields_blocks"}


@pytest.mark.parametrize(("line", "status"), [("import torch", "failed"), ("import json", "passed")])
def test_the_package_of_a_solver_may_not_import_heavy_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, status: str
) -> None:
    name = f"qdynbench_example_{status}"
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text(line)
    (package / "still.py").write_text(
        "from qdynbench import Block, Knowledge, Solver\n"
        "class Still(Solver):\n"
        "    knowledge = Knowledge.TRAJECTORIES\n"
        "    def solve(self, given):\n"
        "        yield Block(0, given.states[:, None].expand(-1, self.problem.steps + 1, -1))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(f"{name}.still").still
    results = {result.name: result for result in run_checks(module.Still, {})}
    assert results["import_cost"].status == status
    assert status == "passed" or "imports torch" in results["import_cost"].detail
    assert [r.name for r in results.values() if r.status == "failed"] == ["import_cost"] * (status == "failed")
    del sys.modules[name], sys.modules[f"{name}.still"]


def test_a_slow_solver_is_spared_the_large_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Counted(Chebyshev):
        def solve(self, given: Given) -> Iterator[Block]:
            asked.append(len(given.states))
            return super().solve(given)

    monkeypatch.setattr(behaviour, "PATIENCE", 1e-6)
    result = perform(BY_NAME["many_blocks"], Subject(Counted, {}, "counted", tmp_path))
    assert result.status == "skipped"
    assert result.detail.startswith("256 states over 200 steps would take about ")
    assert max(asked) == 3


def test_shipped_weights_are_used_instead_of_a_fit(tmp_path: Path) -> None:
    folder = tmp_path / "weights"

    class Shipped(Propagator):
        def shipped(self) -> tuple[Path, ...]:
            return (folder,)

    folder.mkdir()
    maker = Propagator()
    maker.fit(ExactTrajectories(uniform_chain, (2, 3), np.linspace(0, 0.1, 11), 16), FitRecorder(tmp_path))
    maker.save(folder)
    (folder / "manifest.json").write_text(
        '{"training": {"sizes": [2, 3], "steps": 100, "dt": 0.01, '
        '"model": {"family": "ising", "J": 1.0, "g": -1.05, "h": 0.5, "boundary": "open"}}}'
    )
    results = outcomes(Shipped)
    assert results["fit"].detail == "shipped weights"
    assert "trains nothing" in results["fit_repeats"].detail
    assert passed(results.values())


class Wild(Textbook):
    """Wrong without promising anything: all phases are those of another chain."""

    def prepare(self, problem: Problem) -> None:
        super().prepare(problem)
        self.phases = self.phases.conj() ** 3


def test_a_solver_that_promises_nothing_may_not_be_worse_than_standing_still() -> None:
    results = outcomes(Wild)
    assert results["oracle_classical_ising"].status == "failed"
    assert "that nothing moves would deviate by 2.0e+00" in results["oracle_classical_ising"].detail
    assert outcomes(Textbook)["oracle_classical_ising"].status == "skipped"


class Constrained(Chebyshev):
    order: Annotated[int, Field(ge=1)] = 40


class KnowsByName(Chebyshev):
    knowledge = "hamiltonian"  # type: ignore[assignment]


def test_what_is_declared_is_held_to() -> None:
    with pytest.raises(InputError, match="order=0: input should be greater than or equal to 1"):
        run_checks(Constrained, {"order": 0}, name="constrained")
    with pytest.raises(InvalidOutput, match=r"knowledge is 'hamiltonian' and none of Knowledge\.HAMILTONIAN"):
        run_checks(KnowsByName, {})
