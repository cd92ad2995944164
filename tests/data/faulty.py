"""Solvers that go wrong, each in its own way."""

import os
import signal
import time

import numpy as np
import torch

import qdynbench
from qdynbench import Block, Knowledge, Solver, hookimpl
from qdynbench.workers import protocol as to


class Frozen(Solver):
    """Right in form: nothing moves."""

    knowledge = Knowledge.TRAJECTORIES

    def trajectory(self, given):
        return given.states[:, None].repeat(1, self.problem.steps + 1, 1)

    def solve(self, given):
        yield Block(0, self.trajectory(given))


class Nan(Frozen):
    def trajectory(self, given):
        states = super().trajectory(given)
        states[0, -1, 0] = float("nan")
        return states


class WrongShape(Frozen):
    def trajectory(self, given):
        return super().trajectory(given)[..., :-1]


class WrongFirst(Frozen):
    def trajectory(self, given):
        return super().trajectory(given).roll(1, dims=-1)


class Rescales(Frozen):
    """Writes to the states that it is given, with which its own process compares the first column."""

    def trajectory(self, given):
        given.states.mul_(3.0)
        return super().trajectory(given)


class Short(Frozen):
    def trajectory(self, given):
        return super().trajectory(given)[:, :-1]


class Raises(Frozen):
    def solve(self, given):
        raise ValueError("the flux capacitor is empty")


class RaisesInput(Frozen):
    def prepare(self, problem):
        super().prepare(problem)
        raise qdynbench.InputError("cannot prepare this")


class Hangs(Frozen):
    def solve(self, given):
        time.sleep(1000)
        yield Block(0, self.trajectory(given))


class Exits(Frozen):
    def solve(self, given):
        print("goodbye from the solver", flush=True)
        os._exit(7)


class Disconnects(Frozen):
    def solve(self, given):
        os.closerange(3, 1024)
        time.sleep(1000)
        yield Block(0, self.trajectory(given))


class Segfaults(Frozen):
    def solve(self, given):
        os.kill(os.getpid(), signal.SIGSEGV)
        yield Block(0, self.trajectory(given))


class EatsMemory(Frozen):
    def solve(self, given):
        kept = []
        while True:
            kept.append(torch.ones(20_000_000, dtype=torch.float64))
            time.sleep(0.01)
            if not kept:
                yield Block(0, self.trajectory(given))


class RefusesMemory(Frozen):
    def solve(self, given):
        torch.empty(10**15, dtype=torch.float64)
        yield Block(0, self.trajectory(given))


class Unsupporting(Frozen):
    def supports(self, problem):
        return "only chains of 40 spins" if problem.size != 40 else None


class Expensive(Frozen):
    def estimate(self, problem):
        return qdynbench.Cost(bytes=1e6, operations=1e30)


class Peeks(Frozen):
    """Looks for a Hamiltonian wherever it could be."""

    def solve(self, given):
        import gc

        from qdynbench.contract.model import Model
        from qdynbench.physics.operators import PauliSum
        from qdynbench.task.spec import Task

        gc.unfreeze()  # what is inherited counts as well
        assert self.problem.dynamics is None
        assert self.problem.hamiltonians == ()
        assert self.problem.parameters is None
        assert not [thing for thing in gc.get_objects() if isinstance(thing, PauliSum | Model | Task)]
        yield Block(0, self.trajectory(given))


def channel():
    """Return the socket to the main process, which no solver is given."""
    import gc

    from qdynbench.workers.channel import Channel

    return next(thing for thing in gc.get_objects() if isinstance(thing, Channel))


class Finishes(Frozen):
    """Asks for what only the scorer is asked for."""

    def solve(self, given):
        channel().send(to.FinishCell(os.path.abspath("forged.npz")))
        yield Block(0, self.trajectory(given))


class Answers(Frozen):
    """Answers another question."""

    def solve(self, given):
        channel().send(to.Timed([1e-9], 0.0, 0))
        yield Block(0, self.trajectory(given))


class Babbles(Frozen):
    """Sends what is no message."""

    def solve(self, given):
        os.write(channel()._stream.fileno(), b"\xff" * 64)
        yield Block(0, self.trajectory(given))


class Forges(Frozen):
    """Sends a piece that the checks of its own process would have refused."""

    def solve(self, given):
        if len(given) > 1:  # not yet in the first call, which is not scored
            channel().send(to.Piece(0, {"states": np.zeros((len(given), 6, 3), dtype=np.complex128)}))
        yield Block(0, self.trajectory(given))


class Hurries(Frozen):
    """Sends a piece of a trajectory before it is asked for any."""

    def prepare(self, problem):
        super().prepare(problem)
        channel().send(to.Piece(0, {"states": np.zeros((1, 6, 4), dtype=np.complex128)}))


class Needs(Frozen):
    """Asks for training data outside of a fit."""

    def solve(self, given):
        channel().send(to.Need(2, 0, 1))
        yield Block(0, self.trajectory(given))


class Unbuilt(Frozen):
    def __post_init__(self):
        raise ValueError("no licence")


class Unlabelled(Frozen):
    @property
    def label(self):
        raise qdynbench.InputError("no label")


class Sumless(Frozen):
    """Says nothing of what it has sent."""

    def solve(self, given):
        import qdynbench.workers.solver_side as side

        side.sums_of = lambda _: {}
        yield Block(0, self.trajectory(given))


class Weightless(Frozen):
    """Has less memory than none."""

    def solve(self, given):
        from qdynbench.workers import memory

        memory.peak_host = lambda: -1
        yield Block(0, self.trajectory(given))


class Departs(Frozen):
    """Ends after its last timed call, when its memory is asked for."""

    def solve(self, given):
        from qdynbench.workers import memory

        memory.peak_host = lambda: os._exit(5)
        yield Block(0, self.trajectory(given))


class Timeless(Frozen):
    """Times no call."""

    def solve(self, given):
        from qdynbench.workers.solver_side import SolverSide

        SolverSide._time_round = lambda _: to.Timed([], 0.0, 0.0)
        yield Block(0, self.trajectory(given))


class Timely(Frozen):
    """Times other calls than those that it was asked for."""

    def solve(self, given):
        from qdynbench.workers.solver_side import SolverSide

        def time_round(self):
            self._channel.send(to.Timed([1e-9] * 1000, 0.0, 0.0))
            return to.Settled(1e-4, 0.0)

        SolverSide._time_round = time_round
        yield Block(0, self.trajectory(given))


class Overtimes(Frozen):
    """Says the times of its rounds twice."""

    def solve(self, given):
        from qdynbench.workers.solver_side import SolverSide

        def time_round(self):
            for _ in range(2):
                self._channel.send(to.Timed([1e-3], 0.0, 0.0))
            return to.Settled(1e-4, 0.0)

        SolverSide._time_round = time_round
        yield Block(0, self.trajectory(given))


@hookimpl
def register_solvers(register):
    for kind in (
        *(
            Frozen,
            Nan,
            WrongShape,
            WrongFirst,
            Rescales,
            Short,
            Raises,
            RaisesInput,
            Hangs,
            Exits,
            Disconnects,
            Segfaults,
        ),
        *(
            EatsMemory,
            RefusesMemory,
            Unsupporting,
            Expensive,
            Peeks,
            Finishes,
            Answers,
            Babbles,
            Forges,
            Hurries,
            Needs,
            Unbuilt,
            Unlabelled,
            Sumless,
            Weightless,
            Departs,
            Timeless,
            Timely,
            Overtimes,
        ),
    ):
        register(kind.__name__.lower(), kind, summary=kind.__doc__ or kind.__name__)
