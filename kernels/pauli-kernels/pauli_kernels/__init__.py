"""Sums of Pauli strings on batches of state vectors, without a matrix: products, expansions and product formulas."""

from __future__ import annotations

from pauli_kernels._formula.formula import ProductFormula, Work
from pauli_kernels._product.operator import PauliOperator
from pauli_kernels._product.spectrum import Interval

__all__ = ["Interval", "PauliOperator", "ProductFormula", "Work"]
