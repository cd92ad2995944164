"""What stands for the code of a plugin: its files, and every distribution that it requires."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from qdynbench.plugins.distributions import code_files, hash_files, required


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Distributions come and go here, which no process sees otherwise."""
    required.cache_clear()
    yield
    required.cache_clear()


def install(site: Path, name: str, version: str, *requires: str, folder: bool = False) -> None:
    """Write the metadata of a distribution; `folder`: it was installed from one, with its package beside it."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines]) + "\n")
    if folder:
        (info / "direct_url.json").write_text(json.dumps({"url": f"file://{site}", "dir_info": {"editable": True}}))


def test_every_requirement_counts_directly_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    peer = 'qdtest-peer>=2; extra == "peer"'
    install(tmp_path, "qdtest-plugin", "1.0", "qdtest_Base", peer, 'qdtest-other; sys_platform == "none"')
    install(tmp_path, "qdtest-base", "3.1", "qdtest-plugin")  # a circle ends
    install(tmp_path, "qdtest-other", "9.9")
    expected = {"qdtest-plugin": "1.0", "qdtest-base": "3.1"}
    assert required("qdtest-plugin") == expected  # what is not installed is no part
    install(tmp_path, "qdtest-peer", "2.5")
    required.cache_clear()
    assert required("qdtest-plugin") == expected | {"qdtest-peer": "2.5"}  # an extra is one where it is installed


def test_of_the_core_a_plugin_has_the_version_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "qdtest-plugin", "1.0", "qdynbench")
    assert set(required("qdtest-plugin")) == {"qdtest-plugin", "qdynbench"}
    assert {"torch", "numpy", "pydantic"} <= set(required("qdynbench"))


@pytest.mark.parametrize("code", ["qdtest_local/inner/code.py", "qdtest_local/weights.safetensors", "qdtest_local.py"])
def test_what_is_installed_from_a_folder_counts_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "qdtest-local", "1.0", folder=True)
    (tmp_path / code).parent.mkdir(parents=True, exist_ok=True)
    if (tmp_path / "qdtest_local").is_dir():
        (tmp_path / "qdtest_local" / "__init__.py").write_text("")
    seen = []
    for content in ("x = 1", "x = 2", "x = 2"):
        (tmp_path / code).write_text(content)
        required.cache_clear()
        seen.append(required("qdtest-local")["qdtest-local"])
    assert all(state.startswith("1.0+") for state in seen)
    assert seen[0] != seen[1] == seen[2]


def test_code_is_what_decides_what_a_package_does(tmp_path: Path) -> None:
    for name in ("a.py", "inner/b.py", "inner/weights.safetensors", "task.yaml", "manifest.json", "README.md", "a.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    files = code_files(tmp_path)
    assert [file.name for file in files] == ["a.py", "b.py", "weights.safetensors", "manifest.json", "task.yaml"]
    before = hash_files(files)
    (tmp_path / "README.md").write_text("more")
    assert hash_files(code_files(tmp_path)) == before
    (tmp_path / "a.py").rename(tmp_path / "c.py")
    assert hash_files(code_files(tmp_path)) != before
