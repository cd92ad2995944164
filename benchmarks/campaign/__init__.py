"""The parts of the fault campaign: what can go wrong, tried at random, and what came of it."""
