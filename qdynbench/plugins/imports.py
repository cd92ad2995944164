"""The modules that code imports from outside the installed distributions, found without running anything."""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    PathFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType

from qdynbench.files import opened
from qdynbench.plugins.distributions import hash_files

INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed distributions, which have versions."""
LOADED = {".py", ".so", ".pyd"}
"""Suffixes of the files of modules."""
LARGEST = 10_000_000
"""Bytes of a plugin file."""


def contents_of(file: Path) -> str:
    """Return a hash of a plugin file and of all that it imports, see `imported`; raises OSError or ValueError."""
    with opened(file.parent, file.name, LARGEST):
        return hash_files([file, *imported([file])])


class Source(SourceFileLoader):
    """Loads a module from its source alone: what is compiled beside it may be of anything."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


@functools.cache
def from_source(folder: Path) -> None:
    """Have all that is imported from a folder of plugin files loaded from its source."""

    def finder(place: str) -> FileFinder:
        path = Path(place)
        if not (path.is_relative_to(folder) and path.is_dir()) or INSTALLED & set(path.parts):
            raise ImportError
        return FileFinder(place, (ExtensionFileLoader, EXTENSION_SUFFIXES), (Source, SOURCE_SUFFIXES))

    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.pop(str(folder), None)


def imported(files: Iterable[Path]) -> list[Path]:
    """Return the files of all modules that `files` import, directly or not, from outside the installed distributions.

    Import statements count wherever they stand, also within functions; of a package every module counts. A module that
    is imported by a computed name is not found.
    """
    own = {file.resolve() for file in files}
    found, names, waiting = set(own), set[str](), list(own)
    while waiting:
        file = waiting.pop()
        for name in _names(file, file.stat().st_mtime_ns) - names:
            names.add(name)
            new = set(_modules(name, file.parent)) - found
            found |= new
            waiting += new
    return sorted(found - own)


@functools.lru_cache(maxsize=4096)
def _names(file: Path, _: int) -> frozenset[str]:
    """Return the top-level names that a file imports; it is read again when its time of change is another one."""
    if file.suffix != ".py":
        return frozenset()
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (SyntaxError, ValueError):  # a file that cannot be imported either
        return frozenset()
    absolute = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level and node.module]
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return frozenset(name.partition(".")[0] for name in absolute + plain) - {"qdynbench"}


def _modules(name: str, beside: Path) -> Iterator[Path]:
    """Yield the files of a module or package, found as a worker finds it or beside a file, unless it is installed."""
    if name in sys.stdlib_module_names and PathFinder.find_spec(name, [str(beside)]) is None:
        return
    spec = PathFinder.find_spec(name, [str(beside), *sys.path])
    if spec is None:
        try:
            spec = importlib.util.find_spec(name)  # a package that was installed from its folder may have a finder
        except (ImportError, ValueError):
            return
    if spec is None:
        return
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    # Of what is installed not even the names are read: torch alone has ten thousand files.
    own = [folder for folder in folders if not INSTALLED & set(folder.parts)]
    files = [path for folder in own for path in folder.rglob("*") if path.suffix in LOADED]
    if not folders and spec.origin is not None:
        files = [Path(spec.origin)]
    yield from (path.resolve() for path in files if path.is_file() and not INSTALLED & set(path.parts))
