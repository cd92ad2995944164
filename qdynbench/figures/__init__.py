"""The core's own figures: accuracy against cost, cost against size, and prediction against outcome."""
