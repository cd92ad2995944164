"""How two test processes share a machine: idle threads sleep, and no test has to be quick."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Before any library starts its threads. Where these spin while they wait for work, as those of OpenMP and OpenBLAS do,
# one test process takes the cores from the other; how many threads there are stays as it is.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
