"""What `qdynbench calibrate` found on this machine last, for the provenance of later runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import platformdirs

from qdynbench.files import written_whole
from qdynbench.record import provenance


def _file() -> Path:
    return platformdirs.user_cache_path("qdynbench") / "calibration.json"


def keep(found: dict[str, Any]) -> None:
    """Keep a result, with the date and the machine."""
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {"date": provenance.now(), "hardware": provenance.hardware(), **found}
    with written_whole(path) as stream:
        stream.write(json.dumps(kept).encode())


def kept() -> dict[str, Any] | None:
    """Return the last result on this machine, or None."""
    try:
        found: dict[str, Any] = json.loads(_file().read_text())
    except (OSError, ValueError):
        return None
    return found if found.get("hardware") == provenance.hardware() else None
