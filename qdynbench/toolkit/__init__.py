"""What authors of solvers share; public, as `qdynbench.toolkit`."""
