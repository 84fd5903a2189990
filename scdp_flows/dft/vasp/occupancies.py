"""Open what gives PAW occupancies to predicted densities: a library, or a model trained on one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
from scdp_flows.dft.vasp.fit import OccupancyModel

if TYPE_CHECKING:
    import os

__all__ = ["MODEL_SUFFIX", "read_occupancies"]

MODEL_SUFFIX = ".safetensors"
"""How the files of models end; libraries are JSON."""


def read_occupancies(path: str | os.PathLike[str]) -> OccupancyLibrary | OccupancyModel:
    """Read a library of occupancies or a model of them, by the end of the file's name.

    Raises
    ------
    CalculationError
        If the file is missing or neither.
    """
    if Path(path).suffix == MODEL_SUFFIX:
        return OccupancyModel.read(path)
    return OccupancyLibrary.read(path)
