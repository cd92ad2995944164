"""A solver class from a notebook or script as a single-file plugin, which worker processes load."""

from __future__ import annotations

import ast
import builtins
import hashlib
import inspect
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import platformdirs

from qdynbench.errors import InputError
from qdynbench.files import written_whole

PLAIN = (bool, int, float, complex, str, bytes, type(None))


def plugin_of(solver: type) -> tuple[str, Path]:
    """Return the name under which a class is registered, which is its own, and a plugin file that registers it.

    A class of a module is imported from there. Of one that was defined in a notebook or in the script that runs, the
    source is copied, with all that it uses: modules and what was imported from them, functions, classes and numbers.

    Raises:
        InputError: its source is not known, or it uses something that cannot be written down.
    """
    name = solver.__name__
    lines = ["from qdynbench import hookimpl"]
    if solver.__module__ == "__main__":
        lines += _Sources(vars(sys.modules["__main__"])).of(solver)
    else:
        file = inspect.getsourcefile(solver)
        if file is None or "." in solver.__qualname__:
            raise InputError(f"{solver.__qualname__} has to be defined at the top level of a module or a notebook")
        folder = Path(file).resolve().parents[solver.__module__.count(".")]
        lines += ["import sys", f"sys.path.append({str(folder)!r})", f"from {solver.__module__} import {name}"]
    summary = (inspect.getdoc(solver) or "defined in Python").splitlines()[0]
    lines.append(f"@hookimpl\ndef register_solvers(register):\n    register({name!r}, {name}, summary={summary!r})\n")
    text = "\n\n".join(lines)
    path = platformdirs.user_cache_path("qdynbench") / "classes" / hashlib.sha256(text.encode()).hexdigest()[:16]
    path.mkdir(parents=True, exist_ok=True)
    path /= f"{name}.py"
    with written_whole(path) as stream:  # whatever lies there is not believed
        stream.write(text.encode())
    return name, path


class _Sources:
    """The source of something and of all that it uses, in the order in which it has to be executed."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._seen: set[str] = set()

    def of(self, what: Any) -> list[str]:
        try:
            text = textwrap.dedent(inspect.getsource(what))
        except (OSError, TypeError) as error:
            raise InputError(f"the source of {what.__name__} is not known: write it to a file and import it") from error
        self._seen.add(what.__name__)
        used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        lines = [line for name in sorted(used & self._names.keys() - self._seen) for line in self._defining(name)]
        return [*lines, text.rstrip()]

    def _defining(self, name: str) -> list[str]:
        value = self._names[name]
        if hasattr(builtins, name) or name in self._seen:
            return []
        self._seen.add(name)
        if isinstance(value, ModuleType):
            return [f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}"]
        home = getattr(value, "__module__", None)
        own = getattr(value, "__name__", None)
        if home == "__main__" and own == name:
            return self.of(value)
        if home not in {None, "__main__", "builtins"} and own is not None:
            return [f"from {home} import {own} as {name}" if own != name else f"from {home} import {own}"]
        if isinstance(value, PLAIN) or (isinstance(value, tuple) and all(isinstance(one, PLAIN) for one in value)):
            return [f"{name} = {value!r}"]
        raise InputError(
            f"{name}, a {type(value).__name__}, cannot be taken along: make it in the class, or in a module"
        )
