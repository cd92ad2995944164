"""A plugin file that goes wrong while it is imported is refused with its reason, and leaves this process as it was."""

from __future__ import annotations

import os
import py_compile
from pathlib import Path

import pytest

from qdynbench.errors import InputError
from qdynbench.plugins import registry
from qdynbench.plugins.registry import Registry

REGISTERS = """\
from qdynbench import hookimpl

@hookimpl
def register_solvers(register):
    {code}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise SystemExit(3)", "fails to load: SystemExit: 3"),
        (REGISTERS.format(code="raise SystemExit(3)"), "fails to load: SystemExit: 3"),
        (REGISTERS.format(code="register(3, 'a:B', summary='x')"), "name and summary of solver 3 have to be texts"),
        (REGISTERS.format(code="register('x', 'a:B', summary=3)"), "name and summary of solver 'x' have to be texts"),
        (REGISTERS.format(code="[register('x', 'a:B', summary='x') for _ in 'ab']"), "solver 'x', which plugin .* has"),
    ],
)
def test_a_file_that_goes_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(InputError, match=message):
        Registry.discover([tmp_path / "bad.py"])


def test_a_target_that_leaves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "leaving_module.py").write_text("raise SystemExit(3)")
    (tmp_path / "good.py").write_text(REGISTERS.format(code="register('x', 'leaving_module:B', summary='x')"))
    with pytest.raises(InputError, match="cannot be imported from 'leaving_module:B': SystemExit: 3"):
        Registry.discover([tmp_path / "good.py"]).load("solvers", "x")


def test_an_import_that_takes_long_is_named_and_moves_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "SLOW", 0.05)
    (tmp_path / "slow.py").write_text("import os, time\nos.chdir('/')\ntime.sleep(0.3)\n")
    before = os.getcwd()
    Registry.discover([tmp_path / "slow.py"])
    assert os.getcwd() == before
    assert f"still importing plugin file {str(tmp_path / 'slow.py')!r} after 0.05 s" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["compiled_plugin", "compiled_helper"])
def test_what_lies_compiled_beside_a_file_is_not_executed(tmp_path: Path, name: str) -> None:
    (tmp_path / "compiled_plugin.py").write_text("import compiled_helper\n")
    source = tmp_path / f"{name}.py"
    source.write_text("raise SystemExit(3)\n")
    py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    for module in ("compiled_plugin", "compiled_helper"):
        (tmp_path / f"{module}.py").write_text("import compiled_helper\n" if "plugin" in module else "")
    Registry.discover([tmp_path / "compiled_plugin.py"])
