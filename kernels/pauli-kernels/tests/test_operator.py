"""The matrix-free operator against products of 2x2 matrices, each on its own axis of a state."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from pauli_kernels import PauliOperator
from pauli_kernels._product import sorting
from pauli_kernels._product.device import DeviceKernel
from pauli_kernels._strings import Triple, checked, matrix

Terms = list[tuple[float, str, tuple[int, ...]]]
"""On some number of spins, which stands beside them."""

ROUNDING = {torch.complex128: 1e-13, torch.complex64: 1e-4}
DTYPES = pytest.mark.parametrize("dtype", list(ROUNDING), ids=["double", "single"])

PAULI = {"X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1, -1])}


def reference(size: int, terms: Sequence[Triple], x: torch.Tensor) -> torch.Tensor:
    """`H x` by 2x2 matrices, each on one of the N axes of a state."""
    total = np.zeros((len(x), 2**size), np.complex128)
    for coefficient, letters, sites in terms:
        now = x.numpy().reshape(len(x), *[2] * size)
        for letter, site in zip(letters, sites, strict=True):
            now = np.moveaxis(np.tensordot(PAULI[letter], now, (1, site + 1)), 0, site + 1)
        total += coefficient * now.reshape(total.shape)
    return torch.from_numpy(total)


def strings(size: int, letters: str, seed: int) -> Terms:
    """Fourteen random strings of any length."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, size + 1, 14)
    return [
        (float(random.normal()), "".join(random.choice(list(letters), n)), tuple(random.permutation(size)[:n].tolist()))
        for n in lengths
    ]


def exchange(size: int) -> Terms:
    """XX and YY of every pair of neighbours, at unequal strengths, and a field."""
    bonds = [(i, i + 1) for i in range(size - 1)]
    return [*((c, p, b) for b in bonds for c, p in ((1, "XX"), (1, "YY"), (0.3, "XY"), (0.7, "ZZ"))), (0.4, "X", (0,))]


def field(size: int) -> Terms:
    """The mixed-field Ising chain, every site with its own field."""
    return [
        *((1.0, "ZZ", (i, i + 1)) for i in range(size - 1)),
        *((0.3 + 0.1 * i, "X", (i,)) for i in range(size)),
        *((0.5, "Z", (i,)) for i in range(size)),
    ]


MODELS = pytest.mark.parametrize("model", [field, exchange, lambda size: strings(size, "XYZ", 1)])


def states(size: int, batch: int, seed: int = 3) -> torch.Tensor:
    """Random states, normalised."""
    random = torch.randn(batch, 2**size, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))
    return random / random.norm(dim=1, keepdim=True)


@functools.cache
def given(size: int, terms: tuple[tuple[float, str, tuple[int, ...]], ...]) -> tuple[torch.Tensor, ...]:
    """States, others, and H times the first."""
    x = states(size, 3)
    return x, states(size, 3, seed=4), reference(size, terms, x)


def device_kernel(size: int, terms: Terms, dtype: torch.dtype) -> DeviceKernel:
    return DeviceKernel(size, checked(size, terms), dtype, "cpu")


def every_third(array: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The same states, but as rows of a larger array."""
    wide = torch.full((len(array), 3, array.shape[1]), torch.nan, dtype=dtype)
    wide[:, 1] = array
    return wide[:, 1]


def check(operator: PauliOperator | DeviceKernel, size: int, terms: Terms, dtype: torch.dtype) -> None:
    """Both forms of the product, with states apart from each other, also in the place of `previous`."""
    x, previous, product = given(size, tuple(terms))
    scale = sum(abs(coefficient) for coefficient, _, _ in terms)
    for rotate in (False, True):
        wanted = (-1j if rotate else 1) * -0.7 * (product - 0.3 * x) + 0.4 * previous
        apart, before, out = (every_third(array, dtype) for array in (x, previous, torch.zeros_like(x)))
        if isinstance(operator, PauliOperator):
            operator.apply(apart, out, alpha=-0.7, shift=0.3, previous=before, beta=0.4, rotate=rotate)
            operator.apply(apart, before, alpha=-0.7, shift=0.3, previous=before, beta=0.4, rotate=rotate)
            assert torch.equal(out, before)
        else:
            operator.apply(apart, out, -0.7, 0.3, before, 0.4, rotate)
        assert (out - wanted).norm(dim=1).max() < scale * ROUNDING[dtype]


@DTYPES
@pytest.mark.parametrize("letters", ["X", "XZ", "XYZ", "Y"])
@pytest.mark.parametrize("size", range(1, 10))
def test_product_of_random_strings(size: int, letters: str, dtype: torch.dtype) -> None:
    terms = strings(size, letters, seed=size)
    check(PauliOperator(size, terms, dtype), size, terms, dtype)
    check(device_kernel(size, terms, dtype), size, terms, dtype)


@DTYPES
@pytest.mark.parametrize("threads", [1, 2])
@MODELS
def test_product_beyond_a_panel(model: Callable[[int], Terms], threads: int, dtype: torch.dtype) -> None:
    terms = model(16)  # 6 bits leave a panel of 1024
    check(PauliOperator(16, terms, dtype, threads=threads), 16, terms, dtype)


@DTYPES
@pytest.mark.parametrize("threads", [1, 2])
@MODELS
def test_flips_between_far_panels(
    model: Callable[[int], Terms], threads: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes of two bits, three and four of the six that leave a panel: what large chains have, at 16 spins."""
    terms = model(16)
    monkeypatch.setattr(sorting, "SMALLEST_APART", 1)
    for near, bits, groups in ((4, 2, 2), (8, 3, 1), (4, 4, 1)):
        monkeypatch.setattr(sorting, "NEAR_PANELS", near)
        monkeypatch.setattr(sorting, "FAR_BITS", bits)
        assert len(sorting.build(16, checked(16, field(16)), np.float64).far) == groups
        check(PauliOperator(16, terms, dtype, threads=threads), 16, terms, dtype)


def test_large_chains_have_far_panels() -> None:
    """17 spins are the first, as the constants stand."""
    assert not sorting.build(16, checked(16, field(16)), np.float64).far
    [group] = sorting.build(17, checked(17, field(17)), np.float64).far
    assert (group.rows, group.stride, len(group.flips)) == (8, 16, 3)
    check(PauliOperator(17, field(17), threads=2), 17, field(17), torch.complex128)


COMPILED = """
import sys
import numpy as np
import torch
from pauli_kernels import PauliOperator
from pauli_kernels._product import cpu, far, orthogonal

LOOPS = (cpu.product, cpu.combine, cpu.expand, far.add_far, orthogonal.orthogonalise, orthogonal.overlaps_of,
         orthogonal.subtract_from)
dtype = getattr(torch, sys.argv[1])
terms = [(0.5, "X", (i,)) for i in range(17)] + [(1.0, "ZZ", (i, i + 1)) for i in range(16)]
operator = PauliOperator(17, terms, dtype, threads=2)  # large enough for all of them
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


def test_more_flips_leave_a_panel_than_are_fused() -> None:
    terms = [(0.1 + i, "X" * 2, (i % 2, 2 + i)) for i in range(11)]
    check(PauliOperator(13, terms), 13, terms, torch.complex128)


@pytest.mark.parametrize("terms", [[], [(1.0, "X", (2,)), (-1.0, "X", (2,))]])
def test_nothing_is_zero(terms: Terms) -> None:
    x = states(5, 2)
    out = torch.full_like(x, torch.nan)
    PauliOperator(5, terms).apply(x, out)
    assert torch.equal(out, torch.zeros_like(x))


def test_unread_memory_may_hold_anything() -> None:
    x, previous = states(5, 2), torch.full((2, 32), torch.nan, dtype=torch.complex128)
    PauliOperator(5, field(5)).apply(x, previous, previous=previous, beta=0.0)
    assert torch.isfinite(torch.view_as_real(previous)).all()


def test_other_shapes_and_types_are_refused() -> None:
    operator, x = PauliOperator(5, field(5)), states(5, 2)
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
    operator = PauliOperator(9, field(9), dtype, threads=2)
    kernel = device_kernel(9, field(9), dtype)
    out = torch.full((2, 5, 512), torch.nan, dtype=dtype)
    operator.combine(vectors.to(dtype)[:, :4], coefficients, phases, out)
    assert (out - wanted).norm(dim=-1).max() < 10 * ROUNDING[dtype]
    operator.combine(vectors.to(dtype)[:, :4], coefficients, phases, out, add=True)
    assert (out - 2 * wanted).norm(dim=-1).max() < 10 * ROUNDING[dtype]
    kernel.combine(vectors.to(dtype)[:, :4], coefficients, phases, out, True)
    assert (out - 3 * wanted).norm(dim=-1).max() < 10 * ROUNDING[dtype]


@pytest.mark.parametrize("letters", ["XZ", "XYZ"])
def test_the_matrix_of_a_few_spins(letters: str) -> None:
    for size in range(1, 5):
        terms = strings(size, letters, seed=size)
        columns = reference(size, terms, torch.eye(2**size) + 0j).numpy().T
        np.testing.assert_allclose(matrix(size, checked(size, terms)), columns, atol=1e-14)


@pytest.mark.parametrize("model", [field, exchange, lambda size: strings(size, "XYZ", 2)])
@pytest.mark.parametrize("size", [1, 3, 7, 8, 10])
def test_intervals_hold_the_spectrum(model: Callable[[int], Terms], size: int) -> None:
    terms = model(size)
    operator = PauliOperator(size, terms)
    energies = np.linalg.eigvalsh(matrix(size, checked(size, terms)))
    width = energies[-1] - energies[0]
    for action in (0.01, 3.0, 1000.0):
        interval = operator.spectral_interval(action)
        lower, upper = interval.centre - interval.radius, interval.centre + interval.radius
        assert operator.lower - 1e-12 <= lower <= energies[0]
        assert energies[-1] <= upper <= operator.upper + 1e-12
        if size <= 7:
            assert upper - lower < width + 1e-10
    # Many Lanczos steps leave a small residual beside a converged Ritz value.
    assert upper - lower < 1.7 * width + 1e-10


def test_interval_of_a_multiple_of_nothing() -> None:
    interval = PauliOperator(9, []).spectral_interval(1.0)
    assert interval.centre == 0
    assert 0 < interval.radius < 1e-200


def test_no_matrix_is_kept() -> None:
    near = PauliOperator(16, exchange(16))._kernel._near  # type: ignore[union-attr]  # what it holds is the point
    kept = sum(array.nbytes for array in near if isinstance(array, np.ndarray))
    assert kept < 1.25 * near.diagonal.nbytes
    assert near.diagonal.nbytes == 8 * 2**16


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
    components, norms = PauliOperator(size, field(size), dtype, threads=threads).orthogonalise(before.to(dtype), new)
    rounding = 10 * ROUNDING[dtype]
    np.testing.assert_allclose(components, overlaps[:, -1, 0].real.numpy(), atol=rounding)
    np.testing.assert_allclose(norms, wanted.norm(dim=1).numpy(), atol=rounding)
    assert (new - wanted).norm(dim=1).max() < rounding
    left = torch.matmul(before.to(dtype).conj(), new[:, :, None]).abs().amax(dim=(1, 2))
    assert (left.numpy() < rounding * norms).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ((1.0, "A", (0,)), "one letter X, Y or Z"),
        ((1.0, "XX", (0,)), "one letter X, Y or Z"),
        ((1.0, "", ()), "one letter X, Y or Z"),
        ((1.0, "X", (3,)), "sites from 0 to 2"),
        ((1.0, "XX", (1, 1)), "different sites"),
        ((1j, "X", (0,)), "finite real coefficient"),
        ((np.inf, "X", (0,)), "finite real coefficient"),
    ],
)
def test_terms_that_are_no_hermitian_sum_are_refused(wrong: tuple[float, str, tuple[int, ...]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PauliOperator(3, [(1.0, "Z", (0,)), wrong])
