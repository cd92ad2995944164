"""What a trial is, and how one that runs a command is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What came of one trial.

    `fault` is the sentence that says what went wrong, or empty where the trial was survived: the product went on, or
    refused in one clear line. `seconds` is how long it took and `memory` the most that was resident, in bytes (nan
    where it was not measured).
    """

    part: str
    trial: str
    fault: str
    seconds: float
    memory: float


Part = Callable[[int, int, Path], Iterator[Outcome]]
"""A part of the campaign: of a seed, a number of trials and an empty folder to work in, the outcome of each trial."""
