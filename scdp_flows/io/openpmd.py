"""Read densities from openPMD files in HDF5, as MALA writes them.

The file holds the mesh ``Density`` with its unit, but neither cell nor atoms; they stand in a
structure file beside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.companions import read_companion
from scdp_flows.io.hdf5 import HDF5_SIGNATURE, Hdf5File, open_hdf5

if TYPE_CHECKING:
    import os

__all__ = ["OpenPmdFormat", "read_openpmd"]

_PER_CUBIC_METRE = 1e30  # of 1/Å^3
_DIMENSION = -3.0
_MESH = "Density"


@dataclass(frozen=True)
class OpenPmdFormat:
    """Make openPMD meshes known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first bytes whether a file may be of this format."""
        return head.startswith(HDF5_SIGNATURE)

    def confirms(self, path: str | os.PathLike[str]) -> bool:
        """Tell by what a file holds whether it is of this format."""
        try:
            with open_hdf5(path) as file:
                return file.attribute("/", "openPMD") is not None
        except DensityFormatError:
            return False

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_openpmd(path)


def read_openpmd(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read the mesh ``Density`` of the only iteration of a file.

    Raises
    ------
    DensityFormatError
        If a file is missing or damaged, the mesh is no density, or there is no structure beside.
    """
    with open_hdf5(path) as file:
        name = _find_mesh(file)
        components = file.names(name)
        if len(components) != 1:
            raise file.error(f"holds {components}, expected one component", field=name)
        unit = file.attribute(f"{name}/{components[0]}", "unitSI")
        dimension = file.attribute(name, "unitDimension")
        if unit is None or dimension is None or float(np.ravel(dimension)[0]) != _DIMENSION:
            raise file.error("is not in electrons per volume", field=name)
        values = file.array(f"{name}/{components[0]}") * (float(unit) / _PER_CUBIC_METRE)
        if file.attribute(name, "dataOrder") in {b"F", "F"}:
            values = values.transpose()
        atoms = read_companion(path)
        if atoms.cell is None:
            raise file.error(
                "the structure beside it has no cell",
                field="structure",
                fix='give the cell of the grid: Lattice="..." in extended xyz, or a CIF',
            )
        return ChargeDensity(
            values, atoms.cell, np.zeros(3), atoms.numbers, atoms.positions, pbc=atoms.pbc
        )


def _find_mesh(file: Hdf5File) -> str:
    """Return the path of the mesh in the only iteration."""
    steps = file.names("data")
    if len(steps) != 1:
        raise file.error(f"holds {len(steps)} iterations, expected one", field="data")
    name = f"data/{steps[0]}/meshes/{_MESH}"
    if name not in file:
        held = file.names(f"data/{steps[0]}/meshes")
        raise file.error(f"holds the meshes {held}, expected {_MESH}", field="data")
    return name
