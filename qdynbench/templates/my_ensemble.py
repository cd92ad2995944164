"""Product states whose spins all point the same random way."""

import numpy as np

from qdynbench import ProductEnsemble, hookimpl


class MyEnsemble(ProductEnsemble):
    """All spins of a state point in one direction, drawn from the Haar measure."""

    def spinors(self, size, count, generator):
        pairs = generator.standard_normal((count, 1, 2, 2)).view(np.complex128)[..., 0]
        pairs /= np.linalg.norm(pairs, axis=-1, keepdims=True)
        return np.repeat(pairs, size, axis=1)  # (count, size, 2), up first


@hookimpl
def register_ensembles(register):
    register("my-ensemble", MyEnsemble, summary="all spins along one random direction")
