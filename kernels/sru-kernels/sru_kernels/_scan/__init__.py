"""The time loop of simple recurrent units: one operator, `sru_scan`, with an implementation for each device.

All matrix products are done for all times before the loop; what is left to it is elementwise (paper, equations of the
cell; Lei et al., arXiv 1709.02755). With `w = W x`, `p = W_f x + b_f` and `q = W_r x + b_r` given,

    f_t = sigmoid(p_t + v_f * c_{t-1})
    r_t = sigmoid(q_t + v_r * c_{t-1})
    c_t = f_t * c_{t-1} + (1 - f_t) * w_t
    h_t = r_t * c_t + (1 - r_t) * x_t

The peepholes make it nonlinear in the memory: sequential in time, parallel over sequences and channels. So it is bound
by memory traffic where these are many and by latency where they are few. Forward reads four scalars for each element
and step (w, p, q, x) and writes two (h, c); backward reads six (w, p, q, x, c, dL/dh) and writes four, with the gates
computed again rather than stored. Every implementation keeps to these counts.

The gradient. Write `H_t = dL/dh_t` and `C_t = dL/dc_t` (through every path). The skip gate's argument gets

    R_t = H_t * (c_t - x_t) * r_t * (1 - r_t).

The memory reaches the loss through `h_t`, and through `c_{t+1}` and `r_{t+1}` of the next step:

    C_t = H_t * r_t + a_{t+1} * C_{t+1} + v_r * R_{t+1},    a_t = dc_t/dc_{t-1} = f_t + v_f * s_t,
    s_t = dc_t/dp_t = f_t * (1 - f_t) * (c_{t-1} - w_t),

which is the loop, from the last time to the first. Then

    dL/dw_t = C_t * (1 - f_t)     dL/dp_t = C_t * s_t       dL/dq_t = R_t        dL/dx_t = H_t * (1 - r_t)
    dL/dv_f = sum_t C_t * s_t * c_{t-1}                     dL/dv_r = sum_t R_t * c_{t-1}
    dL/dc_0 = a_1 * C_1 + v_r * R_1.
"""

from __future__ import annotations

from sru_kernels._scan.choice import implementation, use
from sru_kernels._scan.operator import sru_scan

__all__ = ["implementation", "sru_scan", "use"]
