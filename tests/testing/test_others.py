"""Whatever is registered keeps its contract, and each kind of broken model, ensemble or metric fails its check."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from qdynbench import CurveMetric, Ensemble, Initial, Metric, Model, Pair, PauliSum, ProductEnsemble
from qdynbench.errors import InputError
from qdynbench.physics.drive import Drive
from qdynbench.plugins.registry import Registry
from qdynbench.testing import CheckResult, check_ensemble, check_metric, check_model, passed

REGISTRY = Registry.discover()
X = [[1.0, "X", [0]]]
NEEDED: dict[str, dict[str, Any]] = {
    "ising": {"g": 1},
    "ising_2d": {"g": 1},
    "rydberg": {"V": 1},
    "long_range_ising": {"g": 1, "alpha": 3},
    "kicked_ising": {"J": 1, "b": 1},
    "driven_ising": {"segments": [{"duration": 1, "J": 1, "g": 1, "h": 0}]},
    "pauli": {"terms": X},
    "driven_pauli": {"segments": [{"duration": 1, "terms": X}]},
}


@pytest.mark.parametrize("name", REGISTRY.entries["models"])
def test_the_models_keep_the_contract(name: str) -> None:
    results = check_model(REGISTRY.load("models", name), NEEDED.get(name, {}))
    assert passed(results), results


@pytest.mark.parametrize("name", REGISTRY.entries["ensembles"])
def test_the_ensembles_keep_the_contract(name: str) -> None:
    results = check_ensemble(REGISTRY.load("ensembles", name))
    assert passed(results), results


@pytest.mark.parametrize("name", sorted(set(REGISTRY.entries["metrics"]) - {"echo_infidelity"}))
def test_the_metrics_keep_the_contract(name: str) -> None:
    results = check_metric(REGISTRY.load("metrics", name))
    assert passed(results), results


class Chain(Model):
    g: float = 1.0

    def hamiltonian(self, size: int) -> PauliSum | Drive:
        return PauliSum.from_terms(size, [(self.g, "X", (site,)) for site in range(size)])


class TooLong(Chain):
    def hamiltonian(self, size: int) -> PauliSum | Drive:
        return super().hamiltonian(size + 1)


class Matrix(Chain):
    def hamiltonian(self, size: int) -> PauliSum | Drive:
        return np.eye(2**size)  # type: ignore[return-value]


class Unseeded(Chain):
    random: ClassVar = np.random.default_rng()

    def hamiltonian(self, size: int) -> PauliSum | Drive:
        return Chain(g=float(self.random.normal())).hamiltonian(size)


class Hidden(Chain):
    """Draws a field that is none of its parameters."""

    _drawn: float = 0.0

    def realised(self, size: int, generator: np.random.Generator) -> Hidden:
        drawn = self.model_copy()
        drawn._drawn = float(generator.normal())
        return drawn

    def hamiltonian(self, size: int) -> PauliSum | Drive:
        return Chain(g=self.g + self._drawn).hamiltonian(size)


class Aligned(ProductEnsemble):
    def spinors(self, size: int, count: int, generator: np.random.Generator) -> np.ndarray:
        pairs = generator.standard_normal((count, 1, 4)).view(np.complex128)
        return np.repeat(pairs / np.linalg.norm(pairs, axis=-1, keepdims=True), size, axis=1)


class Unnormalised(Aligned):
    def spinors(self, size: int, count: int, generator: np.random.Generator) -> np.ndarray:
        return 1.1 * super().spinors(size, count, generator)


class Global(Aligned):
    def spinors(self, size: int, count: int, generator: np.random.Generator) -> np.ndarray:
        return super().spinors(size, count, np.random.default_rng(np.random.randint(2**31)))  # noqa: NPY002


class Counts(Aligned):
    """Draws component by component: the first states depend on how many there are."""

    def spinors(self, size: int, count: int, generator: np.random.Generator) -> np.ndarray:
        pairs = generator.standard_normal((4, count)).T.copy().view(np.complex128)[:, None]
        return np.repeat(pairs / np.linalg.norm(pairs, axis=-1, keepdims=True), size, axis=1)


class CallsItselfSingle(Aligned):
    single = True


class Real(Ensemble):
    def draw(self, size: int, count: int, generator: np.random.Generator) -> Initial:
        return Initial(torch.eye(2**size, dtype=torch.complex128)[None, 0].expand(count + 1, -1))


class Distance(CurveMetric):
    """1 - |<a|b>|^2, which grows with the square."""

    name = "distance"
    order = 2

    def values(self, pair: Pair) -> torch.Tensor:
        return pair.infidelity


class Linear(Distance):
    order = 1


class Offset(Distance):
    def values(self, pair: Pair) -> torch.Tensor:
        return pair.infidelity + 0.1


class Inverted(Distance):
    better = "higher"


class Constant(Distance):
    def values(self, pair: Pair) -> torch.Tensor:
        return 0 * pair.infidelity


class Forgets(Distance):
    """Counts the windows."""

    def values(self, pair: Pair) -> torch.Tensor:
        self.seen = getattr(self, "seen", 0) + 1
        return pair.infidelity * self.seen


class Writes(Distance):
    def values(self, pair: Pair) -> torch.Tensor:
        found = pair.infidelity.clone()
        pair.states[1].mul_(2)
        return found


class ReadsMore(CurveMetric):
    name = "reads_more"
    reads = ("z",)

    def values(self, pair: Pair) -> torch.Tensor:
        return (pair.prediction.spins["x"] - pair.reference.spins["x"]).abs().mean(-1)


class Unfinished(Metric):
    name = "unfinished"


class Furlongs(Distance):
    unit = "furlong"


def first_failure(results: list[CheckResult]) -> CheckResult:
    return next(result for result in results if result.status == "failed")


@pytest.mark.parametrize(
    ("broken", "check", "detail"),
    [
        (TooLong, "builds", "hamiltonian(1) returned an operator on 2 spins"),
        (Matrix, "builds", "hamiltonian(1) must return a PauliSum or a Drive, it returned ndarray"),
        (Unseeded, "same_again", "two Hamiltonians of 1 spins differ"),
        (Hidden, "parameters_read_back", "is another one"),
        (Unnormalised, "normalised", "a norm is off 1"),
        (Global, "same_again", "use `generator` for everything random"),
        (Counts, "first_states_stay", "the count changes the draws"),
        (CallsItselfSingle, "single", "states differ, but `single` is True"),
        (Real, "draws", "of shape (3, 2) expected, complex128 of shape (4, 2) came"),
        (Linear, "order", "power 2.00 of the error of the state, but order is 1"),
        (Offset, "tells_right_from_wrong", "1.0e-01 for a perfect prediction and not 0"),
        (Inverted, "tells_right_from_wrong", "better is 'higher'"),
        (Constant, "tells_right_from_wrong", "for a perfect and for a wrong prediction alike"),
        (Forgets, "windows", "its values differ by"),
        (Writes, "leaves_states_alone", "it has written to the states"),
        (ReadsMore, "reads_what_it_says", "shown z alone it raises KeyError"),
        (Unfinished, "declares", "it does not define result and update; or derive from qdynbench.CurveMetric"),
        (Furlongs, "declares", "unit 'furlong' is none of"),
    ],
)
def test_what_is_broken_fails_the_check_meant_for_it(broken: type, check: str, detail: str) -> None:
    kinds = {Model: check_model, Ensemble: check_ensemble, Metric: check_metric}
    judge: Any = next(judge for kind, judge in kinds.items() if issubclass(broken, kind))
    found = first_failure(judge(broken))
    assert (found.name, detail in found.detail) == (check, True), found


def test_what_is_sound_passes() -> None:
    for results in (check_model(Chain), check_ensemble(Aligned), check_metric(Distance)):
        assert passed(results), results


def test_a_parameter_without_a_default_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"no default for g: write name\[g=...\]"):
        check_model(REGISTRY.load("models", "ising"))
