"""What everyone agrees on: problems, solvers, metrics, models, ensembles, and the rules that blocks are checked by."""
