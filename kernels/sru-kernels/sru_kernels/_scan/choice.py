"""Which implementation of the scan a tensor gets; a missing one is replaced by the reference, with one line."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast

import torch

BY_DEVICE = {"cpu": "cpu", "cuda": "gpu"}
NEEDS = {"cpu": "numba", "gpu": "triton"}

_forced: list[str] = []


class Implementation(Protocol):
    """A module with both directions; see `reference` for their arguments."""

    def forward(
        self, u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs and memories."""

    def backward(
        self,
        u: torch.Tensor,
        x: torch.Tensor,
        v: torch.Tensor,
        c0: torch.Tensor,
        c: torch.Tensor,
        grad_h: torch.Tensor,
        grad_last: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the gradients of `u`, `x`, `v` and `c0`."""


def implementation(device: str) -> str:
    """Return the name of what is used on "cpu" or "cuda": "cpu", "gpu" or "reference"."""
    name = _forced[-1] if _forced else BY_DEVICE.get(device, "reference")
    return name if _module(name) is not None else "reference"


def load(device: str) -> Implementation:
    """Return the implementation for a kind of device, imported on first use."""
    return cast(Implementation, _module(implementation(device)))


@contextmanager
def use(name: str) -> Iterator[None]:
    """Use one implementation, "reference", "cpu" or "gpu", for a while, whatever the device; for tests and timings."""
    _forced.append(name)
    try:
        yield
    finally:
        _forced.pop()


@functools.cache
def _module(name: str) -> object | None:
    """Import an implementation, or say once why there is none."""
    try:
        return importlib.import_module(f"sru_kernels._scan.{name}")
    except ImportError as error:
        message = (
            f"sru: no {NEEDS[name]} ({error}), so the time loop runs in plain torch, which is several times slower"
        )
        warnings.warn(message, RuntimeWarning, stacklevel=2)
        return None
