"""Read the densities of ABINIT: ``_DEN`` files in netCDF or Fortran binary.

Lengths are in bohr and densities in e/bohr^3, the first index running fastest. With two spins the
first component is the total density and the second that of spin up. With projector-augmented waves
the compensation charges are part of the density.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.fortran import FortranRecords
from scdp_flows.io.hdf5 import HDF5_SIGNATURE, holds, open_hdf5
from scdp_flows.io.netcdf3 import NETCDF3_SIGNATURE, open_netcdf3
from scdp_flows.io.reading import format_errors, read_start
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from scdp_flows.io.hdf5 import Hdf5File
    from scdp_flows.io.netcdf3 import Netcdf3File

__all__ = ["AbinitDenFormat", "AbinitNetcdfFormat", "read_abinit_den", "read_abinit_netcdf"]

_PERIODIC = (True, True, True)
_VARIABLES = ("density", "primitive_vectors", "reduced_atom_positions")
_ELECTRONS = 1e-2
_HEADERS = range(80, 200)  # ABINIT 8 and later
_DENSITY_FORMS = range(50, 100)  # 101 and above are potentials
_FIRST_RECORDS = (14, 16)  # bytes of the first record: version in 6 or 8 characters, two integers


@dataclass(frozen=True)
class AbinitNetcdfFormat:
    """Make ``_DEN.nc`` known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first bytes whether a file may be of this format."""
        return head.startswith((HDF5_SIGNATURE, NETCDF3_SIGNATURE))

    def confirms(self, path: str | os.PathLike[str]) -> bool:
        """Tell by what a file holds whether it is of this format."""
        return _is_classic(path) or holds(path, *_VARIABLES)

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_abinit_netcdf(path)


@dataclass(frozen=True)
class AbinitDenFormat:
    """Make Fortran ``_DEN`` files known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first bytes whether a file is of this format."""
        first = head.encode("latin-1", errors="replace")[:24]
        length = int.from_bytes(first[:4], "little")
        if length not in _FIRST_RECORDS or len(first) < 4 + length:
            return False
        return int.from_bytes(first[length - 4 : length], "little") in _HEADERS

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_abinit_den(path)


class _Content(NamedTuple):
    """What either format holds, in bohr and e/bohr^3."""

    components: NDArray[np.float64]
    """(n_components, n1, n2, n3)"""
    cell: NDArray[np.float64]
    fractional: NDArray[np.float64]
    numbers: NDArray[np.int64]
    n_electrons: float | None


def read_abinit_netcdf(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read a density that ABINIT wrote as netCDF, classic or netCDF-4.

    Raises
    ------
    DensityFormatError
        If the file is missing, damaged, of linear response, non-collinear, or holds another number
        of electrons than it says.
    """
    opened = open_netcdf3(path) if _is_classic(path) else open_hdf5(path)
    with opened as file:
        return _as_density(_netcdf_content(file), str(path))


def _is_classic(path: str | os.PathLike[str]) -> bool:
    return read_start(path, len(NETCDF3_SIGNATURE)) == NETCDF3_SIGNATURE.encode()


def _netcdf_content(file: Hdf5File | Netcdf3File) -> _Content:
    """Take what is needed of a file in the layout of the ETSF."""
    grid = file.array("density")
    if grid.ndim != 5 or grid.shape[-1] != 1:
        raise file.error(
            f"has the shape {grid.shape}, expected (components, n3, n2, n1, 1)",
            field="density",
            fix="complex densities of linear response are not supported",
        )
    species = file.array("atom_species", "i8")
    charges = file.array("atomic_numbers")
    if species.ndim != 1 or species.size == 0 or not _within(species, len(charges)):
        raise file.error(f"holds {species.tolist()}, which are no species", field="atom_species")
    counted = file.array("nelect") if "nelect" in file else None
    return _Content(
        grid[..., 0].transpose(0, 3, 2, 1),
        file.array("primitive_vectors"),
        file.array("reduced_atom_positions"),
        np.rint(charges[species - 1]).astype(np.int64),
        None if counted is None else float(counted),
    )


def _within(species: NDArray[np.generic], count: int) -> bool:
    return bool(np.min(species) >= 1 and np.max(species) <= count)


def _as_density(content: _Content, file: str) -> ChargeDensity:
    """Convert the units, check the count and take spins apart."""
    if len(content.components) not in {1, 2}:
        raise DensityFormatError(
            f"{len(content.components)} components: the density is non-collinear",
            file=file,
            field="density",
            fix="only one or two spins are supported",
        )
    volume = abs(np.linalg.det(content.cell))
    found = float(content.components[0].mean()) * volume
    if content.n_electrons is not None and abs(found - content.n_electrons) > _ELECTRONS:
        raise DensityFormatError(
            f"the values integrate to {found:.4f} electrons and the header says "
            f"{content.n_electrons:.4f}",
            file=file,
            field="density",
            fix="it is no ground-state density, or it is damaged",
        )
    total, *rest = content.components / BOHR_TO_ANGSTROM**3
    cell = content.cell * BOHR_TO_ANGSTROM
    return ChargeDensity(
        np.ascontiguousarray(total),
        cell,
        np.zeros(3),
        content.numbers,
        content.fractional @ cell,
        pbc=_PERIODIC,
        magnetization=2 * rest[0] - total if rest else None,
    )


class _Sizes(NamedTuple):
    """Numbers of the second record of the header."""

    n_atoms: int
    shape: tuple[int, int, int]
    n_kpoints: int
    n_components: int
    n_spins: int
    n_symmetries: int
    n_pseudopotentials: int
    n_types: int
    n_bands: int
    is_paw: bool
    cell: NDArray[np.float64]


def read_abinit_den(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read a density that ABINIT (8 or later) wrote as Fortran binary.

    Raises
    ------
    DensityFormatError
        If the file is missing, damaged, no density, non-collinear, or holds another number of
        electrons than it says.
    """
    with format_errors(path):
        return _as_density(_fortran_content(FortranRecords(path)), str(path))


def _fortran_content(records: FortranRecords) -> _Content:
    """Go through the records of the header and take the density behind."""
    _check_first(records)
    sizes = _read_sizes(records)
    numbers = _read_atoms(records, sizes)
    # residuum, positions, energies and masses
    body = records.next_array("<f8", 3 + 3 * sizes.n_atoms + sizes.n_types, "positions")
    fractional = body[1 : 1 + 3 * sizes.n_atoms].astype(np.float64).reshape(-1, 3)
    rest = records.next_bytes("number of electrons")
    n_electrons = float(np.frombuffer(rest[8:16], dtype="<f8")[0]) if len(rest) >= 16 else None
    for _ in range(sizes.n_pseudopotentials + 2 * sizes.is_paw):
        records.next_bytes("pseudopotential")
    n1, n2, n3 = sizes.shape
    components = [
        records.next_array("<f8", n1 * n2 * n3, "density").astype(np.float64)
        for _ in range(sizes.n_components)
    ]
    if not records.at_end:
        raise records.error("more data follow the density", field="density")
    grids = np.stack([flat.reshape(sizes.shape, order="F") for flat in components])
    return _Content(grids, sizes.cell, fractional, numbers, n_electrons)


def _check_first(records: FortranRecords) -> None:
    """Check the version of the header and that a density follows."""
    first = records.next_bytes("version")
    header, form = np.frombuffer(first[-8:], dtype="<i4") if len(first) >= 8 else (0, 0)
    if header not in _HEADERS:
        raise records.error(
            f"header version {header}", field="version", fix="write it with ABINIT 8 or later"
        )
    if form not in _DENSITY_FORMS:
        raise records.error(
            f"quantity {form} is no density", field="version", fix="give the file …_DEN"
        )


def _read_sizes(records: FortranRecords) -> _Sizes:
    """Read the record of dimensions, cut-offs and cell."""
    content = records.next_bytes("dimensions")
    # 18 integers, 4 cut-offs and a wave vector of 3, the cell of 9, 3 numbers, 4 integers.
    if len(content) < 18 * 4 + 19 * 8 + 4 * 4:
        raise records.error(f"holds only {len(content)} bytes", field="dimensions")
    integers = np.frombuffer(content[:72], dtype="<i4").tolist()
    reals = np.frombuffer(content[72 : 72 + 19 * 8], dtype="<f8")
    n_atoms, n1, n2, n3, n_kpoints, n_components = integers[4:10]
    _n_spinors, n_spins, n_symmetries, n_pseudopotentials, n_types = integers[10:15]
    positive = (n_atoms, n1, n2, n3, n_kpoints, n_spins, n_types, n_pseudopotentials)
    if min(positive) < 1 or n_components not in {1, 2, 4} or n_symmetries < 1:
        raise records.error(f"holds the impossible numbers {integers[4:15]}", field="dimensions")
    return _Sizes(
        n_atoms,
        (n1, n2, n3),
        n_kpoints,
        n_components,
        n_spins,
        n_symmetries,
        n_pseudopotentials,
        n_types,
        int(integers[0]),
        bool(integers[17]),
        reals[7:16].astype(np.float64).reshape(3, 3),
    )


def _read_atoms(records: FortranRecords, sizes: _Sizes) -> NDArray[np.int64]:
    """Find the types of the atoms behind bands and symmetries, and their charges."""
    content = records.next_bytes("atoms")
    integers = (
        sizes.n_kpoints  # istwfk
        + sizes.n_kpoints * sizes.n_spins  # nband
        + sizes.n_kpoints  # npwarr
        + sizes.n_pseudopotentials  # so_psp
        + sizes.n_symmetries  # symafm
        + 9 * sizes.n_symmetries  # symrel
    )
    start = 4 * integers
    types = np.frombuffer(content[start : start + 4 * sizes.n_atoms], dtype="<i4")
    # kptns, occ and tnons stand between the types and their nuclear charges.
    reals = 3 * sizes.n_kpoints + sizes.n_bands + 3 * sizes.n_symmetries
    start += 4 * sizes.n_atoms + 8 * reals
    charges = np.frombuffer(content[start : start + 8 * sizes.n_types], dtype="<f8")
    if len(charges) != sizes.n_types or len(types) != sizes.n_atoms:
        raise records.error("ends before the nuclear charges", field="atoms")
    if not _within(types, sizes.n_types):
        raise records.error(f"holds {types.tolist()}, which are no types", field="atoms")
    numbers: NDArray[np.int64] = np.rint(charges[types - 1]).astype(np.int64)
    return numbers
