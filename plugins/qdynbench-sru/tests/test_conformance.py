"""The conformance kit: the shipped weights, and a fit of each encoder."""

from __future__ import annotations

from typing import ClassVar

from qdynbench_sru.solver import SimpleRecurrentUnit

from qdynbench.testing import ConformanceTests


class TestShipped(ConformanceTests):
    solver = SimpleRecurrentUnit
    skips: ClassVar = ConformanceTests.skips | {"fit_repeats"}  # nothing is fitted


class TestLocal(ConformanceTests):
    solver = SimpleRecurrentUnit
    overrides: ClassVar = {"effort": 0.1}


class TestPadded(ConformanceTests):
    solver = SimpleRecurrentUnit
    overrides: ClassVar = {"encoder": "padded", "effort": 0.2}
