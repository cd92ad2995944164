"""`ro-crate-metadata.json`: what lies in an archive, for machines, see https://www.researchobject.org/ro-crate/specification/1.1."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

METADATA = "ro-crate-metadata.json"
NO_LICENSE = "No license was stated when this archive was made. Ask its authors."
FORMATS = {
    ".parquet": "application/vnd.apache.parquet",
    ".h5": "application/x-hdf5",
    ".html": "text/html",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".md": "text/markdown",
}


def crate(
    name: str,
    description: str,
    files: Mapping[str, tuple[str, int]],
    *,
    made: Mapping[str, Any],
    version: str,
    license: str = "",  # noqa: A002 - its name in the standard
    authors: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the metadata of an archive as JSON-LD data.

    Args:
        name: of the archive.
        description: of the archive.
        files: what each file is, and its bytes, by name.
        made: provenance of the run.
        version: of qdynbench.
        license: address, identifier or text.
        authors: names.
    """
    people = [{"@id": f"#author-{number}", "@type": "Person", "name": one} for number, one in enumerate(authors, 1)]
    parts = [
        {
            "@id": file,
            "@type": "File",
            "name": file,
            "description": what,
            "encodingFormat": FORMATS[f".{file.rpartition('.')[2]}"],
            "contentSize": str(size),
        }
        for file, (what, size) in files.items()
    ]
    terms = (
        {"@id": license, "@type": "CreativeWork", "name": license, "description": "License of this archive."}
        if license.startswith(("https://", "http://"))
        else license or NO_LICENSE
    )
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": name,
        "description": description,
        "datePublished": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "license": terms if isinstance(terms, str) else _to(terms),
        "hasPart": [_to(part) for part in parts],
        "mentions": {"@id": "#run"},
    } | ({"author": [_to(one) for one in people]} if people else {})
    software = {
        "@id": "#qdynbench",
        "@type": "SoftwareApplication",
        "name": "qdynbench",
        "description": "Accuracy against real cost for solvers of quantum spin dynamics",
        "softwareVersion": str(made.get("versions", {}).get("qdynbench") or version),
    }
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": "The run of the benchmark",
        "instrument": _to(software),
        "object": {"@id": "task.yaml"},
        "result": [_to(part) for part in parts if part["@id"] != "task.yaml"],
    } | {
        term: date
        for term, key in (("startTime", "started"), ("endTime", "finished"))
        if (date := _date(str(made.get(key, ""))))
    }
    about = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": _to(root),
    }
    graph = [about, root, *parts, action, software, *people, *([terms] if isinstance(terms, dict) else [])]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}


def _to(entity: Mapping[str, Any]) -> dict[str, Any]:
    return {"@id": entity["@id"]}


def _date(text: str) -> str:
    """Return a date as it is, or nothing where it is none."""
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return ""
    return text
