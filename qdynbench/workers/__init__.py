"""The worker processes: the protocol they speak, and the code that runs inside them."""
