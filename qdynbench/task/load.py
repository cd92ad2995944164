"""Load a task from a YAML file and check its names, sizes and values."""

from __future__ import annotations

import copy
import importlib.resources
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from qdynbench.contract.initial import vector_bytes
from qdynbench.contract.model import Model
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError, suggestion
from qdynbench.plugins.registry import Kind, Registry
from qdynbench.task.override import override, with_setting
from qdynbench.task.spec import Task
from qdynbench.task.yaml import Location, read

MOST_KEPT = 1e9
"""Largest number of bytes of trajectories that one run may keep."""
LONGEST_TRAINED = 64e9
"""Largest number of bytes of one training trajectory if the task sets no memory limit; more must be a mistake."""


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
        path, written, lines = Path("task"), dict(source), dict[Location, int]()
    else:
        path = find_task(source, registry)
        written, lines = read(path)
    data = copy.deepcopy(written)
    if setting is not None:
        data, lines = with_setting(written, lines, setting, path)
    for key, value in (overrides or {}).items():
        override(data, key, value)
    task = _task(data, lines, path)
    for other in task.settings:  # a mistake in another setting is found now and not on the machine that it is meant for
        _task(*with_setting(written, lines, other, path), path)
    within = {location[1:]: line for location, line in lines.items() if location[:1] == ("model",)}
    model_of(task.model, registry, path, within)
    if any(key.split(".")[0] == "model" for key in overrides or {}) and "title" not in (overrides or {}):
        task = task.model_copy(update={"title": ""})  # it speaks of the model of the file
    try:
        return with_solvers(with_defaults(task, registry), registry, solvers)
    except InputError as error:
        location = error.location if isinstance(error, _Misplaced) else ()
        where = f"{path}:{lines[location]}" if location and location in lines else str(path)
        raise InputError(f"{where}: {error}") from error


class _Misplaced(InputError):
    """An error in the entry of the task at `location`."""

    def __init__(self, location: Location, message: str) -> None:
        super().__init__(message)
        self.location = location


def _task(data: dict[str, Any], lines: Mapping[Location, int], path: Path) -> Task:
    data.setdefault("name", path.stem)
    if not data.get("solvers"):
        raise InputError(f"{path}: a task needs at least one entry under 'solvers'")
    try:
        return Task.model_validate_json(json.dumps(data))
    except (TypeError, ValueError) as error:
        if isinstance(error, pydantic.ValidationError):
            raise InputError(explain(error, path, lines, Task)) from error
        raise InputError(f"{path}: {error}") from error


def with_defaults(task: Task, registry: Registry) -> Task:
    """Return the task with all parameters of its models, also those that it leaves at their defaults."""
    training = task.training
    if training is not None and training.model is not None:
        training = training.model_copy(update={"model": whole_model(training.model, registry)})
    return task.model_copy(update={"model": whole_model(task.model, registry), "training": training})


def whole_model(parameters: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """Return a `model` section with all parameters of its family."""
    model = model_of(parameters, registry)
    return {"family": parameters["family"], **model.model_dump(mode="json")}


def with_solvers(task: Task, registry: Registry, solvers: Iterable[str]) -> Task:
    """Return the task with other solvers, if any are given, and with the yardsticks that it has to run.

    These are persistence for every task, and the linear propagator for tasks with training data.
    """
    chosen = [str(SolverSpec.parse(text)) for text in solvers] or list(task.solvers)
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
    if path.is_file():
        return path
    if path.suffix in {".yaml", ".yml"} or path.is_dir() or path.is_absolute():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"task file {str(path)!r} {what}")
    target = registry.find("tasks", str(source)).target
    package, _, inner = str(target).partition(":")
    root = importlib.resources.files(package)
    # A wheel contains the tasks inside the package, a checkout beside it.
    for candidate in (Path(str(root)) / inner, Path(str(root)) / f"_{inner}", Path(str(root)).parent / inner):
        if candidate.is_file():
            return candidate
    raise InputError(f"task {str(source)!r} is registered as {target!r}, but there is no such file")


def model_of(
    parameters: Mapping[str, Any],
    registry: Registry,
    path: Path | None = None,
    lines: Mapping[Location, int] | None = None,
) -> Model:
    """Return the model of a `model` section; `path` and `lines` give its position in the file, for messages.

    Raises:
        InputError: the family is missing or unknown, or does not have these parameters.
    """
    fields = dict(parameters)
    family = fields.pop("family", None)
    if not isinstance(family, str):
        where = "" if path is None else f"{path}:{(lines or {}).get((), 1)}: "
        raise InputError(f"{where}model needs a 'family'; valid names: {', '.join(sorted(registry.entries['models']))}")
    kind: type[Model] = registry.load("models", family)
    try:
        return kind.model_validate_json(json.dumps(fields))
    except pydantic.ValidationError as error:
        raise InputError(f"model {family!r}: {explain(error, path, lines or {}, kind)}") from error


def check_names(task: Task, registry: Registry) -> None:
    """Check all names in a task, and that its models fit its sizes.

    Raises:
        InputError: something is wrong; the message describes the first error.
    """
    reference = [] if task.reference_spec is None else [task.reference_spec]
    for spec in [*task.specs, *reference, *map(SolverSpec.parse, task.timing.subset)]:
        registry.find("solvers", spec.name)
    for text in task.timing.subset:
        if text not in task.solvers:
            raise InputError(f"timing.subset names {text!r}, which is not among the solvers")
    named: tuple[tuple[Kind, list[str]], ...] = (
        ("metrics", task.metrics if task.metrics != "all" else []),
        ("figures", task.figures),
    )
    for kind, names in named:
        for index, name in enumerate(names):
            try:
                registry.find(kind, name)
            except InputError as error:
                raise _Misplaced((kind, index), str(error)) from error
    if task.bytes_kept > MOST_KEPT:
        raise _Misplaced(
            ("keep", "trajectories"),
            f"keep.trajectories: {task.keep.trajectories} trajectories in each cell are {task.bytes_kept / 1e9:.3g} GB "
            f"in all, more than {MOST_KEPT / 1e9:g} GB; keep fewer",
        )
    registry.find("ensembles", task.ensemble)
    _check_sizes(model_of(task.model, registry), task.sizes)
    if task.training is not None:
        registry.find("ensembles", task.training.ensemble)
        size, limit = max(task.training.sizes), float(task.limits.memory or LONGEST_TRAINED)
        needed = (task.training.steps + 1) * vector_bytes(size)
        if needed > limit:
            takes = f"one trajectory of {size} spins takes {needed / 1e9:.3g} GB, more than {limit / 1e9:g} GB"
            raise _Misplaced(("training", "sizes"), f"training.sizes: {takes}")
        _check_sizes(model_of(task.training.model or task.model, registry), task.training.sizes)


def _check_sizes(model: Model, sizes: list[int]) -> None:
    for size in sizes:
        model.realised(size, np.random.default_rng(0)).hamiltonian(size)


def explain(
    error: pydantic.ValidationError, path: Path | None, lines: Mapping[Location, int], model: type[pydantic.BaseModel]
) -> str:
    """Return the errors of pydantic as lines "file:line: key: what is wrong; did you mean ...?"."""
    found = []
    for item in error.errors(include_url=False):
        location = tuple(part for part in item["loc"] if not _is_branch(part))
        line = next((lines[location[:n]] for n in range(len(location), -1, -1) if location[:n] in lines), None)
        where = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        key = ".".join(map(str, location))
        if item["type"] == "extra_forbidden":
            message = f"unknown key {key!r}{suggestion(str(location[-1]), _fields(model, location[:-1]))}"
        elif item["type"] == "missing":
            message = f"key {key!r} is missing"
        else:
            text = item["msg"].removeprefix("Value error, ")
            text = text[:1].lower() + text[1:]
            message = f"{key}: {text}" if key else text
            if not isinstance(item["input"], dict | list):
                message += f", not {item['input']!r}"
        found.append(where + message)
    return "\n".join(dict.fromkeys(found))


def _is_branch(part: str | int) -> bool:
    # For unions pydantic adds the branch to the location, such as "list[constrained-float]".
    return isinstance(part, str) and not part.replace("_", "").isalnum()


def _fields(model: type[pydantic.BaseModel], location: Location) -> list[str]:
    for part in location:
        field = model.model_fields.get(str(part))
        options = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = [kind for kind in options if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)
