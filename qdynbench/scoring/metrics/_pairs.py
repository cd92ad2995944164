"""Values that several metrics take from the same pair of blocks are computed once."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from qdynbench.contract.window import Window

PairFunction = Callable[["Window", "Window"], "torch.Tensor"]


def once_per_pair(function: PairFunction) -> PairFunction:
    """Remember the result for each living prediction window and the reference window it was last compared with."""
    remembered: weakref.WeakKeyDictionary[Window, tuple[weakref.ref[Window], torch.Tensor]]
    remembered = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def once(prediction: Window, reference: Window) -> torch.Tensor:
        known = remembered.get(prediction)
        if known is None or known[0]() is not reference:
            known = (weakref.ref(reference), function(prediction, reference))
            remembered[prediction] = known
        return known[1]

    return once


def states_of(window: Window) -> torch.Tensor:
    """Return the window's states, shape `(B, k, 2**N)`.

    Raises:
        TypeError: the window has observables alone; a metric that reads states must not be asked about it.
    """
    if window.states is None:
        raise TypeError("this metric compares states, but the solver gave observables alone")
    return window.states
