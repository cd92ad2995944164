from __future__ import annotations

import subprocess
import sys


def test_every_public_name_is_what_it_says_and_stays_so() -> None:
    import qdynbench.runner.execute

    for name in qdynbench.__all__:
        assert getattr(qdynbench, name) is getattr(qdynbench, name) is not None, name
    assert qdynbench.run.__module__ == "qdynbench.api"


def test_the_command_line_starts_without_anything_heavy() -> None:
    code = (
        "import sys; sys.argv = ['qdynbench', *sys.argv[1:]]\n"
        "from qdynbench.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'quspin', 'scipy', 'pandas', 'xarray', 'numpy', 'numba', 'altair', 'vl_convert'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run(
        [sys.executable, "-c", code.replace("{'torch'", "{'rich', 'yaml', 'packaging', 'torch'"), "--help"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for arguments in (
        ["--help"],
        ["list", "solvers"],
        ["list", "metrics"],
        ["list", "figures"],
        ["run", "--help"],
        ["sru", "--help"],
    ):
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
