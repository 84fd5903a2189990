"""Published checkpoints: give :func:`load` a state dict and hyper-parameters."""

from __future__ import annotations

from scdp_models.nn.legacy.model import LegacyModel, load
from scdp_models.nn.legacy.prediction import LegacyPrediction

__all__ = ["LegacyModel", "LegacyPrediction", "load"]
