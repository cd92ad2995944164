"""Rollouts of the `local` network, in which every amplitude `psi_b` of a state of N spins is a token of its own.

    phi_b = sum over flips F of weight_{F,b} psi_{b xor F}
    token, candidate, forget gate and skip gate of the first layer: linear in (psi_b, phi_b, 1), by coefficients of b
    further layers of simple recurrent units, the same weights for every token
    psi_b(t + dt) - psi_b(t) = decoder applied to the last layer's output, real and imaginary part

The network runs in float32, which is enough for the small change of a step; the states are summed and normalised in
float64.
"""
