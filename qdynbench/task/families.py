"""Standard model families, each with its source; hbar = 1.

Site 0 is the leftmost. `Sx = X / 2` and so on are spin operators, `X`, `Y`, `Z` Pauli matrices, and `n = (1 - Z) / 2`
counts excitations (spins down).
"""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, FiniteFloat, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from qdynbench.contract.model import Coupling, Model, Term, bonds_of, check_terms, spread, without_zeros
from qdynbench.errors import InputError
from qdynbench.physics.drive import Drive, Segment
from qdynbench.physics.operators import PauliSum
from qdynbench.task.models import ising_terms

Boundary = Literal["open", "periodic"]


class HeisenbergChain(Model):
    """H = J sum_i (Sx Sx + Sy Sy + delta Sz Sz) + sum_i h_i Sz_i: XX at delta = 0, XXZ, Heisenberg at delta = 1.

    With `disorder` W every case has random fields, uniform in `[-W, W]`, in addition to `h`: the model of Pal and
    Huse, PRB 82, 174411 (2010) and Luitz, Laflorencie and Alet, PRB 91, 081103 (2015).
    """

    J: Coupling = 1.0
    delta: FiniteFloat = 1.0
    h: Coupling = 0.0
    disorder: NonNegativeFloat = 0.0
    boundary: Boundary = "open"

    def realised(self, size: int, generator: np.random.Generator) -> Self:
        """Return the chain with the random fields of one case included in `h`."""
        if not self.disorder:
            return self
        drawn = generator.uniform(-self.disorder, self.disorder, size)
        fields = [h + float(random) for h, random in zip(spread("h", self.h, size), drawn, strict=True)]
        return self.model_copy(update={"h": fields, "disorder": 0.0})

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H on `size` spins.

        Raises:
            InputError: a list has another length, or the random fields have not been drawn.
        """
        if self.disorder:
            raise InputError("a disordered chain has a Hamiltonian only once its fields are drawn, see Model.realised")
        bonds = bonds_of(size, self.boundary)
        terms: list[Term] = []
        for coupling, bond in zip(spread("J", self.J, len(bonds)), bonds, strict=True):
            terms += [(coupling / 4, "XX", bond), (coupling / 4, "YY", bond), (coupling * self.delta / 4, "ZZ", bond)]
        terms += [(h / 2, "Z", (site,)) for site, h in enumerate(spread("h", self.h, size))]
        return PauliSum.from_terms(size, without_zeros(terms))


class ConstrainedChain(Model):
    """H = Omega sum_i P_{i-1} X_i P_{i+1} with `P = (1 + Z) / 2`: a spin flips only if its neighbours are up.

    The PXP model of Rydberg atoms in blockade, Turner et al., Nat. Phys. 14, 745 (2018). The ends of an open chain have
    terms `X P`.
    """

    Omega: FiniteFloat = 1.0
    boundary: Boundary = "open"

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H on `size` spins; a periodic chain needs at least three."""
        if self.boundary == "periodic" and size < 3:
            raise InputError("a periodic constrained chain has at least 3 spins")
        terms: list[Term] = []
        for site in range(size):
            around = [site - 1, site + 1]
            if self.boundary == "periodic":
                around = [neighbour % size for neighbour in around]
            neighbours = [neighbour for neighbour in around if 0 <= neighbour < size]
            weight = self.Omega / 2 ** len(neighbours)
            for count in range(len(neighbours) + 1):
                chosen = itertools.combinations(neighbours, count)
                terms += [(weight, "X" + "Z" * count, (site, *sites)) for sites in chosen]
        return PauliSum.from_terms(size, without_zeros(terms))


class SquareLatticeIsing(Model):
    """H = J sum_<ij> Z_i Z_j + g sum_i X_i on a square lattice of `width` columns, sites counted row by row.

    Without `width` the lattice is a square, and the number of spins has to be a square number. The critical field of
    the infinite lattice is |g| = 3.044 |J|, du Croo de Jongh and van Leeuwen, PRB 57, 8494 (1998).
    """

    J: FiniteFloat = 1.0
    g: FiniteFloat
    width: PositiveInt | None = None
    boundary: Boundary = "periodic"

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H on `size` spins; along a side of two sites there is one bond, open or periodic.

        Raises:
            InputError: the spins do not fill the lattice.
        """
        width = math.isqrt(size) if self.width is None else self.width
        if size % width or (self.width is None and width * width != size):
            shape = "a square" if self.width is None else f"rows of {width}"
            raise InputError(f"{size} spins do not fill {shape}")
        height = size // width
        bonds: list[tuple[int, ...]] = []
        for row in range(height):
            bonds += [(row * width + i, row * width + j) for i, j in bonds_of(width, self.boundary)]
        for column in range(width):
            bonds += [(i * width + column, j * width + column) for i, j in bonds_of(height, self.boundary)]
        terms: list[Term] = [(self.J, "ZZ", bond) for bond in bonds]
        terms += [(self.g, "X", (site,)) for site in range(size)]
        return PauliSum.from_terms(size, without_zeros(terms))


class RydbergChain(Model):
    """H = Omega / 2 sum_i X_i - Delta sum_i n_i + V sum_{i<j} n_i n_j / |i - j|**6.

    Bernien et al., Nature 551, 579 (2017). `V` is the interaction of neighbours. Atoms that are more than
    `reach` sites apart do not interact.
    """

    Omega: Coupling = 1.0
    Delta: Coupling = 0.0
    V: FiniteFloat
    reach: PositiveInt = 3

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H on `size` atoms of an open chain, without the constant term."""
        fields = [delta / 2 for delta in spread("Delta", self.Delta, size)]
        terms: list[Term] = [(rabi / 2, "X", (site,)) for site, rabi in enumerate(spread("Omega", self.Omega, size))]
        for i, j in itertools.combinations(range(size), 2):
            if j - i <= self.reach:
                quarter = self.V / (j - i) ** 6 / 4
                terms.append((quarter, "ZZ", (i, j)))
                fields[i] -= quarter
                fields[j] -= quarter
        terms += [(field, "Z", (site,)) for site, field in enumerate(fields)]
        return PauliSum.from_terms(size, without_zeros(terms))


class LongRangeIsing(Model):
    """H = J sum_{i<j} Z_i Z_j / |i - j|**alpha + g sum_i X_i: trapped ions, Jurcevic et al., PRL 119, 080501 (2017)."""

    J: FiniteFloat = 1.0
    g: Coupling
    alpha: NonNegativeFloat

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H on `size` ions of an open chain."""
        check_terms(size * (size - 1) // 2)
        pairs = itertools.combinations(range(size), 2)
        terms: list[Term] = [(self.J / (j - i) ** self.alpha, "ZZ", (i, j)) for i, j in pairs]
        terms += [(field, "X", (site,)) for site, field in enumerate(spread("g", self.g, size))]
        return PauliSum.from_terms(size, without_zeros(terms))


class KickedIsing(Model):
    """One unit of time under H = J sum Z Z + h sum Z, then a kick `exp(-i b sum X)`, periodically.

    Self-dual at J = b = pi / 4: Akila et al., J. Phys. A 49, 375101 (2016); Bertini, Kos and Prosen, PRL 121, 264101
    (2018).
    """

    J: Coupling
    b: Coupling
    h: Coupling = 0.0
    boundary: Boundary = "open"

    def hamiltonian(self, size: int) -> Drive:
        """Return the two segments of a period."""
        between = PauliSum.from_terms(size, ising_terms(size, self.boundary, self.J, 0.0, self.h))
        kick = PauliSum.from_terms(size, ising_terms(size, self.boundary, 0.0, self.b, 0.0))
        return Drive((Segment(between, duration=1.0), Segment(kick, duration=0.0, kick=1.0)))


class IsingSegment(Model):
    """A segment of a driven Ising chain: its couplings, as in the family `ising`, and its duration."""

    duration: PositiveFloat
    J: Coupling = 1.0
    g: Coupling = 0.0
    h: Coupling = 0.0

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H of an open chain in this segment."""
        return PauliSum.from_terms(size, ising_terms(size, "open", self.J, self.g, self.h))


class DrivenIsing(Model):
    """An open mixed-field Ising chain whose couplings change in steps: `segments` are repeated periodically."""

    segments: Annotated[list[IsingSegment], Field(min_length=1)]

    def hamiltonian(self, size: int) -> Drive:
        """Return the segments."""
        check_terms(len(self.segments) * size)
        return Drive(tuple(Segment(segment.hamiltonian(size), segment.duration) for segment in self.segments))


class PauliSegment(Model):
    """A segment of any drive: explicit terms that act for `duration`, or at once as a kick `exp(-i kick H)`."""

    terms: Annotated[list[tuple[FiniteFloat, str, list[int]]], Field(min_length=1)]
    duration: PositiveFloat | None = None
    kick: FiniteFloat | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.duration is None) == (self.kick is None):
            raise ValueError("a segment has either a duration or a kick")
        return self

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H of this segment."""
        return PauliSum.from_terms(size, self.terms)


class DrivenPauliStrings(Model):
    """Any piecewise-constant drive from explicit terms: `segments` are repeated periodically."""

    segments: Annotated[list[PauliSegment], Field(min_length=1)]

    def hamiltonian(self, size: int) -> Drive:
        """Return the segments."""
        return Drive(tuple(Segment(s.hamiltonian(size), s.duration or 0.0, s.kick) for s in self.segments))
