"""A chain with couplings of two kinds in turn."""

from qdynbench import Coupling, Model, PauliSum, bonds_of, hookimpl, spread


class MyModel(Model):
    """H = J sum X_i X_{i+1} on the bonds 0, 2, ... + J sum Y_i Y_{i+1} on the bonds 1, 3, ...; hbar = 1."""

    J: Coupling = 1.0  # one number, or a list with one for each bond

    def hamiltonian(self, size):
        bonds = bonds_of(size, "open")
        couplings = spread("J", self.J, len(bonds))
        terms = [(J, "YY" if i % 2 else "XX", bond) for i, (J, bond) in enumerate(zip(couplings, bonds))]
        return PauliSum.from_terms(size, terms)


@hookimpl
def register_models(register):
    register("my-model", MyModel, summary="XX and YY couplings in turn")
