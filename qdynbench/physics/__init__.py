"""Spin chains in the z basis: bit order, Pauli sums, observables and exact propagation."""
