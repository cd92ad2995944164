"""Finding plugins and what they register; nothing registered is imported until it is used."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pluggy

from qdynbench.contract import hookspecs
from qdynbench.errors import InputError, suggestion
from qdynbench.plugins.distributions import code_files

Kind = Literal["solvers", "models", "ensembles", "metrics", "figures", "tasks", "commands"]
KINDS: tuple[Kind, ...] = ("solvers", "models", "ensembles", "metrics", "figures", "tasks", "commands")
GATES = ("", "always", "learned")


@dataclass(frozen=True)
class Entry:
    """One registered name.

    Attributes:
        kind: which table it stands in.
        name: the name.
        target: "package.module:Class", or the class itself (single-file plugins).
        summary: one line for listings.
        plugin: the plugin that registered it.
        gate: of a solver that runs unasked: "always", "learned", or nothing.
    """

    kind: Kind
    name: str
    target: str | Callable[..., Any]
    summary: str
    plugin: str
    gate: str = ""

    def load(self) -> Any:
        """Import the target.

        Raises:
            InputError: the import fails; the message ends with the traceback.
        """
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except Exception as error:
            raise InputError(
                f"{self.kind[:-1]} {self.name!r} of plugin {self.plugin!r} cannot be imported from {self.target!r}: "
                f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
            ) from error


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found, whole or broken.

    Attributes:
        name: entry-point name, or the path of a single file.
        version: of its distribution, where it has one.
        problem: why it could not be loaded, or None.
        details: the traceback that belongs to `problem`.
        code: its package's folder or its file, for fingerprints; None for the core.
        distribution: that it came with, or nothing.
    """

    name: str
    version: str = ""
    problem: str | None = None
    details: str = ""
    code: Path | None = None
    distribution: str = ""


class Registry:
    """All plugins and all names that they register."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.plugins: dict[str, Plugin] = {}
        self.entries: dict[Kind, dict[str, Entry]] = {kind: {} for kind in KINDS}
        self._files: list[Path] = []

    @classmethod
    def discover(cls, files: Iterable[str | Path] = ()) -> Registry:
        """Load every installed plugin, and the single-file plugins in `files`.

        Raises:
            InputError: one of `files` cannot be loaded. A broken installed plugin is only noted in `plugins`.
        """
        registry = cls()
        points = importlib.metadata.entry_points(group=hookspecs.PROJECT)
        # The core's own entries come first, so that a plugin that takes one of their names is the one to be blamed.
        for point in sorted(points, key=lambda point: (point.name != "builtin", point.name)):
            version, distribution = (point.dist.version, point.dist.name) if point.dist else ("", "")
            try:
                registry.add(point.name, point.load(), version=version, distribution=distribution)
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
                registry.plugins[point.name] = Plugin(point.name, version, problem, traceback.format_exc())
        for file in files:
            registry.add_file(Path(file))
        return registry

    @property
    def files(self) -> tuple[Path, ...]:
        """The single-file plugins, which a worker process has to load as well."""
        return tuple(self._files)

    def add(self, name: str, module: ModuleType, *, version: str = "", distribution: str = "") -> None:
        """Register a loaded plugin module and everything that its hooks announce; on an error, nothing of it stays.

        Raises:
            InputError: another API version, or a name that is already taken.
            pluggy.PluginValidationError: a hook with unknown arguments.
        """
        api = getattr(module, "api_version", hookspecs.API_VERSION)
        if api != hookspecs.API_VERSION:
            raise InputError(f"plugin {name!r} is written for API {api}, this is API {hookspecs.API_VERSION}")
        found: list[Entry] = []
        self.manager.register(module, name)
        try:
            for kind in KINDS:
                hook = getattr(module, f"register_{kind}", None)
                if hook is not None:
                    hook(_collector(kind, name, found))
            for entry in found:
                taken = self.entries[entry.kind].get(entry.name)
                if taken is not None:
                    raise InputError(
                        f"plugin {name!r} registers {entry.kind[:-1]} {entry.name!r}, which plugin "
                        f"{taken.plugin!r} has already registered"
                    )
        except Exception:
            self.manager.unregister(name=name)
            raise
        for entry in found:
            self.entries[entry.kind][entry.name] = entry
        self.plugins[name] = Plugin(name, version, code=_code_of(module), distribution=distribution)

    def add_file(self, path: Path) -> None:
        """Load a single-file plugin.

        Raises:
            InputError: no such file, or it fails to load; the message ends with the traceback.
        """
        path = path.expanduser().resolve()
        if not path.is_file():
            raise InputError(f"plugin file {str(path)!r} does not exist")
        name = f"qdynbench_file_{path.stem}".replace("-", "_")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise InputError(f"plugin file {str(path)!r} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
            self.add(str(path), module)
        except InputError:
            raise
        except Exception as error:
            trace = "".join(traceback.format_exception(error, limit=-3))
            raise InputError(
                f"plugin file {str(path)!r} fails to load: {type(error).__name__}: {error}\n{trace}"
            ) from error
        self.plugins[str(path)] = Plugin(str(path), code=path)
        self._files.append(path)

    def find(self, kind: Kind, name: str) -> Entry:
        """Return the entry of a name.

        Raises:
            InputError: the name is unknown; the nearest name and any broken plugin are mentioned.
        """
        table = self.entries[kind]
        if name in table:
            return table[name]
        message = f"unknown {kind[:-1]} {name!r}{suggestion(name, table)}"
        for plugin in self.plugins.values():
            if plugin.problem:
                message += f"\nplugin {plugin.name!r} could not be loaded: {plugin.problem}"
                if plugin.name == name or name in plugin.name.split("-"):
                    message += f"\n{plugin.details}"
        raise InputError(message)

    def load(self, kind: Kind, name: str) -> Any:
        """Import what a name stands for."""
        return self.find(kind, name).load()

    def code_of(self, entry: Entry) -> list[Path]:
        """Return the files whose content decides what the entry does: its package's code and data, or its one file."""
        code = self.plugins[entry.plugin].code
        if code is None:
            return []
        return code_files(code) if code.is_dir() else [code]

    def distribution_of(self, entry: Entry) -> str:
        """Return the distribution that an entry came with; nothing for a single-file plugin."""
        return self.plugins[entry.plugin].distribution


def _code_of(module: ModuleType) -> Path | None:
    """Return the folder of a module's top-level package, or its file; None for the core, whose code always counts."""
    top = sys.modules.get(module.__name__.partition(".")[0], module)
    if top.__name__ == hookspecs.PROJECT or not top.__file__:
        return None
    return Path(top.__file__).parent if hasattr(top, "__path__") else Path(top.__file__)


def _collector(kind: Kind, plugin: str, found: list[Entry]) -> hookspecs.Register:
    def register(name: str, target: str | Callable[..., Any], *, summary: str, gate: str = "") -> None:
        if not (isinstance(target, str) or callable(target)):
            raise InputError(f"plugin {plugin!r}: the target of {kind[:-1]} {name!r} is a {type(target).__name__}")
        if gate not in GATES:
            raise InputError(f"plugin {plugin!r}: the gate of {name!r} is {gate!r}, not one of {', '.join(GATES[1:])}")
        found.append(Entry(kind, name, target, summary, plugin, gate))

    return register
