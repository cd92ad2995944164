"""Kernels of the simple recurrent unit: the scan over time with its gradient, and rollouts of whole networks.

The names below are public; all other modules may change without notice.
"""

from __future__ import annotations

from sru_kernels._layer import SRU, SRULayer
from sru_kernels._local.folded import FoldedLocal
from sru_kernels._local.propagator import LocalPropagator
from sru_kernels._padded.folded import FoldedPadded
from sru_kernels._padded.propagator import PaddedPropagator
from sru_kernels._propagator import Propagator
from sru_kernels._rollout import Rollout
from sru_kernels._scan import implementation, sru_scan, use

__all__ = [
    "SRU",
    "FoldedLocal",
    "FoldedPadded",
    "LocalPropagator",
    "PaddedPropagator",
    "Propagator",
    "Rollout",
    "SRULayer",
    "implementation",
    "sru_scan",
    "use",
]
