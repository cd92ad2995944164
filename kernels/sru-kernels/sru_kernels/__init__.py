"""Kernels of the simple recurrent unit: the scan over time with its gradient, and rollouts of whole networks.

The names below are public; all other modules may change without notice.
"""

from __future__ import annotations

from sru_kernels.layer import SRU, SRULayer
from sru_kernels.local.folded import FoldedLocal
from sru_kernels.local.propagator import LocalPropagator
from sru_kernels.padded.folded import FoldedPadded
from sru_kernels.padded.propagator import PaddedPropagator
from sru_kernels.propagator import Propagator
from sru_kernels.rollout import Rollout
from sru_kernels.scan import implementation, sru_scan, use

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
