"""The matrix-free product and what expansions need beside it: on a CPU compiled loops, elsewhere torch."""
