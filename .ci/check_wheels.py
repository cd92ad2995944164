"""Check that wheels hold all files of their packages, and nothing else: `check_wheels.py FOLDER`."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ELSEWHERE = {"tasks": "qdynbench/_tasks"}
"""Folders that lie elsewhere in the wheel."""


def main(folder: str) -> int:
    """Print what is missing from the wheels in a folder or too much in them, and return how much that is."""
    tracked = subprocess.check_output(["git", "ls-files"], text=True).splitlines()  # noqa: S607 - whichever is there
    wrong = 0
    for wheel in sorted(Path(folder).glob("*.whl")):
        package = wheel.name.partition("-")[0]
        there = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
        wanted = {_in_wheel(path, package) for path in tracked} - {""}
        for what, names in (("lacks", wanted - there), ("has", there - wanted)):
            wrong += len(names)
            for name in sorted(names):
                print(f"{wheel.name} {what} {name}")
        if not wanted:
            print(f"{wheel.name} is of no package here")
            wrong += 1
    return wrong


def _in_wheel(path: str, package: str) -> str:
    """Return where a file of the checkout lies in the wheel of a package, or nothing."""
    first, _, rest = path.partition("/")
    if package == "qdynbench":
        return path if first == package else f"{ELSEWHERE[first]}/{rest}" if first in ELSEWHERE else ""
    _, _, inside = rest.partition("/")
    return inside if first in {"kernels", "plugins"} and inside.startswith(f"{package}/") else ""


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1])))
