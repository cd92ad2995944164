"""Find plugins and their entries; the targets of entries are imported only when they are used."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

import pluggy

from qdynbench.contract import hookspecs
from qdynbench.errors import InputError, suggestion
from qdynbench.files import opened
from qdynbench.plugins.distributions import code_files
from qdynbench.plugins.imports import LARGEST, Source, contents_of, from_source, imported
from qdynbench.text import alternatives

Kind = Literal["solvers", "models", "ensembles", "metrics", "figures", "tasks", "commands"]
KINDS: tuple[Kind, ...] = get_args(Kind)
YARDSTICKS = ("always", "learned")
FAULTS = (Exception, SystemExit)
"""What the code of a plugin may raise without ending this process."""
SLOW = 10.0
"""Seconds of an import after which the user is told what is waited for."""


@dataclass(frozen=True)
class Entry:
    """One registered name.

    Attributes:
        kind, name, summary: the kind of thing, its name, and one line for listings.
        target: "package.module:Class", or the class itself (single-file plugins).
        plugin: the plugin that registered it.
        gate: when a solver runs as a yardstick, see `qdynbench.contract.hookspecs.Register`; empty for others.
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
            InputError: the import fails; the message contains the traceback.
        """
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            with _importing(f"{self.kind[:-1]} {self.name!r} of plugin {self.plugin!r}"):
                return getattr(importlib.import_module(module), attribute)
        except FAULTS as error:
            raise InputError(
                f"{self.kind[:-1]} {self.name!r} of plugin {self.plugin!r} cannot be imported from {self.target!r}: "
                f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
            ) from error


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found, intact or broken.

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
    """All plugins with their entries.

    Attributes:
        contents: hashes of the single-file plugins, with all that they import, as they were when they were loaded.
    """

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.plugins: dict[str, Plugin] = {}
        self.entries: dict[Kind, dict[str, Entry]] = {kind: {} for kind in KINDS}
        self.contents: dict[Path, str] = {}
        self._files: list[Path] = []

    @classmethod
    def discover(cls, files: Iterable[str | Path] = (), only: Collection[str] | None = None) -> Registry:
        """Load every installed plugin, or beside the core's `only` those of some names, and the single-file plugins.

        Of a folder in `files`, all single-file plugins are loaded.

        Raises:
            InputError: one of `files` cannot be loaded. Broken installed plugins are only recorded in `plugins`.
        """
        registry = cls()
        points = importlib.metadata.entry_points(group=hookspecs.PROJECT)
        # The entries of the core come first, so that the error about a name used twice blames the plugin.
        for point in sorted(points, key=lambda point: (point.name != "builtin", point.name)):
            if only is not None and point.name not in {"builtin", *only}:
                continue
            version, distribution = (point.dist.version, point.dist.name) if point.dist else ("", "")
            try:
                with _importing(f"plugin {point.name!r}"):
                    registry.add(point.name, point.load(), version=version, distribution=distribution)
            except FAULTS as error:
                problem = f"{type(error).__name__}: {error}"
                registry.plugins[point.name] = Plugin(point.name, version, problem, traceback.format_exc())
        for file in plugin_files(files):
            registry.add_file(file)
        return registry

    @property
    def files(self) -> tuple[Path, ...]:
        """The single-file plugins, which worker processes load as well."""
        return tuple(self._files)

    def add(self, name: str, module: ModuleType, *, version: str = "", distribution: str = "") -> None:
        """Register a plugin module with all entries of its hooks, or none of them if there is an error.

        Raises:
            InputError: the API version is another one, or a name is already taken.
            pluggy.PluginValidationError: a hook has unknown arguments.
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
            own: dict[tuple[Kind, str], Entry] = {}
            for entry in found:
                taken = self.entries[entry.kind].get(entry.name) or own.get((entry.kind, entry.name))
                if taken is not None:
                    raise InputError(
                        f"plugin {name!r} registers {entry.kind[:-1]} {entry.name!r}, which plugin "
                        f"{taken.plugin!r} has already registered"
                    )
                own[entry.kind, entry.name] = entry
        except FAULTS:
            self.manager.unregister(name=name)
            raise
        for entry in found:
            self.entries[entry.kind][entry.name] = entry
        self.plugins[name] = Plugin(name, version, code=_code_of(module), distribution=distribution)

    def add_file(self, path: Path) -> None:
        """Load a single-file plugin, which may import modules that lie beside it.

        Raises:
            InputError: the file does not exist or fails to load; the message contains the traceback.
        """
        path = path.expanduser().resolve()
        if not os.path.isfile(path):
            raise InputError(f"plugin file {str(path)!r} does not exist")
        name = f"qdynbench_file_{path.stem}".replace("-", "_")
        spec = importlib.util.spec_from_file_location(name, path, loader=Source(name, str(path)))
        if spec is None or spec.loader is None or path.suffix != ".py":
            raise InputError(f"plugin file {str(path)!r} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        from_source(path.parent)
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # at the end: nothing beside it takes the place of an installed package
        try:
            self.contents[path] = contents_of(path)
            with _importing(f"plugin file {str(path)!r}"):
                spec.loader.exec_module(module)
                self.add(str(path), module)
        except InputError:
            raise
        except FAULTS as error:
            trace = "".join(traceback.format_exception(error, limit=-3))
            raise InputError(
                f"plugin file {str(path)!r} fails to load: {type(error).__name__}: {error}\n{trace}"
            ) from error
        self.plugins[str(path)] = Plugin(str(path), code=path)
        self._files.append(path)

    def find(self, kind: Kind, name: str) -> Entry:
        """Return the entry of a name.

        Raises:
            InputError: the name is unknown; the message contains the nearest name and the broken plugins.
        """
        return self.find_among((kind,), name)

    def find_among(self, kinds: Sequence[Kind], name: str) -> Entry:
        """Return the entry of a name in the first of these tables that has it; errors as in `find`."""
        for kind in kinds:
            if name in self.entries[kind]:
                return self.entries[kind][name]
        valid = [other for kind in kinds for other in self.entries[kind]]
        message = f"unknown {alternatives(kind[:-1] for kind in kinds)} {name!r}{suggestion(name, valid)}"
        for plugin in self.plugins.values():
            if plugin.problem:
                message += f"\nplugin {plugin.name!r} could not be loaded: {plugin.problem}"
                if plugin.name == name or name in plugin.name.split("-"):
                    message += f"\n{plugin.details}"
        raise InputError(message)

    def load(self, kind: Kind, name: str) -> Any:
        """Import the target of a name."""
        return self.find(kind, name).load()

    def code_of(self, entry: Entry) -> list[Path]:
        """Return the files whose content decides what the entry does.

        These are its package's code and data, or its one file, and all modules that these import from elsewhere but
        from installed distributions, which have versions.
        """
        code = self.plugins[entry.plugin].code
        if code is None:
            return []
        own = code_files(code) if code.is_dir() else [code]
        return [*own, *imported(own)]

    def distribution_of(self, entry: Entry) -> str:
        """Return the distribution that an entry came with; nothing for a single-file plugin."""
        return self.plugins[entry.plugin].distribution


def plugin_files(named: Iterable[str | Path]) -> list[Path]:
    """Return single-file plugins, each once; of a folder, all its files that name `hookimpl`.

    Links in a folder are not followed.

    Raises:
        InputError: a folder without any.
    """
    places = [Path(place).expanduser().resolve() for place in named]
    return list(dict.fromkeys(file for place in places for file in _members(place)))


def _members(path: Path) -> list[Path]:
    if not os.path.isdir(path):
        return [path]
    found = []
    for file in sorted(path.glob("*.py")):
        with contextlib.suppress(OSError), opened(path, file.name, LARGEST) as stream:
            found += [file] if b"hookimpl" in stream.read() else []
    if not found:
        raise InputError(f"no Python file in the folder {str(path)!r} registers anything with hookimpl")
    return found


@contextmanager
def _importing(what: str) -> Iterator[None]:
    """Import a plugin: this process stays in its folder, and the user is told what is waited for if it takes long."""
    patience = threading.Timer(SLOW, sys.stderr.write, [f"still importing {what} after {SLOW:g} s; Ctrl-C ends it\n"])
    patience.daemon = True
    patience.start()
    try:
        with contextlib.chdir(os.curdir):
            yield
    finally:
        patience.cancel()


def _code_of(module: ModuleType) -> Path | None:
    """Return the folder of a module's top-level package, or its file; None for the core, whose code always counts."""
    top = sys.modules.get(module.__name__.partition(".")[0], module)
    if top.__name__ == hookspecs.PROJECT or not top.__file__:
        return None
    return Path(top.__file__).parent if hasattr(top, "__path__") else Path(top.__file__)


def _collector(kind: Kind, plugin: str, found: list[Entry]) -> hookspecs.Register:
    def register(name: str, target: str | Callable[..., Any], *, summary: str, gate: str = "") -> None:
        if not (isinstance(name, str) and isinstance(summary, str)):
            raise InputError(f"plugin {plugin!r}: name and summary of {kind[:-1]} {name!r} have to be texts")
        if not (isinstance(target, str) or callable(target)):
            raise InputError(f"plugin {plugin!r}: the target of {kind[:-1]} {name!r} is a {type(target).__name__}")
        if gate and gate not in YARDSTICKS:
            raise InputError(f"plugin {plugin!r}: the gate of {name!r} is {gate!r}, not one of {', '.join(YARDSTICKS)}")
        found.append(Entry(kind, name, target, summary, plugin, gate))

    return register
