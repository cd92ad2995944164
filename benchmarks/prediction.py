"""How near predicted times come: cells of `scaling` within a factor of three of what they took, on this machine.

    python benchmarks/prediction.py                  # runs the task first, seven minutes on two idle cores
    python benchmarks/prediction.py --run FOLDER     # reads a run that is there

Counted are cells whose predicted or measured time is at least 10 ms. The prediction is the one made right before the
cell ran, from the sizes before it; the bar is 9 of 10.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import qdynbench
from qdynbench.analysis.points import points
from qdynbench.record.results import Run
from qdynbench.report.figures.prediction import FACTOR, times


def main() -> None:
    """Print each cell, the nearest first, and the count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    folder = parser.parse_args().run
    run = qdynbench.run("scaling") if folder is None else Run(folder)
    pairs = sorted((pair for pair in times(points(run)) if pair.counted), key=lambda pair: abs(math.log(pair.ratio)))
    for pair in pairs:
        cell = f"{pair.point.solver:44} {pair.point.size:3} spins"
        print(f"{cell} {pair.measured:9.3g} s, predicted {pair.predicted:9.3g} s")
    near = sum(1 / FACTOR <= pair.ratio <= FACTOR for pair in pairs)
    print(f"{near} of {len(pairs)} cells within a factor of {FACTOR:g}")


if __name__ == "__main__":
    main()
