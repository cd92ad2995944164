"""Product formulas: how strings fall into layers, and gates against the exponentials of whole matrices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pauli_kernels import ProductFormula
from pauli_kernels._formula.gates import split
from pauli_kernels._strings import checked, matrix

Terms = list[tuple[float, str, tuple[int, ...]]]


def ising(size: int) -> Terms:
    fields = [term for i in range(size) for term in ((-1.05, "X", (i,)), (0.5, "Z", (i,)))]
    return [*((1.0, "ZZ", (i, i + 1)) for i in range(size - 1)), *fields]


def xxz(size: int) -> Terms:
    return [(c, p, (i, i + 1)) for i in range(size - 1) for c, p in ((1.0, "XX"), (1.0, "YY"), (0.7, "ZZ"))]


def strang(layers: Sequence[int], action: float) -> list[tuple[int, float]]:
    return [(layer, action / 2) for layer in (*layers, *reversed(layers))]


def random_state(size: int, batch: int) -> torch.Tensor:
    return torch.randn(batch, 2**size, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))


def evolved(formula: ProductFormula, states: torch.Tensor, action: float, count: int = 1) -> torch.Tensor:
    formula.prepare(action)
    out = torch.empty(len(states), count, states.shape[1], dtype=states.dtype)
    formula.evolve(states, action, out)
    return out


def exact(size: int, terms: Terms, states: torch.Tensor, action: float) -> torch.Tensor:
    energies, vectors = np.linalg.eigh(matrix(size, checked(size, terms)))
    unitary = torch.from_numpy(vectors * np.exp(-1j * action * energies) @ vectors.conj().T)
    return states @ unitary.T


def test_bonds_of_the_xxz_chain_come_in_two_layers() -> None:
    diagonal, layers = split(checked(6, xxz(6)))
    assert diagonal == []
    assert [[gate.sites for gate in layer] for layer in layers] == [[(0, 1), (2, 3), (4, 5)], [(1, 2), (3, 4)]]
    assert ProductFormula(6, xxz(6), strang).layers == range(2)


def test_the_ising_chain_is_a_diagonal_and_one_layer() -> None:
    diagonal, layers = split(checked(4, ising(4)))
    assert {term.letters for term in diagonal} == {"ZZ"}
    # One spin's Z goes with its X.
    assert [[len(gate.terms) for gate in layer] for layer in layers] == [[2, 2, 2, 2]]
    assert ProductFormula(4, ising(4), strang).layers == range(-1, 1)


@pytest.mark.parametrize("dtype", [torch.complex128, torch.complex64])
@pytest.mark.parametrize("letters", ["X", "Y", "XYZ"])
def test_one_string_is_exact(letters: str, dtype: torch.dtype) -> None:
    """On one to five sites in any order: every kind of gate, and several steps at once."""
    for length in range(1, 6):
        paulis = (letters * 5)[:length]
        terms = [(0.7, paulis, tuple(np.random.default_rng(length).permutation(6)[:length].tolist()))]
        states = random_state(6, 3)
        found = evolved(ProductFormula(6, terms, strang, dtype, threads=2), states.to(dtype), 0.4, 3)
        for step in range(3):
            wanted = exact(6, terms, states, 0.4 * (step + 1))
            assert (found[:, step] - wanted).abs().max() < (1e-13 if dtype == torch.complex128 else 1e-5)


def test_many_tiles_are_swept_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight spins in tiles of five, with gates on near and far sites, against one tile."""
    terms = [*ising(8), (0.3, "XY", (0, 7)), (0.2, "XZX", (1, 3, 6)), (0.1, "YXZY", (0, 2, 4, 5))]
    states = random_state(8, 2)
    whole = evolved(ProductFormula(8, terms, strang), states, 0.1, 2)
    monkeypatch.setattr("pauli_kernels._formula.gates.TILE_SITES", 5)
    monkeypatch.setattr("pauli_kernels._formula.gates.COLUMN_SITES", 1)
    monkeypatch.setattr("pauli_kernels._formula.formula.TILE_SITES", 5)
    assert (evolved(ProductFormula(8, terms, strang), states, 0.1, 2) - whole).abs().max() < 1e-13


def test_work_is_counted_without_states() -> None:
    """Strang's formula on 40 spins: the diagonal twice, with one vector of phases, and one layer of gates twice."""
    work = ProductFormula(40, ising(40), strang).work(0.1)
    assert (work.gates, work.phases) == (2 * 40, 1)
    assert 2 + 2 * 40 / 12 <= work.passes < 2 + 2 * 40


def test_a_gate_on_too_many_sites_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 12 sites"):
        ProductFormula(14, [(1.0, "X" * 13, tuple(range(13)))], strang)
    ProductFormula(14, [(1.0, "Z" * 13, tuple(range(13)))], strang)


def test_the_example_of_the_readme() -> None:
    """Run it, and compare the energies before and after: Strang's formula keeps them to the square of its step."""
    text = (Path(__file__).parents[1] / "README.md").read_text()
    names: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], names)  # noqa: S102 - our own text
    before = (names["states"].conj() * names["product"]).sum(dim=1).real
    after = torch.empty_like(names["states"])
    last = names["trajectory"][:, -1].contiguous()
    names["operator"].apply(last, after)
    assert (last.conj() * after).sum(dim=1).real.sub(before).abs().max() < 1e-2
    assert before.tolist() == [9.0, 9.0]
