"""What a solver says where its peer package is not installed: for the tests of plugins with optional peers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_ASK = """
import importlib, sys
import numpy as np
from qdynbench.contract.problem import Problem
from qdynbench.testing.exercise import uniform_chain

module, _, name = sys.argv[1].partition(":")
solver = getattr(importlib.import_module(module), name)()
print(solver.supports(Problem(3, np.linspace(0, 1, 3), uniform_chain(3))))
"""


def refusal_without(distribution: str, package: str, target: str) -> str:
    """Import a solver in a process that cannot see its peer, and return what `supports` says about a small chain.

    The process searches the same folders, but links stand in for the one that holds the peer, all but the peer's own.

    Args:
        distribution: name of the peer as installed, such as `physics-tenpy`.
        package: name of the peer as imported, such as `tenpy`.
        target: the solver, "package.module:Class".

    Raises:
        RuntimeError: the solver cannot be imported or asked; the message holds the traceback.
    """
    metadata = distribution.replace("-", "_").lower() + "-"
    with tempfile.TemporaryDirectory() as folder:
        search = []
        for number, entry in enumerate(filter(None, sys.path)):
            search.append(entry)
            if not (Path(entry) / package).is_dir():
                continue
            links = Path(folder) / str(number)
            links.mkdir()
            for item in Path(entry).iterdir():
                if item.name != package and not item.name.lower().startswith(metadata):
                    (links / item.name).symlink_to(item)
            search[-1] = str(links)
        answer = subprocess.run(
            [sys.executable, "-S", "-c", _ASK, target],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if answer.returncode != 0:
        raise RuntimeError(answer.stderr)
    return answer.stdout.strip()
