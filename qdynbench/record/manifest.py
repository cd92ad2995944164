"""The manifest beside learned weights: their training data, their cost, and the weights they were built upon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qdynbench.errors import InputError
from qdynbench.files import read, synced, written_whole
from qdynbench.plugins.distributions import hash_files
from qdynbench.record import provenance
from qdynbench.record.schema import ManifestRecord, thinned

MANIFEST = "manifest.json"
HASH = "weights"
"""Key of the hash of the weights."""


LARGEST = 8_000_000
"""Bytes of a manifest."""


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder of weights, or None if there is no readable one."""
    try:
        known = ManifestRecord.model_validate_json(read(folder, MANIFEST, LARGEST))
    except (OSError, ValueError):
        return None
    return known.model_dump(mode="json", exclude_unset=True)


def weights_of(folder: Path) -> str:
    """Return a hash of the weights in a folder, which does not depend on where and when they were made."""
    return hash_files(sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST))


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a folder of weights, with a hash of these, and have all of it on the disk."""
    content = json.dumps({**manifest, HASH: weights_of(folder)}, indent=1)
    with written_whole(folder / MANIFEST) as stream:
        stream.write(content.encode())
    synced(folder)


def check_weights(folder: Path, manifest: dict[str, Any]) -> str:
    """Hold the weights in a folder to the hash in their manifest, if there is one, and return theirs.

    Raises:
        InputError: they cannot be read, or are others, so that nothing in the manifest belongs to them.
    """
    try:
        found = weights_of(folder)
    except (OSError, ValueError) as error:
        raise InputError(f"the weights in {str(folder)!r} cannot be read: {error}") from error
    if manifest.get(HASH, found) != found:
        raise InputError(
            f"the weights in {str(folder)!r} are not those of their {MANIFEST}: it has the hash {manifest[HASH]}, they "
            f"have {found}. They were changed or damaged; install or copy them again, or train anew with --refit"
        )
    return found


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
        solver: the solver with its parameters, as text.
        training: everything on which the training data depends.
        data_time: seconds for the training data of this fit.
        fit_time: seconds of this fit.
        curve: learning curve.
        foundation: weights from which the fit started, as `foundation_of` describes them; their cost is added.
        notes: remarks of the fit.
        where: "threads", "device" and further circumstances of the fit.
    """
    before = {"data_time": 0.0, "fit_time": 0.0} if foundation is None else foundation
    return {
        "solver": solver,
        "training": training,
        "data_time": before["data_time"] + data_time,
        "fit_time": before["fit_time"] + fit_time,
        "built_upon": foundation,
        "notes": notes,
        "curve": thinned(curve),
        "made": {
            "date": provenance.now(),
            "hardware": provenance.hardware(),
            "versions": provenance.versions(),
            "commit": provenance.commit(),
            **where,
        },
    }


def costs_of(manifest: dict[str, Any]) -> dict[str, float]:
    """Return the seconds that weights had cost, by their names in the manifest; raises KeyError or ValueError."""
    return {name: float(manifest[name]) for name in ("data_time", "fit_time")}


def foundation_of(folder: Path) -> dict[str, Any]:
    """Return a description of weights from which a fit starts: their cost, training data and a hash of the files.

    Raises:
        InputError: their manifest is missing or does not contain their cost, which would then be hidden.
    """
    manifest = read_manifest(folder) or {}
    try:
        costs = costs_of(manifest)
        known = {"solver": str(manifest["solver"]), "training": dict(manifest["training"])}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the weights in {str(folder)!r} have no {MANIFEST} that says what they had cost; a fit that builds upon "
            "them would hide that cost"
        ) from error
    # Only name and hash: a manifest that is passed on with the weights must not contain paths of this machine.
    return {"name": folder.resolve().name, "weights": check_weights(folder, manifest), **known, **costs}
