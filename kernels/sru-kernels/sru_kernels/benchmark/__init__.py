"""What the kernels cost, beside what one would use without them, in one run on one machine."""
