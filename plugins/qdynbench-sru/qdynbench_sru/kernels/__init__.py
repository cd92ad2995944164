"""`qdynbench sru kernels`: what the kernels cost, beside what one would use without them, in one run on one machine."""
