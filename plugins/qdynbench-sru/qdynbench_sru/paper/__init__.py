"""The figures and the table of Zhang et al., Chin. Phys. Lett. 37, 018401 (2020), one module each, drawn from a run."""
