"""The benchmark as a command: `python -m sru_kernels.benchmark --device cpu --out FILE.md`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from sru_kernels.benchmark import report


def main() -> None:
    """Measure all cases and write them as Markdown, to a file or to the terminal."""
    parser = argparse.ArgumentParser(prog="python -m sru_kernels.benchmark", description=main.__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; default: all cores")
    parser.add_argument("--rounds", type=int, default=15, help="readings of every contender, at least 3")
    parser.add_argument("--compiled", action="store_true", help="also torch.compile of the loop; takes minutes")
    parser.add_argument("--out", type=Path, help="Markdown file for the numbers")
    given = parser.parse_args()
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    sections = list(report.measure(given.device, given.rounds, compiled=given.compiled))
    command = " ".join([parser.prog, *sys.argv[1:]])
    text = report.document(sections, report.about(given.device), command)
    if given.out is None:
        sys.stdout.write(text)
    else:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
