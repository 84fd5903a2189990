"""Errors of the model package; each says what was found, what was expected and what to do."""

from __future__ import annotations

__all__ = [
    "BasisError",
    "CheckpointError",
    "DensityError",
    "GraphError",
    "ScdpModelsError",
    "TrainingError",
]


class ScdpModelsError(ValueError):
    """Base class of every error raised on purpose by ``scdp_models``."""


class BasisError(ScdpModelsError):
    """A basis set lacks an element, or is not well formed."""


class GraphError(ScdpModelsError):
    """A structure cannot be turned into a graph."""


class CheckpointError(ScdpModelsError):
    """A checkpoint is unreadable, of another version, or does not fit the structure."""


class DensityError(ScdpModelsError):
    """Arrays of a density do not belong together."""


class TrainingError(ScdpModelsError):
    """Training cannot start or go on."""
