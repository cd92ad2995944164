"""The networks of both encoders, as they are trained and as they are folded for the kernels of `sru_kernels`."""

from __future__ import annotations

from qdynbench_sru.networks.architecture import Architecture, Encoder
from qdynbench_sru.networks.network import Network

__all__ = ["Architecture", "Encoder", "Network"]
