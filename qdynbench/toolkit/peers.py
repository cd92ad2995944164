"""Peers: other people's packages that a plugin runs but does not require, so that the plugin installs light.

A solver of such a plugin is importable without its peer, imports it only where it is used, and begins `supports` with

    return missing("qutip>=5.1,<6", install='pip install "qdynbench-qutip[peer]"')

so that its row is `unsupported`, with the line that mends it.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata

from packaging.requirements import Requirement


@cache
def missing(requirement: str, install: str) -> str | None:
    """Say what is wrong with an installed peer, from its metadata alone; nothing is imported.

    Args:
        requirement: name and range of versions as in `pyproject.toml`, such as `qutip>=5.1,<6`.
        install: the command that installs it.

    Returns:
        None where a version inside the range is installed; otherwise what there is and `install`.

    Raises:
        packaging.requirements.InvalidRequirement: `requirement` cannot be read.
    """
    peer = Requirement(requirement)
    # As a set the range has no order of its own: lower bounds are read first.
    wanted = ",".join(sorted(map(str, peer.specifier), reverse=True))
    try:
        version = metadata.version(peer.name)
    except metadata.PackageNotFoundError:
        return f"needs {peer.name} {wanted}".rstrip() + f": {install}"
    if peer.specifier.contains(version, prereleases=True):
        return None
    return f"{peer.name} {version} is installed, needs {wanted}: {install}"
