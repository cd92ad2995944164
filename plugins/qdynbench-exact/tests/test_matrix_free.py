"""The matrix-free operator against matrices made of Kronecker products."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from qdynbench_exact.matrix_free import MatrixFree, program, spectral_interval
from qdynbench_exact.matrix_free.device import DeviceKernel

from qdynbench import PauliSum
from qdynbench.testing import independent
from qdynbench.testing.trajectories import random_states, random_strings

ROUNDING = {torch.complex128: 1e-13, torch.complex64: 1e-4}
DTYPES = pytest.mark.parametrize("dtype", list(ROUNDING), ids=["double", "single"])


def strings(size: int, letters: str, seed: int) -> PauliSum:
    """Random strings of any length."""
    return random_strings(size, 14, seed, letters=letters)


def exchange(size: int) -> PauliSum:
    """XX and YY of every pair of neighbours, at unequal strengths, and a field."""
    bonds = [(i, i + 1) for i in range(size - 1)]
    return PauliSum.from_terms(
        size,
        [*((c, p, b) for b in bonds for c, p in ((1, "XX"), (1, "YY"), (0.3, "XY"), (0.7, "ZZ"))), (0.4, "X", (0,))],
    )


def field(size: int) -> PauliSum:
    """The mixed-field Ising chain, every site with its own field."""
    return PauliSum.from_terms(
        size,
        [
            *((1.0, "ZZ", (i, i + 1)) for i in range(size - 1)),
            *((0.3 + 0.1 * i, "X", (i,)) for i in range(size)),
            *((0.5, "Z", (i,)) for i in range(size)),
        ],
    )


def states(size: int, batch: int, seed: int = 3) -> torch.Tensor:
    return random_states(size, batch, seed)


def every_third(array: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The same states, but as rows of a larger array."""
    wide = torch.full((len(array), 3, array.shape[1]), torch.nan, dtype=dtype)
    wide[:, 1] = array
    return wide[:, 1]


def check(operator: MatrixFree | DeviceKernel, hamiltonian: PauliSum, dtype: torch.dtype) -> None:
    """Both forms of the product, with states apart from each other, also in the place of `previous`."""
    x, previous = states(hamiltonian.size, 3), states(hamiltonian.size, 3, seed=4)
    product = torch.from_numpy((hamiltonian.to_sparse() @ x.numpy().T).T)
    scale = sum(abs(term.coefficient) for term in hamiltonian.terms)
    for rotate in (False, True):
        wanted = (-1j if rotate else 1) * -0.7 * (product - 0.3 * x) + 0.4 * previous
        given, before, out = (every_third(array, dtype) for array in (x, previous, torch.zeros_like(x)))
        if isinstance(operator, MatrixFree):
            operator.apply(given, out, alpha=-0.7, shift=0.3, previous=before, beta=0.4, rotate=rotate)
            operator.apply(given, before, alpha=-0.7, shift=0.3, previous=before, beta=0.4, rotate=rotate)
            assert torch.equal(out, before)
        else:
            operator.apply(given, out, -0.7, 0.3, before, 0.4, rotate)
        assert (out - wanted).norm(dim=1).max() < scale * ROUNDING[dtype]


@DTYPES
@pytest.mark.parametrize("letters", ["X", "XZ", "XYZ", "Y"])
@pytest.mark.parametrize("size", range(1, 10))
def test_product_of_random_strings(size: int, letters: str, dtype: torch.dtype) -> None:
    hamiltonian = strings(size, letters, seed=size)
    np.testing.assert_allclose(hamiltonian.to_dense(), independent.dense(hamiltonian), atol=1e-12)
    check(MatrixFree(hamiltonian, dtype), hamiltonian, dtype)
    check(DeviceKernel(hamiltonian, dtype, "cpu"), hamiltonian, dtype)


@DTYPES
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("model", [field, exchange, lambda size: strings(size, "XYZ", 1)])
def test_product_beyond_a_block(model: Callable[[int], PauliSum], threads: int, dtype: torch.dtype) -> None:
    hamiltonian = model(16)  # 6 bits leave a block of 1024
    check(MatrixFree(hamiltonian, dtype, threads=threads), hamiltonian, dtype)


@DTYPES
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("model", [field, exchange, lambda size: strings(size, "XYZ", 1)])
def test_flips_between_far_blocks(
    model: Callable[[int], PauliSum], threads: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes of two bits, three and four of the six that leave a block: what large chains have, at 16 spins."""
    hamiltonian = model(16)
    monkeypatch.setattr(program, "SMALLEST_APART", 1)
    for near, bits, groups in ((4, 2, 2), (8, 3, 1), (4, 4, 1)):
        monkeypatch.setattr(program, "NEAR_BLOCKS", near)
        monkeypatch.setattr(program, "FAR_BITS", bits)
        assert len(program.build(field(16), np.float64).far) == groups
        check(MatrixFree(hamiltonian, dtype, threads=threads), hamiltonian, dtype)


def test_large_chains_have_far_blocks() -> None:
    """17 spins are the first, as the constants stand."""
    assert not program.build(field(16), np.float64).far
    [group] = program.build(field(17), np.float64).far
    assert (group.rows, group.stride, len(group.flips)) == (8, 16, 3)
    check(MatrixFree(field(17), threads=2), field(17), torch.complex128)


COMPILED = """
import sys
import numpy as np
import torch
from qdynbench.testing.exercise import uniform_chain
from qdynbench_exact.matrix_free import MatrixFree, cpu, far, orthogonal

LOOPS = (cpu.product, cpu.combine, cpu.expand, far.add_far, orthogonal.orthogonalise, orthogonal.overlaps_of,
         orthogonal.subtract_from)
dtype = getattr(torch, sys.argv[1])
operator = MatrixFree(uniform_chain(17), dtype, threads=2)  # large enough for all of them
print([len(loop.signatures) for loop in LOOPS])
vectors = torch.randn(3, 3, 2**17, dtype=dtype)
operator.apply(vectors[0], vectors[1])
operator.apply(vectors[0], vectors[1], previous=vectors[1], beta=1.0, rotate=True)
operator.orthogonalise(vectors[:1, :2], vectors[:1, 2])
operator.orthogonalise(vectors[:, :2], vectors[:, 2])
weights, phases, out = np.ones((2, 3)), np.ones(2, np.complex128), torch.empty(1, 2, 2**17, dtype=dtype)
operator.expand(vectors[:1, 0].contiguous(), weights, phases, out, scale=0.1, shift=0.0, rows=2)
print([len(loop.signatures) for loop in LOOPS])
"""


@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
def test_nothing_is_left_to_be_compiled_when_states_come(dtype: str) -> None:
    command = [sys.executable, "-c", COMPILED, dtype]
    before, after = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert before == after == str([1] * 7)


def test_more_flips_leave_a_block_than_are_fused() -> None:
    hamiltonian = PauliSum.from_terms(13, [(0.1 + i, "X" * 2, (i % 2, 2 + i)) for i in range(11)])
    check(MatrixFree(hamiltonian, torch.complex128), hamiltonian, torch.complex128)


@pytest.mark.parametrize(
    "hamiltonian", [PauliSum(5, ()), PauliSum.from_terms(5, [(1.0, "X", (2,)), (-1.0, "X", (2,))])]
)
def test_nothing_is_zero(hamiltonian: PauliSum) -> None:
    x = states(5, 2)
    out = torch.full_like(x, torch.nan)
    MatrixFree(hamiltonian).apply(x, out)
    assert torch.equal(out, torch.zeros_like(x))


def test_unread_memory_may_hold_anything() -> None:
    x, previous = states(5, 2), torch.full((2, 32), torch.nan, dtype=torch.complex128)
    MatrixFree(field(5)).apply(x, previous, previous=previous, beta=0.0)
    assert torch.isfinite(torch.view_as_real(previous)).all()


def test_other_shapes_and_types_are_refused() -> None:
    operator, x = MatrixFree(field(5)), states(5, 2)
    for wrong in (x[:, :16], x.to(torch.complex64), x.repeat_interleave(2, dim=1)[:, ::2], x[:1]):
        with pytest.raises(ValueError, match=r"shape \(B, 32\)"):
            operator.apply(x, wrong)


@DTYPES
def test_combinations(dtype: torch.dtype) -> None:
    random = np.random.default_rng(0)
    vectors = torch.stack([states(9, 6, seed=seed) for seed in (1, 2)])
    coefficients, phases = random.normal(size=(5, 4)), np.exp(1j * random.normal(size=5))
    wanted = torch.einsum(
        "j,jk,bkd->bjd", torch.from_numpy(phases), torch.from_numpy(coefficients) + 0j, vectors[:, :4]
    )
    operator = MatrixFree(field(9), dtype, threads=2)
    kernel = DeviceKernel(field(9), dtype, "cpu")
    out = torch.full((2, 5, 512), torch.nan, dtype=dtype)
    operator.combine(vectors.to(dtype)[:, :4], coefficients, phases, out)
    assert (out - wanted).norm(dim=-1).max() < 10 * ROUNDING[dtype]
    operator.combine(vectors.to(dtype)[:, :4], coefficients, phases, out, add=True)
    assert (out - 2 * wanted).norm(dim=-1).max() < 10 * ROUNDING[dtype]
    kernel.combine(vectors.to(dtype)[:, :4], coefficients, phases, out, True)
    assert (out - 3 * wanted).norm(dim=-1).max() < 10 * ROUNDING[dtype]


@pytest.mark.parametrize("model", [field, exchange, lambda size: strings(size, "XYZ", 2)])
@pytest.mark.parametrize("size", [1, 3, 7, 8, 10])
def test_intervals_hold_the_spectrum(model: Callable[[int], PauliSum], size: int) -> None:
    hamiltonian = model(size)
    operator = MatrixFree(hamiltonian)
    energies = np.linalg.eigvalsh(hamiltonian.to_dense())
    width = energies[-1] - energies[0]
    for action in (0.01, 3.0, 1000.0):
        interval = spectral_interval(operator, action)
        lower, upper = interval.centre - interval.radius, interval.centre + interval.radius
        assert operator.lower - 1e-12 <= lower <= energies[0]
        assert energies[-1] <= upper <= operator.upper + 1e-12
        if size <= 7:
            assert upper - lower < width + 1e-10
    # Many Lanczos steps leave a small residual beside a converged Ritz value.
    assert upper - lower < 1.7 * width + 1e-10


def test_interval_of_a_multiple_of_nothing() -> None:
    interval = spectral_interval(MatrixFree(PauliSum(9, ())), 1.0)
    assert interval.centre == 0
    assert 0 < interval.radius < 1e-200


def test_no_matrix_is_kept() -> None:
    program = MatrixFree(exchange(16))._kernel._program  # type: ignore[union-attr]  # what it holds is the point
    kept = sum(array.nbytes for array in program if isinstance(array, np.ndarray))
    assert kept < 1.25 * program.diagonal.nbytes
    assert program.diagonal.nbytes == 8 * 2**16


@DTYPES
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("size", [2, 6, 11])
def test_orthogonal_vectors(size: int, threads: int, dtype: torch.dtype) -> None:
    """One thread for each state, all threads for each, and torch for less than a run."""
    batch, count = 2, 2 if size == 2 else 5
    random = states(size, batch * count).view(batch, count, -1)
    before = torch.linalg.qr(random.transpose(1, 2)).Q.transpose(1, 2).contiguous()
    # The first is nearly in the span of those before it, where one pass is not enough.
    given = states(size, batch, seed=9)
    given[0] = before[0].sum(dim=0) + 1e-4 * given[0]
    overlaps = torch.matmul(before.conj(), given[:, :, None])
    wanted = given - torch.matmul(overlaps.transpose(1, 2), before)[:, 0]
    new = given.to(dtype)
    components, norms = MatrixFree(field(size), dtype, threads=threads).orthogonalise(before.to(dtype), new)
    rounding = 10 * ROUNDING[dtype]
    np.testing.assert_allclose(components, overlaps[:, -1, 0].real.numpy(), atol=rounding)
    np.testing.assert_allclose(norms, wanted.norm(dim=1).numpy(), atol=rounding)
    assert (new - wanted).norm(dim=1).max() < rounding
    left = torch.matmul(before.to(dtype).conj(), new[:, :, None]).abs().amax(dim=(1, 2))
    assert (left.numpy() < rounding * norms).all()
