"""The conformance kit as a pytest class: one test per check that applies."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from qdynbench.testing import oracles
from qdynbench.testing.kit import CHECKS, perform
from qdynbench.testing.subject import Subject

if TYPE_CHECKING:
    from qdynbench.contract.solver import Solver
    from qdynbench.testing.check import Check


class ConformanceTests:
    """Derive a class named `Test...` from this one and set `solver`.

    Class attributes:
        solver: the solver class.
        parameters: its parameters.
        overrides: parameters for these tests alone, on top of the others, such as a shorter training.
        skips: names of the checks that are known to be impossible for this solver, although they apply to its kind;
            such a test fails when the check turns out to be possible. Any other skip shows as a skipped test. Write
            `skips = ConformanceTests.skips | {"..."}` to add one.
        oracles: names of the oracles that a solver which promises no error cannot be held to.
    """

    solver: ClassVar[type[Solver]]
    parameters: ClassVar[Mapping[str, Any]] = {}
    overrides: ClassVar[Mapping[str, Any]] = {}
    skips: ClassVar[Set[str]] = frozenset()
    oracles: ClassVar[Set[str]] = frozenset(
        check.name for check in oracles.CHECKS if check.name != f"oracle_{oracles.xx_neel_40.__name__}"
    )

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test of each check that applies to the solver."""
        if "check" in metafunc.fixturenames:
            applicable = [check for check in CHECKS if check.applies(type(self).solver) is None]
            metafunc.parametrize("check", applicable, ids=[check.name for check in applicable])

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, tmp_path_factory: pytest.TempPathFactory) -> Subject:
        """The solver, fitted once for the class."""
        folder = tmp_path_factory.mktemp("conformance")
        return Subject(cls.solver, {**cls.parameters, **cls.overrides}, cls.solver.__name__, folder)

    def test_conformance(self, check: Check, subject: Subject) -> None:
        """Make the check."""
        result = perform(check, subject)
        assert result.status != "failed", f"{check.name}: {result.detail}"  # noqa: S101 - this is a test
        if check.name in type(self).skips:
            assert result.status == "skipped", f"{check.name} is listed under `skips`, but it ran"  # noqa: S101 - as above
        elif result.status == "skipped":
            pytest.skip(result.detail)
