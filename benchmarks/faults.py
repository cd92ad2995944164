"""Try to break it: mutated task files and run folders, faulty plugins, kills at random moments, full disks.

    python benchmarks/faults.py                         # all parts, with a seed of its own
    python benchmarks/faults.py task_files --number 10000 --seed 7

Prints a table of the parts and each trial that was not survived, with the seed that repeats it.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from campaign.trial import Outcome, Part
from rich.console import Console
from rich.table import Table

PARTS = {"task_files": 10_000, "run_folders": 2_000, "faulty_plugins": 1, "kills": 200, "disk": 1}
"""How many trials each part makes by default; `faulty_plugins` and `disk` go through all that they have, once."""


def main() -> None:
    """Run the parts that are named, print what came of them, and end with 1 where a trial was not survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them where none is named")
    parser.add_argument("--number", type=int, help="trials of each part, instead of the part's own number")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    console = Console()
    console.print(f"seed {options.seed}")
    table = Table("part", "trials", "survived", "longest", "most memory")
    faults = 0
    for part in options.parts or PARTS:
        outcomes = []
        with tempfile.TemporaryDirectory(prefix="qdynbench-faults-") as folder:
            run: Part = import_module(f"campaign.{part}").run
            for outcome in run(options.seed, options.number or PARTS[part], Path(folder)):
                outcomes.append(outcome)
                if outcome.fault:
                    console.print(f"{part} {outcome.trial}: {outcome.fault}", markup=False, highlight=False)
        faults += sum(1 for outcome in outcomes if outcome.fault)
        table.add_row(part, *_row(outcomes))
    console.print(table)
    sys.exit(1 if faults else 0)


def _row(outcomes: list[Outcome]) -> tuple[str, str, str, str]:
    survived = sum(1 for outcome in outcomes if not outcome.fault)
    longest = max((outcome.seconds for outcome in outcomes), default=float("nan"))
    memory = max((outcome.memory for outcome in outcomes), default=float("nan"))
    return f"{len(outcomes)}", f"{survived}", f"{longest:.2f} s", f"{memory / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
