"""qdynbench: accuracy against real cost for solvers of quantum spin dynamics.

All that is public stands in `__init__.pyi` beside this file, in `qdynbench.toolkit` for authors of solvers, and in
`qdynbench.testing`; the rest may change without notice.

>>> import qdynbench
>>> run = qdynbench.run("tasks/ising_mixed.yaml")      # doctest: +SKIP
>>> print(qdynbench.compare(run, "sru", "ed"))         # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_STUB = Path(__file__).with_suffix(".pyi")
_HOME = {name: home for home, name in re.findall(r"^from (\S+) import (\w+) as", _STUB.read_text(), re.MULTILINE)}

__all__ = sorted(_HOME)  # noqa: PLE0605 - type checkers read the stub


def __dir__() -> list[str]:
    return [*__all__, "__version__", "testing", "toolkit"]


def __getattr__(name: str) -> Any:
    # Read when asked for, so that `import qdynbench` costs nothing and the command line starts fast.
    if name not in _HOME:
        raise AttributeError(f"module 'qdynbench' has no attribute {name!r}")
    home = importlib.import_module(_HOME[name])
    return getattr(home, name, None) or importlib.import_module(f"{_HOME[name]}.{name}")
