"""The training of both encoders, from recipe to finished weights."""

from __future__ import annotations

from qdynbench_sru.training.fit import Options, Precision, Training
from qdynbench_sru.training.recipe import CHUNK, FINE_TUNING, RECIPES, Recipe

__all__ = ["CHUNK", "FINE_TUNING", "RECIPES", "Options", "Precision", "Recipe", "Training"]
