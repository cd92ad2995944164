"""Checks on what is no solver: models, ensembles and metrics."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from qdynbench.contract.ensemble import Ensemble
from qdynbench.contract.metric import Metric
from qdynbench.contract.model import Model
from qdynbench.contract.validation import PER_SITE, PER_STATE
from qdynbench.contract.window import Pair, ScoreContext, Window
from qdynbench.errors import InputError
from qdynbench.physics.charges import conserved
from qdynbench.physics.drive import Drive
from qdynbench.physics.operators import PauliSum
from qdynbench.scoring.echo import Echo
from qdynbench.testing.exercise import product_initial, random_states, uniform_chain
from qdynbench.testing.independent import product_states
from qdynbench.testing.outcome import CheckResult, Failure, Skip, outcome_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Progress = Callable[[CheckResult], None]
SIZES = (1, 2, 3, 4, 5, 6)
UNITS = ("1", "energy", "energy^2", "1/energy", "s", "B")
ROUNDING = 1e-10
SPINS, COUNT, TIMES = 3, 4, 7
"""Size of the chain, number of states and of times that a metric is shown."""
XX = PauliSum.from_terms(SPINS, [(0.5, letters, (i, i + 1)) for i in range(SPINS - 1) for letters in ("XX", "YY")])
"""Conserves the total Z and both parities, as a mixed-field Ising chain does not."""


def check_model(
    kind: type[Model], parameters: Mapping[str, Any] | None = None, *, progress: Progress | None = None
) -> list[CheckResult]:
    """Check that a family of Hamiltonians keeps the contract; return the outcomes in order.

    Args:
        kind: the class.
        parameters: those that differ from the defaults, such as `{"J": 0.5}`.
        progress: called with each outcome as soon as it is there.
    """
    return _all(_ModelChecks(kind, parameters or {}), progress)


def check_ensemble(kind: type[Ensemble], *, progress: Progress | None = None) -> list[CheckResult]:
    """Check that an ensemble of initial states keeps the contract; return the outcomes in order."""
    return _all(_EnsembleChecks(kind), progress)


def check_metric(kind: type[Metric], *, progress: Progress | None = None) -> list[CheckResult]:
    """Check that a metric keeps the contract; return the outcomes in order."""
    return _all(_MetricChecks(kind), progress)


class _Checks:
    """Methods without an underscore are checks: they return a detail, or raise `Failure` or `Skip`."""


def _all(checks: _Checks, progress: Progress | None) -> list[CheckResult]:
    """Make all checks in the order in which they are written; where the first one fails the others say nothing."""
    found: list[CheckResult] = []
    for name in (name for name in vars(type(checks)) if not name.startswith("_")):
        if found and found[0].status != "passed":
            result = CheckResult(name, "skipped", f"says nothing unless {found[0].name} passes")
        else:
            result = outcome_of(name, getattr(checks, name))
        found.append(result)
        if progress is not None:
            progress(result)
    return found


class _ModelChecks(_Checks):
    def __init__(self, kind: type[Model], parameters: Mapping[str, Any]) -> None:
        self._kind, self._parameters = kind, parameters
        fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, Model) else {}
        if missing := [name for name, field in fields.items() if field.is_required() and name not in parameters]:
            raise InputError(f"{kind.__name__} has no default for {', '.join(missing)}: write name[{missing[0]}=...]")

    def _model(self) -> Model:
        return self._kind.model_validate(dict(self._parameters))

    def _hamiltonians(self) -> Iterator[tuple[int, PauliSum | Drive]]:
        """Yield the Hamiltonian of each size that the family has, with couplings drawn."""
        for size in SIZES:
            # A family need not have every size: a square lattice has no 2 sites.
            with contextlib.suppress(InputError):
                yield size, self._model().realised(size, np.random.default_rng(size)).hamiltonian(size)

    def builds(self) -> str:
        """It is a model, takes its parameters, and returns Pauli strings or a drive at some of the smallest sizes."""
        if not (isinstance(self._kind, type) and issubclass(self._kind, Model)):
            raise Failure(f"a subclass of qdynbench.Model expected, {self._kind!r} came")
        sizes = []
        for size, built in self._hamiltonians():
            if not isinstance(built, PauliSum | Drive):
                raise Failure(
                    f"hamiltonian({size}) must return a PauliSum or a Drive, it returned {type(built).__name__}"
                )
            if built.size != size:
                raise Failure(f"hamiltonian({size}) returned an operator on {built.size} spins")
            sizes.append(size)
        if not sizes:
            raise Failure(f"no Hamiltonian of {SIZES[0]} to {SIZES[-1]} spins could be built")
        return f"{', '.join(map(str, sizes))} spins"

    def same_again(self) -> str:
        """Asked again, under the same seed, it returns the same Hamiltonian."""
        for (size, first), (_, second) in zip(self._hamiltonians(), self._hamiltonians(), strict=True):
            if first != second:
                raise Failure(f"two Hamiltonians of {size} spins differ: draw with the generator of `realised` alone")
        return ""

    def parameters_read_back(self) -> str:
        """A realised model is written as JSON and read again as the same model: so it stands in the record of a run."""
        for size in dict(self._hamiltonians()):
            drawn = self._model().realised(size, np.random.default_rng(size))
            if not isinstance(drawn, self._kind):
                raise Failure(f"realised returned a {type(drawn).__name__} and no {self._kind.__name__}")
            again = self._kind.model_validate_json(json.dumps(drawn.model_dump(mode="json")))
            if again.hamiltonian(size) != drawn.hamiltonian(size):
                raise Failure(f"read back from its parameters, the Hamiltonian of {size} spins is another one")
            json.dumps(drawn.parameters())
        return ", ".join(self._kind.model_fields) or "no parameters"

    def every_spin_moves(self) -> str:
        """Every site is in a term that is no Z alone: else a spin of it never turns."""
        for size, built in self._hamiltonians():
            operators = [built] if isinstance(built, PauliSum) else [one.hamiltonian for one in built.segments]
            turned = {site for operator in operators for term in operator.terms for site in term.flipped}
            idle = sorted(set(range(size)) - turned)
            if size > 1 and idle:
                raise Skip(f"of {size} spins, those on the sites {', '.join(map(str, idle))} are never turned")
        return ""

    def conserves(self) -> str:
        """Says which charges are conserved; a surprise here is often a wrong letter or site."""
        for size, built in reversed(list(self._hamiltonians())):
            if isinstance(built, PauliSum):
                return f"{', '.join(conserved(built)) or 'neither total_z nor a parity'} at {size} spins"
        raise Skip("it is driven")


class _EnsembleChecks(_Checks):
    def __init__(self, kind: type[Ensemble]) -> None:
        self._kind = kind

    def _drawn(self, size: int, count: int, seed: int = 0) -> NDArray[np.complex128]:
        np.random.seed(seed + count)  # noqa: NPY002 - whoever draws from the global generator is found out
        drawn = self._kind().draw(size, count, np.random.default_rng(seed))
        vectors: NDArray[np.complex128] = drawn.states.numpy()
        return vectors

    def draws(self) -> str:
        """It is an ensemble, and draws as many states of as many spins as it is asked for, complex128."""
        if not (isinstance(self._kind, type) and issubclass(self._kind, Ensemble)):
            raise Failure(f"a subclass of qdynbench.Ensemble expected, {self._kind!r} came")
        for size in SIZES:
            states = self._drawn(size, 3)
            if states.shape != (3, 2**size) or states.dtype != np.complex128:
                wanted = f"complex128 of shape {(3, 2**size)}"
                raise Failure(
                    f"3 states of {size} spins: {wanted} expected, {states.dtype} of shape {states.shape} came"
                )
        return f"{SIZES[0]} to {SIZES[-1]} spins"

    def normalised(self) -> str:
        """Every state has norm 1."""
        worst = max(abs(np.linalg.norm(self._drawn(size, 5), axis=1) - 1).max() for size in SIZES)
        if not worst < ROUNDING:
            raise Failure(f"a norm is off 1 by {worst:.1e}")
        return f"within {worst:.0e}"

    def spinors(self) -> str:
        """What says that it holds product states draws spinors, and these belong to the states."""
        for size in SIZES:
            drawn = self._kind().draw(size, 3, np.random.default_rng(0))
            if not self._kind.product:
                if drawn.spinors is not None:
                    raise Failure("it draws spinors: derive it from qdynbench.ProductEnsemble")
                raise Skip("its states need not be products")
            if drawn.spinors is None:
                raise Failure("`product` is true, but it draws no spinors")
            if np.abs(product_states(drawn.spinors.numpy()) - drawn.states.numpy()).max() > ROUNDING:
                raise Failure("its states are not the products of its spinors")
        return ""

    def same_again(self) -> str:
        """Under the same seed it draws the same states, whatever other generators have done."""
        for size in SIZES:
            if not np.array_equal(self._drawn(size, 4), self._drawn_after_others(size, 4)):
                raise Failure("two draws under one seed differ: use `generator` for everything random")
        return ""

    def _drawn_after_others(self, size: int, count: int) -> NDArray[np.complex128]:
        np.random.seed(1)  # noqa: NPY002 - as above
        found: NDArray[np.complex128] = self._kind().draw(size, count, np.random.default_rng(0)).states.numpy()
        return found

    def first_states_stay(self) -> str:
        """The first states do not depend on how many are drawn: the core asks for more and takes the last ones."""
        for size in SIZES:
            if not np.allclose(self._drawn(size, 3), self._drawn(size, 9)[:3], rtol=0, atol=ROUNDING):
                raise Failure("the first 3 of 9 states differ from 3 states drawn alone: the count changes the draws")
        return ""

    def single(self) -> str:
        """`single` says whether there is only one state."""
        states = self._drawn(4, 5)
        alike = bool((np.abs(states - states[0]).max(axis=1) < ROUNDING).all())
        if alike != self._kind.single:
            found = "all states are the same" if alike else "states differ"
            raise Failure(f"{found}, but `single` is {self._kind.single}")
        return "one state" if alike else ""


class _MetricChecks(_Checks):
    def __init__(self, kind: Any) -> None:
        self._kind = kind
        # The reference moves along a smooth curve: from a product state towards another state.
        start = product_initial(SPINS, COUNT, seed=1)
        other, self._third = (random_states(SPINS, COUNT, seed=seed) for seed in (2, 3))
        self._exact = self._between(start.states[:, None], other[:, None], torch.linspace(0, 0.5, TIMES)[:, None])
        times = np.linspace(0, 0.6, TIMES)
        contexts = [ScoreContext(SPINS, times, chain, start) for chain in (uniform_chain(SPINS), XX)]
        self._context = next((one for one in contexts if getattr(kind, "applies", bool)(one)), None) or contexts[0]

    @staticmethod
    def _between(one: torch.Tensor, other: torch.Tensor, part: torch.Tensor | float) -> torch.Tensor:
        return torch.nn.functional.normalize(one + part * (other - one), dim=-1)

    def _off(self, part: float) -> torch.Tensor:
        """Return a prediction whose error grows with time up to `part`."""
        grown = torch.linspace(0, part, TIMES)[:, None]
        return self._between(self._exact, self._third[:, None], grown)

    def _fed(self, prediction: torch.Tensor, cuts: tuple[int, ...] = (), *, bare: bool = False) -> Metric:
        metric: Metric = self._kind(self._context)
        for start, stop in itertools.pairwise([0, *cuts, TIMES]):
            both = (Window(self._context, start, states[:, start:stop]) for states in (prediction, self._exact))
            metric.update(Pair(*map(self._bared, both)) if bare else Pair(*both))
        return metric

    def _bared(self, window: Window) -> Window:
        """Return a window that has nothing but what the metric reads."""
        spins = {str(axis): values for axis, values in window.spins.items()}
        names = {name: spins[name] if name in spins else getattr(window, name) for name in self._kind.reads}
        return Window(self._context, window.start, None, names)

    def _values(self, prediction: torch.Tensor, cuts: tuple[int, ...] = ()) -> NDArray[np.float64]:
        return np.asarray(self._fed(prediction, cuts).result())

    def declares(self) -> str:
        """It is a metric with a name, a unit and needs that are known, and all its methods."""
        kind = self._kind
        if kind is Echo:
            raise Skip("it is no metric of a trajectory but a phase of its own")
        if not (isinstance(kind, type) and issubclass(kind, Metric)):
            raise Failure(f"a subclass of qdynbench.Metric expected, {kind!r} came")
        if not isinstance(getattr(kind, "name", None), str):
            raise Failure('it has no `name`, such as name = "my_error"')
        if missing := sorted(getattr(kind, "__abstractmethods__", ())):
            wanted = "derive from qdynbench.CurveMetric and define `values`" if missing == ["result", "update"] else ""
            raise Failure(f"it does not define {' and '.join(missing)}" + (f"; or {wanted}" if wanted else ""))
        if kind.unit not in UNITS:
            raise Failure(f"unit {kind.unit!r} is none of {', '.join(UNITS)}")
        if kind.better not in {"lower", "higher"}:
            raise Failure(f"better is {kind.better!r}, neither 'lower' nor 'higher'")
        known = {"states", *PER_SITE, *PER_STATE}
        if isinstance(kind.reads, str) or (unknown := sorted(set(kind.reads) - known)):
            found = repr(kind.reads) if isinstance(kind.reads, str) else ", ".join(unknown)
            raise Failure(f"reads must be a tuple of {', '.join(sorted(known))}; {found} came")
        return f"{kind.name}, reads {', '.join(kind.reads)}"

    def gives_values(self) -> str:
        """Its values are real, finite, and one for each state and time, or for each state alone."""
        self._needs_values()
        values = self._values(self._off(0.1))
        wanted = (COUNT, TIMES) if self._kind.per_time else (COUNT,)
        if values.shape != wanted:
            raise Failure(f"values of shape {wanted} expected, {values.shape} came (per_time is {self._kind.per_time})")
        if values.dtype.kind != "f":
            raise Failure(f"real values expected, {values.dtype} came")
        # Before the first step a ratio of two errors may well be undefined.
        if not np.isfinite(values[:, 1:] if values.ndim == 2 else values).all():
            raise Failure("a value is not finite for a prediction that is a little off")
        return f"shape {values.shape}"

    def windows(self) -> str:
        """It gives the same values however the trajectory is cut into windows."""
        self._needs_values()
        whole, cut = (self._values(self._off(0.1), cuts) for cuts in ((), (1, 4)))
        difference = float(np.nanmax(np.abs(whole - cut)))
        if not difference < ROUNDING:
            raise Failure(f"cut into windows of 1, 3 and 3 times, its values differ by {difference:.1e}")
        return f"within {difference:.0e}"

    def leaves_states_alone(self) -> str:
        """It does not write to what it is shown."""
        self._needs_values()
        prediction = self._off(0.1)
        before = prediction.clone(), self._exact.clone()
        self._fed(prediction)
        if not all(map(torch.equal, before, (prediction, self._exact))):
            raise Failure("it has written to the states of a window")
        return ""

    def reads_what_it_says(self) -> str:
        """It makes do with what `reads` names, as for a solver that yields no states."""
        self._needs_values()
        if "states" in self._kind.reads:
            raise Skip("it reads states, from which all can be computed")
        try:
            self._fed(self._off(0.1), bare=True)
        except (KeyError, TypeError, AttributeError) as error:
            raise Failure(
                f"shown {', '.join(self._kind.reads)} alone it raises {type(error).__name__}: {error}"
            ) from error
        return ""

    def tells_right_from_wrong(self) -> str:
        """A perfect prediction is the best one, and an error has the value 0 for it."""
        self._needs_values()
        if not self._kind.needs_reference:
            raise Skip("it needs no reference: it does not judge by one")
        right, wrong = (self._last(self._off(part)) for part in (0.0, 0.5))
        sign = 1 if self._kind.better == "lower" else -1
        if np.array_equal(right, wrong):
            raise Failure(f"it is {right.mean():.3g} for a perfect and for a wrong prediction alike")
        if not (sign * (right - wrong) <= ROUNDING).all():
            said = f"better is {self._kind.better!r}"
            raise Failure(f"{right.mean():.3g} for a perfect prediction, {wrong.mean():.3g} for a wrong one: {said}")
        if sign == 1 and not np.abs(right).max() < ROUNDING:
            raise Failure(f"it is {np.abs(right).max():.1e} for a perfect prediction and not 0")
        return f"{right.mean():.2g} for a perfect prediction, {wrong.mean():.2g} for a wrong one"

    def order(self) -> str:
        """It grows with the power of the error of the state that `order` says."""
        self._needs_values()
        if not self._kind.needs_reference or self._kind.better != "lower":
            raise Skip("only errors against a reference have an order")
        small, large = (self._last(self._off(part)).mean() for part in (1e-3, 2e-3))
        if not (small > 0 and math.isfinite(large)):
            raise Skip("it does not see small errors")
        power = math.log2(large / small)
        if abs(power - self._kind.order) > 0.2:
            raise Failure(
                f"it grows with the power {power:.2f} of the error of the state, but order is {self._kind.order}"
            )
        return f"power {power:.2f}"

    def _needs_values(self) -> None:
        if not self._kind.applies(self._context):
            raise Skip("it applies neither to a mixed-field Ising chain nor to an XX chain")
        if "truncation" in self._kind.reads:
            raise Skip("it reads what tensor networks alone tell")

    def _last(self, prediction: torch.Tensor) -> NDArray[np.float64]:
        values = self._values(prediction)
        return values[:, -1] if values.ndim == 2 else values
