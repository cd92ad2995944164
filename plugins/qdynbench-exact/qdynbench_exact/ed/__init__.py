"""Exact diagonalisation: of the whole matrix, of its symmetry sectors, and of every Hamiltonian of a drive."""
