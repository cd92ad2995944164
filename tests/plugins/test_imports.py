"""The modules that a plugin imports from outside the installed distributions, found without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from qdynbench.plugins.imports import imported
from qdynbench.plugins.registry import Registry


def test_imports_are_followed_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    files = {
        "qdtest_start.py": "import numpy, math, qdynbench, qdtest_absent\ndef late():\n    from qdtest_one import x\n",
        "qdtest_one.py": "import qdtest_package.inner as inner, qdtest_start\n",
        "qdtest_two.py": "",
        "qdtest_package/__init__.py": "",
        "qdtest_package/inner.py": "from . import other\n",
        "qdtest_package/other.py": "if False:\n    import qdtest_broken\n",
        "qdtest_package/data.json": "{}",
        "qdtest_broken.py": "def (:",
        "site-packages/qdtest_installed.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    (tmp_path / "qdtest_package" / "inner.py").write_text("import qdtest_installed\n")
    found = [str(path.relative_to(tmp_path)) for path in imported([tmp_path / "qdtest_start.py"])]
    package = [f"qdtest_package/{name}.py" for name in ("__init__", "inner", "other")]
    assert found == ["qdtest_broken.py", "qdtest_one.py", *package]


def test_what_is_installed_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "qdtest_heavy.py").write_text("import torch, numpy, scipy.sparse")
    monkeypatch.setattr(Path, "rglob", lambda folder, _: pytest.fail(f"{folder} has thousands of files"))
    assert imported([tmp_path / "qdtest_heavy.py"]) == []


def test_a_module_in_the_working_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "qdtest_here.py").write_text("")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "plugin.py").write_text("import qdtest_here\n")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])  # as in a worker
    assert imported([tmp_path / "elsewhere" / "plugin.py"]) == []


def test_a_single_file_imports_its_neighbour_and_may_be_named_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "qdtest_beside.py").write_text("x = 1\n")
    (tmp_path / "mine.py").write_text("import qdtest_beside\n")
    assert Registry.discover(["mine.py", tmp_path / "mine.py"]).files == (tmp_path / "mine.py",)


def test_a_module_that_only_other_systems_have_counts_where_it_lies_beside(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text("try:\n    import msvcrt\nexcept ImportError:\n    pass\nimport json\n")
    assert imported([plugin]) == []
    (tmp_path / "msvcrt.py").write_text("")
    assert imported([plugin]) == [(tmp_path / "msvcrt.py").resolve()]
