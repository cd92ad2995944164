"""Rollouts of the `padded` network, which takes a whole state as one vector of `R = 2 * 2**N` reals.

    x = encoder psi            D channels
    L layers of simple recurrent units
    psi(t + dt) - psi(t) = decoder applied to the last layer's output

The network runs in float32, which is enough for the small change of a step; the states are summed and normalised in
float64. A step is a handful of small matrix products, so that calls would cost more than arithmetic.
"""
