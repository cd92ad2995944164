"""What is said of absent, too old and fitting packages, on distributions that are really installed."""

import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import InvalidRequirement

from qdynbench.toolkit.peers import missing

INSTALL = 'pip install "qdynbench-peer[peer]"'
HERE = metadata.version("scipy")


def test_an_absent_package_is_named_with_its_range_and_the_install_line() -> None:
    reason = missing("no-such-peer-of-qdynbench >= 5.1, < 6", INSTALL)
    assert reason == f"needs no-such-peer-of-qdynbench >=5.1,<6: {INSTALL}"
    assert missing("no-such-peer-of-qdynbench", INSTALL) == f"needs no-such-peer-of-qdynbench: {INSTALL}"


@pytest.mark.parametrize("wanted", ["<1", ">=9000", ">=1,<1.1"])
def test_a_version_outside_the_range_is_named(wanted: str) -> None:
    assert missing(f"scipy{wanted}", INSTALL) == f"scipy {HERE} is installed, needs {wanted}: {INSTALL}"


@pytest.mark.parametrize("wanted", [">=1.15", f"=={HERE}", ""])
def test_a_version_inside_the_range_is_no_obstacle(wanted: str) -> None:
    assert missing(f"scipy{wanted}", INSTALL) is None


def test_a_version_before_the_release_counts_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "early_peer_of_qdynbench-5.2.0rc1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: early-peer-of-qdynbench\nVersion: 5.2.0rc1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert missing("early-peer-of-qdynbench>=5.1,<6", INSTALL) is None
    assert "5.2.0rc1 is installed" in (missing("early-peer-of-qdynbench>=5.2", INSTALL) or "")


def test_a_requirement_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidRequirement):
        missing("scipy >>> 1", INSTALL)
