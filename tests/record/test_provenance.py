"""What a run says of its circumstances, and the hash of the core's code."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path

import pytest

from qdynbench.record import provenance

PACKAGE = Path(provenance.__file__).parents[1]


def changed(tree: Path, file: str) -> str:
    """Return the hash of a copy of the core in which a line was added to a file."""
    with (tree / file).open("a") as stream:
        stream.write("\n# changed\n")
    return provenance.core_code.__wrapped__()


def test_code_anywhere_in_the_core_counts_but_what_only_shows_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "qdynbench"
    shutil.copytree(PACKAGE, tree, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "__file__", str(tree / "record" / "provenance.py"))
    hashes = [provenance.core_code.__wrapped__()]
    assert hashes[0] == provenance.core_code()
    folders = {folder.name for folder in tree.iterdir() if folder.is_dir()}
    counted = folders - set(provenance.PRESENTATION)
    assert {"toolkit", "physics", "contract", "workers", "scoring", "task", "plugins", "record"} <= counted
    hashes += [changed(tree, f"{folder}/__init__.py") for folder in counted] + [changed(tree, "stats.py")]
    assert len(set(hashes)) == len(hashes)
    for folder in provenance.PRESENTATION:
        assert changed(tree, f"{folder}/__init__.py") == hashes[-1]


def test_versions_are_those_of_all_that_a_run_stands_on() -> None:
    alone, with_plugin = provenance.versions(), provenance.versions(["qdynbench-exact"])
    assert next(iter(alone)) == "python"
    assert alone["torch"] == metadata.version("torch")
    assert "quspin" not in alone
    assert with_plugin["quspin"] == metadata.version("quspin")
    assert with_plugin["qdynbench-exact"].startswith(metadata.version("qdynbench-exact"))
    assert alone.items() <= with_plugin.items()


def test_provenance_is_plain_data() -> None:
    found = provenance.provenance([], threads=2, device="cpu", memory=10**9)
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"started", "hardware", "versions", "commit", "threads", "device", "memory_limit"}
    assert set(found["hardware"]) == {"processor", "cores", "memory", "system"}


def test_a_fingerprint_depends_on_content_and_not_on_order() -> None:
    assert provenance.fingerprint({"a": 1, "b": [2.0]}) == provenance.fingerprint({"b": [2.0], "a": 1})
    assert provenance.fingerprint({"a": 1, "b": [2.0]}) != provenance.fingerprint({"a": 1, "b": [2.5]})
