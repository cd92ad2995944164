"""The manifest beside learned weights: what they were trained on, what they had cost, and what they were built upon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qdynbench.errors import InputError
from qdynbench.plugins.distributions import hash_files
from qdynbench.record import provenance

MANIFEST = "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder of weights, or None when there is none that can be read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a folder of weights."""
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))


def manifest_of(
    solver: str,
    training: dict[str, Any],
    *,
    data_time: float,
    fit_time: float,
    curve: list[dict[str, float]],
    foundation: dict[str, Any] | None,
    notes: list[str],
    where: dict[str, Any],
) -> dict[str, Any]:
    """Return the manifest of a finished fit.

    Args:
        solver: with its parameters, as text.
        training: all that the training data depends on.
        data_time: seconds that the making of the data has taken for this fit.
        fit_time: seconds that this fit has taken itself.
        curve: learning curve.
        foundation: weights that it started from, as `foundation_of` describes them; their cost is added.
        notes: what the fit had to say.
        where: "threads", "device" and what else there is to say about how it ran.
    """
    before = {"data_time": 0.0, "fit_time": 0.0} if foundation is None else foundation
    return {
        "solver": solver,
        "training": training,
        "data_time": before["data_time"] + data_time,
        "fit_time": before["fit_time"] + fit_time,
        "built_upon": foundation,
        "notes": notes,
        "curve": curve,
        "made": {
            "date": provenance.now(),
            "hardware": provenance.hardware(),
            "versions": provenance.versions(),
            "commit": provenance.commit(),
            **where,
        },
    }


def foundation_of(folder: Path) -> dict[str, Any]:
    """Return what is to be known of weights that a fit starts from: their cost, data and a hash of their files.

    Raises:
        InputError: their manifest is missing or does not tell their cost, which would then be hidden.
    """
    manifest = read_manifest(folder) or {}
    try:
        costs = {name: float(manifest[name]) for name in ("data_time", "fit_time")}
        known = {"solver": str(manifest["solver"]), "training": dict(manifest["training"])}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the weights in {str(folder)!r} have no {MANIFEST} that says what they had cost; a fit that builds upon "
            "them would hide that cost"
        ) from error
    files = sorted(path for path in folder.iterdir() if path.is_file())
    # By name and hash: a manifest that travels with weights says nothing of the machine's folders.
    return {"name": folder.resolve().name, "weights": hash_files(files), **known, **costs}
