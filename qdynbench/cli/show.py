"""`qdynbench show NAME`: what something is, and what it takes."""

from __future__ import annotations

import json as json_module
import os
import re
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qdynbench.cli.options import Plugins

if TYPE_CHECKING:
    from qdynbench.plugins.registry import Entry, Registry


def show(
    name: Annotated[str, typer.Argument(help="A solver, model, metric, ensemble, figure or task, or a task file.")],
    plugin: Plugins = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """Show what a solver, model, metric or task is and takes.

    Of a solver: its parameters with types and defaults, what it knows, its limits and its source.
    """
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.plugins.registry import Registry

    registry = Registry.discover(plugin or ())
    if os.path.isfile(name):
        about = {"name": name, "kind": "task", "summary": "in a file", **_of_task(name, registry)}
    else:
        spec = SolverSpec.parse(name)
        entry = registry.find_among(("solvers", "models", "metrics", "ensembles", "figures", "tasks"), spec.name)
        about = described(entry, spec, registry)
    if json:
        print(json_module.dumps(about, indent=1))  # noqa: T201 - for programs: as it is, without a console's wrapping
    else:
        _print(about)
    return 0


def described(entry: Entry, spec: Any, registry: Registry) -> dict[str, Any]:
    """Return all that there is to say of an entry, by heading; parameters as a list."""
    import inspect

    from qdynbench.errors import InputError

    about: dict[str, Any] = {"name": str(spec), "kind": entry.kind[:-1], "summary": entry.summary}
    if entry.kind == "tasks":
        if spec.parameters:
            raise InputError(f"task {spec.name!r} has no parameters")
        return about | _of_task(spec.name, registry)
    target = entry.load()
    about["description"] = inspect.getdoc(target) or ""
    if entry.kind == "solvers":
        about |= _of_solver(target, spec)
    elif entry.kind == "models":
        about["parameters"] = [
            {
                "name": name,
                "type": _type(field.annotation),
                "default": "required" if field.is_required() else str(field.default),
            }
            for name, field in target.model_fields.items()
        ]
    elif entry.kind == "metrics":
        about |= {
            name: value if isinstance(value, str) else ", ".join(value)
            for name in ("unit", "better", "reads")
            if (value := getattr(target, name, None)) is not None
        }
    about["plugin"] = entry.plugin
    return about | _source(target)


def _of_solver(target: Any, spec: Any) -> dict[str, Any]:
    import dataclasses
    import typing

    from qdynbench.contract.build import build, parameters_of
    from qdynbench.contract.learned import LearnedSolver

    solver = build(target, spec.name, spec.parameters)
    hints = typing.get_type_hints(target)
    defaults = {field.name: field.default for field in dataclasses.fields(target)}
    roles = {**dict.fromkeys(target.accuracy, "turns its error"), **dict.fromkeys(target.protocol, "another protocol")}
    about: dict[str, Any] = {
        "parameters": [
            {
                "name": name,
                "type": _type(hints[name]),
                "default": "required" if defaults[name] is dataclasses.MISSING else str(defaults[name]),
                "role": roles.get(name, ""),
            }
            for name in parameters_of(target)
        ],
        "knows": _KNOWS[solver.knowledge.value],
        "learns": "yes: it is fitted to trajectories first" if isinstance(solver, LearnedSolver) else "no",
        "limits": _limits(solver),
    }
    if solver.label:
        about["label"] = solver.label
    return about


_KNOWS = {
    "hamiltonian": "the Hamiltonian",
    "parameters": "the parameters of the model, not its Hamiltonian",
    "trajectories": "trajectories alone, not the Hamiltonian",
}


def _limits(solver: Any) -> list[str]:
    """Return what the solver says of problems that it may not take, each refusal once."""
    import numpy as np

    from qdynbench.contract.build import outlook
    from qdynbench.contract.learned import LearnedSolver
    from qdynbench.contract.problem import Problem
    from qdynbench.plugins.registry import FAULTS
    from qdynbench.task.families import KickedIsing
    from qdynbench.task.models import MixedFieldIsing

    def posed(size: int = 4, *, driven: bool = False, entangled: bool = False, device: str = "cpu") -> Problem:
        model = KickedIsing(J=1, b=1, h=0.5) if driven else MixedFieldIsing(J=1, g=-1.05, h=0.5)
        dynamics, times = model.hamiltonian(size), np.linspace(0, 1, 11)
        return Problem(size, times, dynamics, model.parameters(), device=device, entangled=entangled)

    probes = {
        "one spin": posed(1),
        "12 spins": posed(12),
        "40 spins": posed(40),
        "entangled initial states": posed(entangled=True),
        "a driven model": posed(driven=True),
        "cuda": posed(device="cuda"),
    }
    found: dict[str, list[str]] = {}
    for what, problem in probes.items():
        try:
            refusal, _ = outlook(solver, problem.blinded(solver.knowledge))
        except FAULTS as error:  # a solver that has learned nothing yet may not be able to answer
            refusal = f"{type(error).__name__}: {error}"
        if refusal is not None:
            found.setdefault(refusal, []).append(what)
    said = [f"{', '.join(where)}: {reason}" for reason, where in found.items()]
    if isinstance(solver, LearnedSolver):
        return [*said, "what lies too far from its training, once it is fitted"]
    return said or [f"refuses none of {', '.join(probes)}"]


def _of_task(name: str, registry: Registry) -> dict[str, Any]:
    from qdynbench.task.load import find_task, load_task

    task = load_task(name, registry)
    return {
        "title": task.title,
        "model": json_module.dumps(task.model),
        "sizes": ", ".join(map(str, task.sizes)),
        "solvers": ", ".join(task.solvers),
        "source": str(find_task(name, registry)),
    }


def _type(hint: Any) -> str:
    """Return a type as one would say it: without what pydantic adds, and the values of a choice alone."""
    import types
    import typing

    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is types.NoneType:
        return "none"
    if origin is typing.Annotated:
        return _type(inner[0])
    if origin is typing.Literal:
        return " | ".join(map(str, inner))
    if origin in {typing.Union, types.UnionType}:
        return " | ".join(dict.fromkeys(map(_type, inner)))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_type, inner))}]"
    return getattr(hint, "__name__", str(hint))


def _source(target: Any) -> dict[str, str]:
    import inspect

    try:
        return {"source": f"{inspect.getsourcefile(target)}:{inspect.getsourcelines(target)[1]}"}
    except (OSError, TypeError):
        return {}


def _print(about: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from qdynbench.text import LONGEST_MESSAGE, legible, plain

    console = Console(highlight=False)
    summary = plain(about.pop("summary"))
    console.print(Text.assemble((about.pop("name"), "bold"), f" ({about.pop('kind')}): {summary}"))
    if description := about.pop("description", ""):
        # Lines of one paragraph, and those of one attribute, are joined, to be wrapped at the width of the terminal.
        joined = re.sub(r"(?<=\S)\n(?=\w|`|\(| {8})\s*", " ", legible(description, LONGEST_MESSAGE))
        wrapped = [
            textwrap.fill(line, console.width, subsequent_indent=8 * " ") if line.startswith(" ") else line
            for line in joined.splitlines()
        ]
        console.print(Text("\n" + "\n".join(wrapped) + "\n"))
    parameters, table = about.pop("parameters", None), Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    if parameters is not None:
        inner = Table(box=None, pad_edge=False, show_header=False)
        for one in parameters:
            default = one["default"] if one["default"] == "required" else f"default {one['default']}"
            inner.add_row(*(Text(plain(text)) for text in (one["name"], one["type"], default, one.get("role", ""))))
        table.add_row("parameters", inner if parameters else "none")
    for heading, value in ((heading, value) for heading, value in about.items() if value):
        table.add_row(heading, Text("\n".join(map(plain, value if isinstance(value, list) else [value]))))
    console.print(table)
