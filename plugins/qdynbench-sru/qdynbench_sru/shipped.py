"""The weights that ship with the package: folders, each with the manifest that says what they were made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from qdynbench import InputError, Solver, SolverSpec, build, read_manifest, suggestion

S = TypeVar("S", bound=Solver)

SHIPPED = Path(__file__).parent / "weights"


def names() -> list[str]:
    """Return the names of all folders of weights."""
    found = SHIPPED.iterdir() if SHIPPED.is_dir() else ()
    return sorted(path.name for path in found if path.is_dir() and path.suffix not in {".partial", ".old"})


def named(name: str, encoder: str) -> Path:
    """Return the folder of weights that `start=name` means: a shipped one, or else an absolute path.

    Raises:
        InputError: there is neither.
    """
    shipped = f"paper-{encoder}" if name == "paper" else name
    # A name is never used as a path below the package: only what is really listed there counts.
    if shipped in names():
        return SHIPPED / shipped
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    raise InputError(
        f"start={name}: there is no such folder (a path has to be absolute), and no weights of that name ship with sru"
        + suggestion(shipped, names())
    )


def made_by(solver: S, identity: Callable[[S], object]) -> list[Path]:
    """Return the folders of weights that a solver with these very parameters was trained to.

    Args:
        solver: asks for them.
        identity: of a solver; equal for those that are trained to the same weights.
    """
    folders = []
    for name in names():
        text = (read_manifest(SHIPPED / name) or {}).get("solver", "")
        try:
            maker = cast(S, build(type(solver), "sru", SolverSpec.parse(text).parameters))
        except InputError:
            continue  # of a version with other parameters, or not finished
        if identity(maker) == identity(solver):
            folders.append(SHIPPED / name)
    return folders
