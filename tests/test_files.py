"""Files are written whole or not at all, and their names are safe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qdynbench.contract.spec import SolverSpec
from qdynbench.files import file_name, written_whole
from qdynbench.record.manifest import write_manifest


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_takes_its_place_only_when_all_is_written(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "run.json"
    with written_whole(path, sync=sync) as stream:
        stream.write(b"first")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    with written_whole(path, sync=sync) as stream:
        stream.write(b"second")
        stream.flush()
        assert path.read_bytes() == b"first"
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "curves.npz"
    for before in (None, b"before"):
        if before is not None:
            path.write_bytes(before)

        def fail() -> None:
            with written_whole(path) as stream:
                stream.write(b"half of")
                raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space left"):
            fail()
        assert (path.read_bytes() if path.exists() else None) == before
    with written_whole(path) as stream:  # what the failure left beside it is in nobody's way
        stream.write(b"after")
    assert path.read_bytes() == b"after"


def test_weights_are_on_the_disk_before_they_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A power cut left a manifest beside files without contents.
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "layer.safetensors").write_bytes(b"weights")
    synced = set[str]()
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.add(os.readlink(f"/proc/self/fd/{descriptor}")))
    write_manifest(tmp_path, {})
    assert synced == {str(path) for path in (tmp_path, *tmp_path.rglob("*"))}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ed", "ed"),
        (str(SolverSpec.parse("ed[mode=per_state]")), "ed_mode=per_state"),
        (str(SolverSpec.parse("chebyshev[tolerance=1e-10]")), "chebyshev_tolerance=1e-10"),
        (str(SolverSpec.parse("quimb-tebd[chi=8,order=2]")), "quimb-tebd_chi=8_order=2"),
        ("sru[base=../../etc/passwd]", "sru_base=.._.._etc_passwd"),
        ("a\n\x1b[31mb", "a_31mb"),
    ],
)
def test_a_name_is_one_part_of_a_path(text: str, name: str) -> None:
    assert file_name(text) == name
    assert (Path("runs") / file_name(text)).parent == Path("runs")
