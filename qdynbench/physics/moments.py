"""Mean and variance of a Pauli sum in batches of states, with few passes over long state vectors.

Taken term by term, a state of 20 spins would be read from main memory once for each flip mask. Here all strings of Z
form one vector; strings on one site follow from the spins, which scoring needs anyway; strings within a few
neighbouring sites form one small matrix; and only strings that reach further are applied flip by flip.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping

import numpy as np
import torch

from qdynbench.physics import basis, observables
from qdynbench.physics.observables import Axis, by_chunks, probability, summed
from qdynbench.physics.operators import PauliSum, PauliTerm

REACH = 5
"""Number of neighbouring sites that a term may span to become part of a small matrix."""


def mean(operator: PauliSum, states: torch.Tensor, spins: Mapping[Axis, torch.Tensor] | None = None) -> torch.Tensor:
    """Return `<psi|H|psi>` for states of shape `(..., 2**N)`, not normalised; float64, shape `(...)`.

    Args:
        operator: H, hbar = 1.
        states: the states.
        spins: their magnetization as `qdynbench.physics.observables.magnetization` gives it, if it is known.
    """
    return _moments(operator).mean(states, spins)


def variance(operator: PauliSum, states: torch.Tensor) -> torch.Tensor:
    """Return `<H^2> - <H>^2` of the normalised states `(..., 2**N)`, float64, shape `(...)`; 0 for a state of norm 0.

    It is computed as `|(H - E) psi|^2 / |psi|^2` with the mean energy E. The difference of the two large numbers would
    have a rounding error of 1e-13.
    """
    return by_chunks(_moments(operator).variance, states)


class _Moments:
    """The parts of one Pauli sum, as the mean needs them; those of the variance are found when first asked for."""

    def __init__(self, operator: PauliSum) -> None:
        self._operator = operator
        self._fields = _fields(operator)
        self._couplings, self._near, self._far = self._split(term for term in operator.terms if len(term.sites) > 1)

    def mean(self, states: torch.Tensor, spins: Mapping[Axis, torch.Tensor] | None) -> torch.Tensor:
        total = torch.zeros(states.shape[:-1], dtype=torch.float64, device=states.device)
        if self._fields:
            spins = observables.magnetization(states) if spins is None else spins
            for axis, weights in self._fields.items():
                total += spins[axis] @ weights.to(states.device)
            total *= observables.norm(states).square()
        if self._couplings is not None:
            diagonal = self._couplings.to(states.device).expand(states.shape)
            total += summed(lambda psi, d: (probability(psi) * d).sum(-1), states, diagonal)
        for first, matrix in self._near:
            total += observables.stretch_means(states, first, matrix[None])[..., 0]
        if self._far.terms:
            total += by_chunks(lambda psi: torch.linalg.vecdot(psi, _flipped(self._far, psi)).real, states)
        return total

    def variance(self, states: torch.Tensor) -> torch.Tensor:
        diagonal, near, far = self._action
        applied = _flipped(far, states)
        if diagonal is not None:
            applied += states * diagonal.to(states.device)
        for first, matrix in near:
            applied += _acted_on(states, first, matrix.to(states.device))
        weight = _norm(states).square().clamp_min(torch.finfo(torch.float64).tiny)
        energy = torch.linalg.vecdot(states, applied).real / weight
        applied -= energy[..., None] * states
        variance: torch.Tensor = _norm(applied).square() / weight
        return variance

    @functools.cached_property
    def _action(self) -> tuple[torch.Tensor | None, list[tuple[int, torch.Tensor]], PauliSum]:
        return self._split(self._operator.terms)

    def _split(
        self, terms: Iterable[PauliTerm]
    ) -> tuple[torch.Tensor | None, list[tuple[int, torch.Tensor]], PauliSum]:
        """Return the diagonal of the strings of Z, `(first site, matrix)` for near terms, and the terms beyond."""
        diagonal: list[PauliTerm] = []
        others: list[PauliTerm] = []
        for term in terms:
            (diagonal if set(term.paulis) == {"Z"} else others).append(term)
        near, far = _stretches(others)
        vector = torch.from_numpy(self._part(diagonal).flips[0]) if diagonal else None
        return vector, [(first, _matrix(first, inside)) for first, inside in near], self._part(far)

    def _part(self, terms: Iterable[PauliTerm]) -> PauliSum:
        return dataclasses.replace(self._operator, terms=tuple(terms))


_moments = functools.lru_cache(maxsize=4)(_Moments)


def _norm(states: torch.Tensor) -> torch.Tensor:
    # The norm of the real view: torch's norm of complex numbers takes 25 times as long.
    norm: torch.Tensor = torch.linalg.vector_norm(torch.view_as_real(states).flatten(-2), dim=-1)
    return norm


def _fields(operator: PauliSum) -> dict[Axis, torch.Tensor]:
    """Return the coefficient of each site along each axis that occurs in the terms on one site."""
    found: dict[Axis, torch.Tensor] = {}
    axes: dict[str, Axis] = {"X": "x", "Y": "y", "Z": "z"}
    for term in operator.terms:
        if len(term.sites) == 1:
            weights = found.setdefault(axes[term.paulis], torch.zeros(operator.size, dtype=torch.float64))
            weights[term.sites[0]] += term.coefficient
    return found


def _stretches(terms: list[PauliTerm]) -> tuple[list[tuple[int, list[PauliTerm]]], list[PauliTerm]]:
    """Group terms by stretches of at most `REACH` sites, `(first site, terms)`; the other terms reach further."""
    near: list[tuple[int, list[PauliTerm]]] = []
    far = []
    for term in sorted(terms, key=lambda term: min(term.sites)):
        if max(term.sites) - min(term.sites) >= REACH:
            far.append(term)
        elif near and max(term.sites) - near[-1][0] < REACH:
            near[-1][1].append(term)
        else:
            near.append((min(term.sites), [term]))
    return near, far


def _matrix(first: int, terms: list[PauliTerm]) -> torch.Tensor:
    """Return the terms of a stretch as a matrix on its sites, complex128."""
    count = max(max(term.sites) for term in terms) - first + 1
    moved = ((term.coefficient, term.paulis, [site - first for site in term.sites]) for term in terms)
    return torch.from_numpy(PauliSum.from_terms(count, moved).to_dense().astype(np.complex128))


def _acted_on(states: torch.Tensor, first: int, matrix: torch.Tensor) -> torch.Tensor:
    """Return the states `(..., 2**N)` after a matrix has acted on the neighbouring sites from `first` on."""
    kept = len(matrix)
    split = states.view(*states.shape[:-1], 1 << first, kept, -1)
    if split.shape[-1] >= kept:
        return (matrix @ split).view(states.shape)
    # One product with all other sites as rows: many products of small matrices would copy the matrix for each.
    rows = split.mT.reshape(-1, kept) @ matrix.T
    return rows.view(split.mT.shape).mT.reshape(states.shape)


def _flipped(operator: PauliSum, states: torch.Tensor) -> torch.Tensor:
    """Return the operator applied to the states, flip mask by flip mask."""
    applied = torch.zeros_like(states)
    for mask, vector in operator.flips.items() if operator.terms else ():
        partners = torch.from_numpy(basis.indices(operator.size) ^ mask).to(states.device)
        applied += torch.from_numpy(vector).to(states.device) * states[..., partners]
    return applied
