from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qdynbench.contract.spec import SolverSpec, Value
from qdynbench.errors import InputError

values = st.one_of(
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.from_regex(r"\A[a-z_]{1,8}\Z").filter(lambda word: word not in {"true", "false", "inf", "nan", "infinity"}),
)


@example({"a": -0.0})
@given(st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9_]{0,6}\Z"), values, max_size=4))
def test_what_is_written_is_read_back(parameters: dict[str, Value]) -> None:
    spec = SolverSpec("chebyshev", parameters)
    assert SolverSpec.parse(str(spec)) == spec
    assert str(SolverSpec.parse(str(spec))) == str(spec)


def test_equal_solvers_have_equal_hashes() -> None:
    assert len({SolverSpec("ode", {"a": value}) for value in (0, 0.0, -0.0)}) == 1


def test_spelling_does_not_matter() -> None:
    assert str(SolverSpec.parse(" ed [ b = 2 , a=1e-10 ] ")) == "ed[a=1e-10,b=2]"
    assert str(SolverSpec.parse("ed[]")) == "ed"


@pytest.mark.parametrize("text", ["", "ed[", "ed]", "ed[mode]", "ed[=1]", "ed[a=1,a=2]", "e d", "ed[a=1][b=2]", "9x"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        SolverSpec.parse(text)
