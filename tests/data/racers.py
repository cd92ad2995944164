"""Solvers that take down what a race does to them, in the file that RACERS_NOTES names."""

import os
import subprocess
import sys
import time

import numpy as np
import psutil
import torch

from qdynbench import Block, Knowledge, Solver, hookimpl


def note(*what):
    with open(os.environ["RACERS_NOTES"], "a") as file:
        print(*what, file=file)


class Notes(Solver):
    """Diagonalisation by NumPy that notes its process and the size in each preparation."""

    knowledge = Knowledge.HAMILTONIAN

    def prepare(self, problem):
        super().prepare(problem)
        energies, vectors = np.linalg.eigh(problem.hamiltonian.to_dense())
        self.energies, self.vectors = torch.from_numpy(energies), torch.from_numpy(vectors).to(torch.complex128)
        note(self.name, os.getpid(), problem.size)

    @property
    def name(self):
        return type(self).__name__.lower()

    def solve(self, given):
        phases = torch.exp(-1j * torch.from_numpy(self.problem.times)[:, None] * self.energies)
        found = ((given.states @ self.vectors.conj())[:, None, :] * phases) @ self.vectors.T
        found[:, 0] = given.states
        yield Block(0, found)


class Spins(Notes):
    """Keeps a core busy with a process, and notes which part of the time between two of its calls that had."""

    def prepare(self, problem):
        super().prepare(problem)
        self.left = None
        if not hasattr(self, "busy"):
            self.busy = psutil.Process(subprocess.Popen([sys.executable, "-c", "while True: pass"]).pid)

    def solve(self, given):
        now = time.monotonic(), self.busy.cpu_times().user
        if self.left is not None and (passed := now[0] - self.left[0]) > 0.1:
            note("busy", (now[1] - self.left[1]) / passed)
        yield from super().solve(given)
        self.left = time.monotonic(), self.busy.cpu_times().user


class Compiles(Notes):
    """Takes 0.3 s more in the first call of its process with a number of states."""

    known = set()  # noqa: RUF012 - of the process

    def solve(self, given):
        if len(given) not in Compiles.known:
            Compiles.known.add(len(given))
            time.sleep(0.3)
        yield from super().solve(given)


class Sleeps(Notes):
    """Takes a millisecond for each state."""

    def solve(self, given):
        time.sleep(1e-3 * len(given))
        yield from super().solve(given)


class Gains(Notes):
    """Takes 24 ms with one thread and 4 ms with more, but 40 ms in the process that is scored and in the trial."""

    def prepare(self, problem):
        super().prepare(problem)
        self.pause = 24e-3
        if torch.get_num_threads() > 1:
            with open(os.environ["RACERS_NOTES"] + "-processes", "a+") as file:
                file.seek(0)
                known = file.read().split()
                if str(os.getpid()) not in known:
                    print(os.getpid(), file=file)
                    known.append(str(os.getpid()))
            self.pause = 40e-3 if str(os.getpid()) in known[:2] else 4e-3

    def solve(self, given):
        time.sleep(self.pause)
        yield from super().solve(given)


@hookimpl
def register_solvers(register):
    for kind in (Notes, Spins, Compiles, Sleeps, Gains):
        register(kind.__name__.lower(), kind, summary=kind.__doc__)
