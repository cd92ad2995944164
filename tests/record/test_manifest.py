"""The manifest of a folder of weights, and the hash that holds them to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qdynbench.errors import InputError
from qdynbench.record.manifest import check_weights


def test_weights_that_are_mostly_holes_are_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "weights.npz").touch()
    os.truncate(tmp_path / "weights.npz", 30_000_000_000)
    with pytest.raises(InputError, match=r"cannot be read: .* takes the files to 30 GB"):
        check_weights(tmp_path, {})
