"""Load a task from a YAML file and check its names, sizes and values."""

from __future__ import annotations

import importlib.resources
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from qdynbench.contract.initial import spinor_bytes, vector_bytes
from qdynbench.contract.model import Model, check_terms
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.physics.drive import Drive
from qdynbench.plugins.registry import Kind, Registry
from qdynbench.task.mistakes import Misplaced, explain, in_entry
from qdynbench.task.override import Written
from qdynbench.task.spec import Task, Training
from qdynbench.task.yaml import Location, read

IN_PYTHON = Path("task")
"""Stands in messages for the file of a task that is a dict."""
MOST_KEPT = 1e9
"""Largest number of bytes of trajectories that one run may keep."""
LONGEST_TRAINED = 64e9
"""Largest number of bytes of one training trajectory if the task sets no memory limit; more must be a mistake."""
MOST_PERIODS = 10_000
"""Largest number of periods of a drive within one time step."""


def load_task(
    source: str | Path | Mapping[str, Any],
    registry: Registry | None = None,
    *,
    setting: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    solvers: Iterable[str] = (),
) -> Task:
    """Return a task after checking it.

    Args:
        source: path of a YAML file, the name of a registered task, or what such a file holds as a dict.
        registry: the plugins; default: all that are installed.
        setting: one of the named sets of values in the file, as from `--setting`.
        overrides: values by dotted key, such as `{"times.steps": 500}`, as from `--set`.
        solvers: solvers to run instead of those of the file.

    Raises:
        InputError: the task is wrong; the message has file, line and the nearest valid name.
    """
    registry = registry or Registry.discover()
    if isinstance(source, Mapping):
        path, file = IN_PYTHON, Written(IN_PYTHON, dict(source))
    else:
        path = find_task(source, registry)
        file = Written(path, *read(path))
    written = file if setting is None else file.with_setting(setting)
    for key, value in (overrides or {}).items():
        written = written.changed(key, value, f"--set {key}", f"--set {key}")
    task = _task(written)
    for other in task.settings:  # a mistake in another setting is found now and not on the machine that it is meant for
        _task(file.with_setting(other), whole=False)
    if any(key.split(".")[0] == "model" for key in overrides or {}) and "title" not in (overrides or {}):
        task = task.model_copy(update={"title": ""})  # it speaks of the model of the file
    try:
        return with_solvers(with_defaults(task, registry), registry, solvers)
    except Misplaced as error:
        raise InputError(error.within(written)) from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _task(written: Written, *, whole: bool = True) -> Task:
    """Return what was written as a task whose names are not checked; if not `whole`, the model is left out as well."""
    data = {"name": written.path.stem, **written.data}
    if not data.get("solvers"):
        raise InputError(f"{written.path}: a task needs at least one entry under 'solvers'")
    if not whole and isinstance(data.get("model"), dict):
        data["model"] = {}
    try:
        return Task.model_validate_json(json.dumps(data))
    except pydantic.ValidationError as error:
        raise InputError(explain(error, data, Task).within(written)) from error
    except (TypeError, ValueError) as error:  # overrides from Python may be of any type
        raise InputError(f"{written.path}: {error}") from error


def with_defaults(task: Task, registry: Registry) -> Task:
    """Return the task with all parameters of its models, also those that it leaves at their defaults."""
    training = task.training
    if training is not None and training.model is not None:
        whole = whole_model(training.model, registry, ("training", "model"))
        training = training.model_copy(update={"model": whole})
    return task.model_copy(update={"model": whole_model(task.model, registry), "training": training})


def whole_model(parameters: Mapping[str, Any], registry: Registry, location: Location = ("model",)) -> dict[str, Any]:
    """Return a `model` section, which stands at `location` of the task, with all parameters of its family."""
    model = model_of(parameters, registry, location)
    return {"family": parameters["family"], **model.model_dump(mode="json")}


def with_solvers(task: Task, registry: Registry, solvers: Iterable[str]) -> Task:
    """Return the task with other solvers, if any are given, and with the yardsticks that it has to run.

    These are persistence for every task, and the linear propagator for tasks with training data.
    """
    given = [SolverSpec.parse(text) for text in solvers]
    for spec in given:
        registry.find("solvers", spec.name)
    chosen = [str(spec) for spec in given] or list(task.solvers)
    named = {SolverSpec.parse(text).name for text in chosen}
    wanted = {"always"} if task.training is None else {"always", "learned"}
    entries = registry.entries["solvers"].values()
    chosen += [entry.name for entry in entries if entry.gate in wanted and entry.name not in named]
    subset = {text: states for text, states in task.timing.subset.items() if text in chosen}
    timing = task.timing.model_copy(update={"subset": subset})
    changed = task.model_copy(update={"solvers": list(dict.fromkeys(chosen)), "timing": timing})
    check_names(changed, registry)
    return changed


def find_task(source: str | Path, registry: Registry) -> Path:
    """Return the file of a task, which is given by its path or its registered name."""
    path = Path(source)
    if os.path.isfile(path):  # and not path.is_file(), which raises an error where a name is too long
        return path
    if path.suffix in {".yaml", ".yml"} or os.path.isdir(path) or path.is_absolute():
        known = "is no regular file" if os.path.exists(path) else "does not exist"
        raise InputError(f"task file {str(path)!r} {'is a folder' if os.path.isdir(path) else known}")
    target = registry.find("tasks", str(source)).target
    package, _, inner = str(target).partition(":")
    root = importlib.resources.files(package)
    # A wheel contains the tasks inside the package, a checkout beside it.
    for candidate in (Path(str(root)) / inner, Path(str(root)) / f"_{inner}", Path(str(root)).parent / inner):
        if candidate.is_file():
            return candidate
    raise InputError(f"task {str(source)!r} is registered as {target!r}, but there is no such file")


def model_of(parameters: Mapping[str, Any], registry: Registry, location: Location = ("model",)) -> Model:
    """Return the model of a `model` section, which stands at `location` of the task.

    Raises:
        InputError: the family is missing or unknown, or does not have these parameters.
    """
    fields = dict(parameters)
    family = fields.pop("family", None)
    if not isinstance(family, str):
        names = ", ".join(sorted(registry.entries["models"]))
        raise Misplaced((location, f"model needs a 'family'; valid names: {names}"))
    with in_entry(*location):
        kind: type[Model] = registry.load("models", family)
    try:
        with _of_family(family, location):
            return kind.model_validate_json(json.dumps(fields))
    except pydantic.ValidationError as error:
        raise explain(error, fields, kind, location, f"model {family!r}: ") from error


@contextmanager
def _of_family(family: str, location: Location) -> Iterator[None]:
    """Turn what the code of a family raises into an error of the task: the families are plugins."""
    try:
        with in_entry(*location):
            yield
    except (InputError, pydantic.ValidationError):
        raise
    except (Exception, SystemExit) as error:
        raise Misplaced((location, f"model {family!r}: {type(error).__name__}: {error}")) from error


def check_names(task: Task, registry: Registry) -> None:
    """Check all names in a task, and that its models fit its sizes.

    Raises:
        InputError: something is wrong; the message describes the first error.
    """
    if task.reference_spec is not None:
        with in_entry("reference"):
            registry.find("solvers", task.reference_spec.name)
    for index, spec in enumerate(task.specs):
        with in_entry("solvers", index):
            registry.find("solvers", spec.name)
    named: tuple[tuple[Kind, list[str]], ...] = (
        ("metrics", task.metrics if task.metrics != "all" else []),
        ("figures", task.figures),
    )
    for kind, names in named:
        for index, name in enumerate(names):
            with in_entry(kind, index):
                registry.find(kind, name)
    if task.bytes_kept > MOST_KEPT:
        each, total = task.keep.trajectories, f"{task.bytes_kept / 1e9:.3g} GB in all, more than {MOST_KEPT / 1e9:g} GB"
        message = f"keep.trajectories: {each} trajectories in each cell are {total}; keep fewer"
        raise Misplaced((("keep", "trajectories"), message))
    with in_entry("ensemble"):
        registry.find("ensembles", task.ensemble)
    _check_sizes(task.model, registry, task.sizes, task.times.dt, ("model",))
    if task.training is not None:
        _check_training(task, task.training, registry)


def _check_training(task: Task, training: Training, registry: Registry) -> None:
    with in_entry("training", "ensemble"):
        product = registry.load("ensembles", training.ensemble).product
    size, limit = max(training.sizes), float(task.limits.memory or LONGEST_TRAINED)
    each = (training.steps + 1) * vector_bytes(size)
    drawn = training.trajectories * (spinor_bytes(size) if product else vector_bytes(size))
    for needed, key, what in (
        (each, "sizes", f"one trajectory of {size} spins takes"),
        (drawn, "trajectories", f"the initial states of {training.trajectories} trajectories of {size} spins take"),
    ):
        if needed > limit:
            with in_entry("training", key):
                raise InputError(f"training.{key}: {what} {needed / 1e9:.3g} GB, more than {limit / 1e9:g} GB")
    own = training.model is not None
    location = ("training", "model") if own else ("model",)
    _check_sizes(training.model or task.model, registry, training.sizes, training.dt or task.times.dt, location)


def _check_sizes(
    parameters: Mapping[str, Any], registry: Registry, sizes: list[int], dt: float, location: Location
) -> None:
    """Build the Hamiltonian of every size, which fails where the parameters do not fit it."""
    model, terms = model_of(parameters, registry, location), 0
    with _of_family(parameters["family"], location):
        for size in sizes:
            dynamics = model.realised(size, np.random.default_rng(0)).hamiltonian(size)
            if isinstance(dynamics, Drive):
                if dt > MOST_PERIODS * dynamics.period:
                    raise InputError(f"the drive repeats more than {MOST_PERIODS} times within a time step of {dt:g}")
                terms += sum(len(segment.hamiltonian.terms) for segment in dynamics.segments)
            else:
                terms += len(dynamics.terms)
            check_terms(terms)
