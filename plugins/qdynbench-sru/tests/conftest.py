"""A trained solver that several tests share."""

from __future__ import annotations

import pytest
from qdynbench_sru.solver import SimpleRecurrentUnit

from .helpers import exact_data, fit


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> SimpleRecurrentUnit:
    """A solver with the padded encoder, trained on 2 spins with room for 3. Not to be trained any further."""
    data = exact_data(sizes=(2,), count=30)
    return fit(tmp_path_factory.mktemp("little"), data, encoder="padded", largest=3, effort=0.2)
