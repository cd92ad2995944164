"""`qdynbench new KIND NAME`: a file of one's own to begin with, and its test."""

from __future__ import annotations

import keyword
import os
import re
import sys
from enum import Enum
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qdynbench.plugins.registry import Kind

TEMPLATES = Path(__file__).parents[1] / "templates"


class What(str, Enum):  # noqa: UP042 - as in list_.py
    """What can be begun."""

    solver = "solver"
    learned_solver = "learned-solver"
    model = "model"
    metric = "metric"
    ensemble = "ensemble"
    task = "task"


TABLES: dict[What, Kind] = {
    What.solver: "solvers",
    What.learned_solver: "solvers",
    What.model: "models",
    What.metric: "metrics",
    What.ensemble: "ensembles",
    What.task: "tasks",
}
BESIDE_ED = (
    "qdynbench run ising_mixed --plugin {file} --solver {name} --solver ed --set sizes=3..4 --set timing.launches=3"
)
"""A first look within a minute: without `--set` it is the whole task."""
RUN = {
    What.solver: BESIDE_ED,
    What.learned_solver: BESIDE_ED,
    What.model: 'qdynbench run ising_mixed --plugin {file} --set "model={{family: {name}}}" --solver ed',
    What.metric: 'qdynbench run xx_neel --plugin {file} --set "metrics=[infidelity, {name}]" --solver ed',
    What.ensemble: "qdynbench run ising_mixed --plugin {file} --set ensemble={name} --solver ed",
    What.task: "qdynbench run {file}",
}


def new(
    what: Annotated[What, typer.Argument(help="solver, learned-solver, model, metric, ensemble or task")],
    name: Annotated[str, typer.Argument(help="Its name in task files and reports, such as my-solver.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Write into this folder.")] = Path(),
) -> int:
    """Write a solver, model, metric, ensemble or task to begin with.

    Its test is written as well. Both work as they stand.
    """
    from rich.console import Console

    from qdynbench.errors import InputError
    from qdynbench.plugins.registry import Registry

    if not re.fullmatch(r"[A-Za-z][\w-]*", name, re.ASCII):
        raise InputError(f"{name!r} is no name: begin with a letter, go on with letters, digits, - and _")
    taken = Registry.discover().entries[TABLES[what]].get(name)
    if taken is not None:
        raise InputError(f"{taken.kind[:-1]} {name!r} is registered by plugin {taken.plugin!r}; choose another name")
    texts = files(what, name)
    file, test = texts
    module = Path(file).stem
    if file.endswith(".py") and hides(module):
        raise InputError(f"{file} would hide the Python module {module!r}; choose another name")
    for one in texts:
        if os.path.lexists(out / one):
            raise InputError(f"{out / one} exists already")
    out.mkdir(parents=True, exist_ok=True)
    for one, text in texts.items():
        with (out / one).open("x") as stream:
            stream.write(text)
    into = "" if out == Path() else f"cd {out}\n  "
    check = "" if what is What.task else f"qdynbench check {name} --plugin {file}\n  "
    Console(soft_wrap=True, highlight=False, markup=False).print(
        f"Wrote {out / file}, which works as it stands, and its test {out / test}. Try both, then put in your own:\n\n"
        f"  {into}pytest {test}\n  {check}{RUN[what].format(file=file, name=name)}\n"
    )
    return 0


def files(what: What, name: str) -> dict[str, str]:
    """Return the names and texts of the file and its test."""
    own = f"my-{what.value}"
    words = re.split(r"[-_]+", name.strip("-_"))
    module, title = "_".join(words).lower(), "".join(word[:1].upper() + word[1:] for word in words)
    template, suffix = own.replace("-", "_"), ".yaml" if what is What.task else ".py"
    texts = {
        f"{module}{suffix}": (TEMPLATES / f"{template}{suffix}").read_text(),
        f"test_{module}.py": (TEMPLATES / f"test_{template}.py").read_text(),
    }
    class_name = "".join(word.title() for word in own.split("-"))
    if any(re.search(rf"\b{title}\b", text.replace(class_name, "")) for text in texts.values()):
        title = f"My{title}"  # such as a solver named "solver", whose class must not hide its base class
    forms = {own: name, template: module, class_name: title}
    pattern = re.compile("|".join(forms))
    return {file: pattern.sub(lambda found: forms[found[0]], text) for file, text in texts.items()}


def hides(module: str) -> bool:
    """Return whether a file of this name would stand before an installed module, or could not be imported at all."""
    from qdynbench.plugins.imports import INSTALLED

    places = [place for place in sys.path if INSTALLED & set(Path(place).parts)]
    known = keyword.iskeyword(module) or module in sys.stdlib_module_names or module == "qdynbench"
    return known or PathFinder.find_spec(module, places) is not None
