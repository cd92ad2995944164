"""The figures of a run: the contract of one, what they share, and those of the core."""
