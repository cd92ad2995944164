from __future__ import annotations

import numpy as np
import torch

from qdynbench.physics import observables, product


def test_spins_of_spinors_are_those_of_their_vectors() -> None:
    random = np.random.default_rng(0)
    spinors = random.normal(size=(3, 5, 2)) + 1j * random.normal(size=(3, 5, 2))
    spinors /= np.linalg.norm(spinors, axis=-1, keepdims=True)
    expected = observables.magnetization(torch.from_numpy(product.vectors(spinors)))
    found = product.spins(spinors)
    for axis, values in expected.items():
        np.testing.assert_allclose(found[axis], values.numpy(), atol=1e-14)
