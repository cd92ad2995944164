"""A small network that predicts how a state changes in one time step, for all sizes that it was trained on."""

import numpy as np
import torch

from qdynbench import Block, Knowledge, LearnedSolver, hookimpl

BATCH = 256


class MyLearnedSolver(LearnedSolver):
    """psi(t + dt) = psi(t) + dt f(psi(t)), normalised; f is a network whose input is padded to the largest size."""

    knowledge = Knowledge.TRAJECTORIES  # its process never holds the Hamiltonian
    width: int = 128  # two parameters: "my-learned-solver[width=256,updates=5000]"
    updates: int = 2000

    def __post_init__(self):
        self.sizes, self.dt = [], 0.0

    def supports(self, problem):
        if not self.sizes:  # it is also asked before the fit
            return None
        if problem.size not in self.sizes:
            return f"it was trained on {', '.join(map(str, self.sizes))} spins"
        return None if np.isclose(problem.dt, self.dt) else f"it was trained on time steps of {self.dt:g}"

    def build_network(self):
        self.numbers = 2 * 2 ** max(self.sizes)  # real and imaginary parts of the longest state
        layers = torch.nn.Linear(self.numbers, self.width), torch.nn.Tanh(), torch.nn.Linear(self.width, self.numbers)
        self.network = torch.nn.Sequential(*layers).double()

    def padded(self, states):
        numbers = torch.view_as_real(states).flatten(-2)
        return torch.nn.functional.pad(numbers, (0, self.numbers - numbers.shape[-1]))

    def fit(self, data, context):
        torch.manual_seed(context.seed)
        self.sizes, self.dt = list(data.sizes), float(data.times[1])
        self.build_network()
        self.network.to(context.device)
        known = [
            self.padded(data.trajectories(size).to(context.device)) for size in self.sizes
        ]  # (count, T+1, numbers)
        before = torch.cat([psi[:, :-1].flatten(0, 1) for psi in known])
        slope = torch.cat([psi.diff(dim=1).flatten(0, 1) for psi in known]) / self.dt
        optimizer = torch.optim.Adam(self.network.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.updates)
        trained, checkpoint, first = (self.network, optimizer, schedule), context.folder / "checkpoint.pt", 0
        if checkpoint.is_file():  # this fit was interrupted before
            kept = torch.load(checkpoint, weights_only=True)
            first = kept["update"]
            for part, state in zip(trained, kept["states"], strict=True):
                part.load_state_dict(state)
        for update in range(first, self.updates):
            # A generator of its own for each update: a fit that goes on draws what an undisturbed one would have drawn.
            chosen = np.random.default_rng([context.seed, update]).integers(len(before), size=BATCH)
            loss = (self.network(before[chosen]) - slope[chosen]).square().sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if (update + 1) % 100 == 0:
                context.progress((update + 1) / self.updates, loss=loss.item())
                torch.save({"update": update + 1, "states": [part.state_dict() for part in trained]}, checkpoint)

    def save(self, folder):
        weights = {name: values.cpu().numpy() for name, values in self.network.state_dict().items()}
        np.savez(folder / "network.npz", sizes=self.sizes, dt=self.dt, **weights)

    def load(self, folder):
        with np.load(folder / "network.npz") as arrays:
            kept = dict(arrays)
        self.sizes, self.dt = kept.pop("sizes").tolist(), float(kept.pop("dt"))
        self.build_network()
        self.network.load_state_dict({name: torch.from_numpy(values) for name, values in kept.items()})

    def prepare(self, problem):
        super().prepare(problem)
        self.network.to(problem.device)

    @torch.inference_mode()
    def step(self, states):
        slope = self.network(self.padded(states))[..., : 2 * states.shape[-1]]
        moved = states + self.dt * torch.view_as_complex(slope.unflatten(-1, (-1, 2)))
        return torch.nn.functional.normalize(moved)

    def solve(self, given):
        states = given.states
        yield Block(0, states[:, None])
        for index in range(1, self.problem.steps + 1):
            states = self.step(states)
            yield Block(index, states[:, None])


@hookimpl
def register_solvers(register):
    register("my-learned-solver", MyLearnedSolver, summary="a small network that predicts one time step")
