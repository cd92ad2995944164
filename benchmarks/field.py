"""Measure how the project's solvers stand in the field, at equal error, and print a table for docs/figures.md.

    python benchmarks/field.py

Everything runs through the real command, in an empty folder with an empty cache. A solver that is not registered, or
whose package is absent, is named in its row; a bar that needs it is then not measured. Takes about half an hour on two
cores; names of parts as arguments (small, seven, large, matrix-free, streamed) measure these alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml

import qdynbench
from qdynbench import text as write
from qdynbench.analysis.points import Point, points
from qdynbench.analysis.ranking import Place, over, ranking, unsolved
from qdynbench.contract.spec import SolverSpec
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.results import Run
from qdynbench.report.terminal.numbers import call
from qdynbench.report.terminal.sentences import sentence

ROOT = Path(__file__).parents[1]
COMMAND = str(Path(sys.executable).with_name("qdynbench"))
PRODUCT = ROOT / "kernels" / "pauli-kernels" / "benchmarks" / "product.py"
CHEBYSHEV = ROOT / "plugins" / "qdynbench-matrix-free" / "benchmarks" / "chebyshev.py"
CHAIN = {"family": "ising", "J": 1.0, "g": -1.05, "h": 0.5, "boundary": "open"}
TOLERANCES = ("1e-9", "1e-10", "1e-11")
"""Settings of every solver with a tolerance: the fastest that reaches `TARGET` counts, so that none pays for more."""
TARGET = 1e-10
STEPS = ("0.002", "0.001", "0.0005")
OURS = (
    "ed",
    *(f"{name}[tolerance={value}]" for name in ("chebyshev", "krylov") for value in TOLERANCES),
    *(f"trotter[order=4,step={value}]" for value in STEPS),
)
KRYLOV_OF_QUTIP = tuple(f"qutip[method=krylov,tolerance={t}]" for t in TOLERANCES)
QUTIP = (*(f"qutip[method={m},tolerance={t}]" for m in ("vern9", "diag") for t in TOLERANCES), *KRYLOV_OF_QUTIP)
DYNAMIQS = (
    *(f"dynamiqs[method={m},tolerance={t}]" for m in ("dopri8", "tsit5") for t in ("1e-8", *TOLERANCES)),
    *("dynamiqs[method=expm]", "dynamiqs[method=propagator]"),
)
SIMPLE = ("numpy",)
"""What anyone would write, which for a few spins is no weak opponent."""
OUR_NAMES = ("ed", "chebyshev", "krylov", "trotter")
STATE_BYTES = 16 * 2**20
"""Of one state vector of 20 spins in complex128."""
Row = tuple[str, str, str]


class Made:
    """A run through the command, with its wall-clock time and the largest memory of all its processes together."""

    def __init__(self, folder: Path, name: str, solvers: Sequence[str], **task: Any) -> None:
        known = Registry.discover().entries["solvers"]
        self.absent = sorted({SolverSpec.parse(text).name for text in solvers} - set(known))
        present = [text for text in solvers if SolverSpec.parse(text).name in known]
        self.run: Run | None = None
        self.seconds = self.memory = 0.0
        self.complaint = "" if present else f"not registered: {', '.join(self.absent)}"
        if present:
            whole = {"model": CHAIN, "solvers": present, "seed": 2020, **task}
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
            self._execute(folder, name)

    def _execute(self, folder: Path, name: str) -> None:
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
        start = time.perf_counter()
        process = subprocess.Popen(
            [COMMAND, "run", f"{name}.yaml", "-q", "--out", name],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        watcher = threading.Thread(target=self._watch, args=(process.pid,))
        watcher.start()
        _, errors = process.communicate()
        watcher.join()
        self.seconds = time.perf_counter() - start
        if process.returncode in {0, 1}:  # 1: some cells failed, and say so in their rows
            self.run = Run(folder / name)
        else:
            self.complaint = write.plain(errors.strip().splitlines()[0] if errors.strip() else "the command failed")

    def _watch(self, pid: int) -> None:
        """Follow the memory of the command and its workers; pages that they share count once for each."""
        while psutil.pid_exists(pid):
            try:
                parent = psutil.Process(pid)
                family = [parent, *parent.children(recursive=True)]
                self.memory = max(self.memory, sum(process.memory_info().rss for process in family))
                if parent.status() == psutil.STATUS_ZOMBIE:
                    return
            except psutil.Error:
                pass  # one of them has just ended
            time.sleep(0.1)

    @property
    def points(self) -> list[Point]:
        """Cells of the run; none where there is no run."""
        return [] if self.run is None else points(self.run)

    def notes(self) -> list[str]:
        """Return what is missing from the run, and why."""
        absent = [f"{name}: not registered" for name in self.absent]
        return [*absent, *map(sentence, unsolved(self.points))] if self.run is not None else [self.complaint]


def best(made: Made, names: Sequence[str], size: int) -> Place | None:
    """Return the fastest setting among some solvers that reaches the target."""
    here = [point for point in made.points if point.size == size and point.spec.name in names]
    return next(iter(ranking(here, TARGET)), None)


def against(made: Made, peers: Sequence[str], size: int) -> tuple[str, float | None]:
    """Return the comparison of our best solver with the best of some peers, in words and as their time over ours."""
    ours, theirs = best(made, OUR_NAMES, size), best(made, peers, size)
    factor = None if ours is None or theirs is None else over(theirs.point, ours.point)
    if ours is None or theirs is None or factor is None:
        who = " and ".join(["ours"] * (ours is None) + [*peers] * (theirs is None))
        return (
            f"not measured: nothing of {who} reaches {TARGET:g} ({'; '.join(made.notes()) or 'error too large'})",
            None,
        )
    times = [f"{place.point.solver} {call(place.point.timing)}" for place in (ours, theirs)]
    text = f"{', '.join(times)}: "
    return f"{text}{write.with_interval(*factor)} times", factor[0]


def batch_of_seven(folder: Path) -> Iterator[Row]:
    """Compare with dynamiqs and QuTiP on the paper's batch."""
    solvers = [*OURS, *QUTIP, *DYNAMIQS]
    timing = {"batch_sizes": [256], "rounds": 5, "seconds": 5, "subset": dict.fromkeys(_known(KRYLOV_OF_QUTIP), 8)}
    made = Made(
        *(folder, "seven", solvers),
        sizes=[7],
        times={"dt": 0.002, "steps": 500},
        states=8,
        metrics=["infidelity"],
        timing=timing,
    )
    for peer, bar in (("dynamiqs", 2), ("qutip", 10)):
        text, factor = against(made, [peer], 7)
        yield (
            f"7 spins, 256 states, 500 steps, error 1e-10, against {peer}",
            text,
            f"{bar} times{_verdict(factor, bar)}",
        )


def one_large_state(folder: Path) -> Iterator[Row]:
    """Compare with QuSpin's own path at 20 spins, its building of the matrix included, and count the memory."""
    made = Made(
        *(
            folder,
            "large",
            [f"{name}[tolerance={value}]" for name in ("chebyshev", "krylov", "taylor") for value in TOLERANCES[1:]],
        ),
        sizes=[10, 20],  # the smaller for what libraries take of themselves
        times={"dt": 0.1, "steps": 2},
        states=1,
        metrics=["infidelity"],
        reference=_reference(),
        timing={"batch_sizes": [1], "rounds": 5, "seconds": 5},
        limits={"seconds": 300, "memory": "8 GB"},
    )
    costs = [
        (p.seconds[0] + (p.cell.ledger.prepare_time or 0.0), p)
        for p in made.points
        if p.cell.size == 20 and p.seconds is not None and p.solved and p.largest_error <= TARGET
    ]
    quspin = sorted((c for c in costs if c[1].spec.name == "taylor"), key=lambda cost: cost[0])
    here = [cost for cost in costs if cost[1].spec.name in OUR_NAMES]
    what = "20 spins, one state, t = 0.2, error 1e-10, prepare and solve, against QuSpin (`taylor`)"
    if not quspin or not here:
        yield what, f"not measured ({'; '.join(made.notes()) or 'error too large'})", "5 times"
        return
    seconds, point = min(here, key=lambda cost: cost[0])
    factor = quspin[0][0] / seconds
    text = f"{point.solver} {write.duration(seconds)}, taylor {write.duration(quspin[0][0])}: {factor:.1f} times"
    yield what, text, f"5 times{_verdict(factor, 5)}"
    small = next((p for p in made.points if p.cell.size == 10 and p.solver == point.solver), None)
    if small is not None and small.memory is not None and point.memory is not None:
        vectors = (point.memory - small.memory) / STATE_BYTES
        text = f"{point.solver}: {vectors:.1f} state vectors, the three that the core hands over included"
        yield "its peak memory at 20 spins beyond that at 10", text, f"at most 8{_verdict(8, vectors)}"


def streamed(folder: Path) -> Iterator[Row]:
    """Score a trajectory of 13 GB under a limit of 3 GB."""
    made = Made(
        *(folder, "streamed", ["chebyshev[tolerance=1e-10]"]),
        sizes=[20],
        times={"dt": 0.002, "steps": 100},
        states=8,
        metrics="all",
        reference=_reference(),
        timing={"batch_sizes": [8], "rounds": 3, "seconds": 1},
        limits={"seconds": 1200, "memory": "3 GB"},
    )
    what = "20 spins, 8 states, 100 steps (13 GB), all metrics, every process limited to 3 GB"
    found = [point for point in made.points if point.spec.name == "chebyshev"]
    if not found or not found[0].solved:
        yield what, f"not measured ({'; '.join(made.notes())})", "at most 600 s"
        return
    text = (
        f"{made.seconds:.0f} s for the whole command, reference, persistence and timing in it; at most "
        f"{write.memory(made.memory)} in all processes together"
    )
    yield what, text, f"at most 600 s{_verdict(600, made.seconds)}"


def matrix_free_product() -> Iterator[Row]:
    """Run the product's own benchmark, which measures the copy bandwidth beside it, and the memory of one evolution."""
    for command, what, bar, found in (
        (
            [CHEBYSHEV, "--part", "memory"],
            "20 spins, one state, t = 0.2: memory of `chebyshev` itself",
            8.0,
            r"took ([0-9.]+) state vectors",
        ),
        (
            [PRODUCT, "--sizes", "20"],
            "matrix-free product, 20 spins: share of the copy bandwidth",
            1 / 3,
            r"share ([0-9.]+)",
        ),
    ):
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            reason = write.plain((done.stderr.strip().splitlines() or ["failed"])[-1])
            yield what, f"not measured: {reason}", "a third" if bar < 1 else "at most 8"
            continue
        text = write.plain(done.stdout.strip())
        figure = float(re.search(found, text)[1])  # type: ignore[index]  # the benchmark's own words
        if bar < 1:
            yield what, text, f"a third{_verdict(figure, bar)}"
        else:
            yield what, text, f"at most 8{_verdict(bar, figure)}"


def small(folder: Path) -> Iterator[Row]:
    """Compare with the fastest peer where the overhead of a call counts."""
    sizes = [2, 3, 4, 5, 6]
    made = Made(
        *(folder, "small", [*OURS, *QUTIP, *DYNAMIQS, *SIMPLE]),
        sizes=sizes,
        times={"dt": 0.002, "steps": 100},
        states=1,
        metrics=["infidelity"],
        timing={"batch_sizes": [1], "rounds": 7, "seconds": 2},
    )
    for size in sizes:
        text, factor = against(made, ["qutip", "dynamiqs", *SIMPLE], size)
        yield (
            f"{size} spins, one state, 100 steps, error 1e-10, peer over ours",
            text,
            f"0.5 times{_verdict(factor, 0.5)}",
        )


def _known(solvers: Sequence[str]) -> list[str]:
    names = Registry.discover().entries["solvers"]
    return [text for text in solvers if SolverSpec.parse(text).name in names]


def _reference() -> str:
    """Return the reference beyond the reach of `ed`: QuSpin's path stands in while the other is not registered."""
    return [*_known(["chebyshev[tolerance=1e-13]", "taylor[tolerance=1e-13]"]), "ed"][0]


def _verdict(measured: float | None, bar: float) -> str:
    if measured is None:
        return ""
    return ": reached" if measured >= bar else ": not reached"


def main() -> None:
    """Print the table; names on the command line choose some of its parts."""
    machine = provenance.hardware()
    print(
        f"{machine['processor']}, {machine['cores']} cores; qdynbench {qdynbench.__version__}, "
        f"{provenance.now()[:10]}\n"
    )
    print("| what | measured | bar |\n|---|---|---|")
    parts: dict[str, Callable[[Path], Iterator[Row]]] = {
        "small": small,
        "seven": batch_of_seven,
        "large": one_large_state,
        "matrix-free": lambda _: matrix_free_product(),
        "streamed": streamed,
    }
    with tempfile.TemporaryDirectory() as temporary:
        for name in sys.argv[1:] or parts:
            for row in parts[name](Path(temporary)):
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
