"""Write densities that ABINIT reads: with a header made here, or into one that ABINIT made.

The program takes a density file for its own where cell, atoms and grid agree; k-points, symmetries,
bands and occupations in the header may differ and are those of a single point here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.fortran import FortranRecords, fortran_record
from scdp_flows.io.hdf5 import HDF5_SIGNATURE, open_hdf5
from scdp_flows.io.reading import read_bytes, read_start
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from scdp_flows.density import ChargeDensity

__all__ = ["AbinitSpecies", "overwrite_abinit_den", "write_abinit_den"]

_VERSION = b"9.6.2   "
_HEADER, _DENSITY = 80, 52
"""Numbers of the layout and of the quantity."""
_DATE = 20000101
_PBE = 11
_TITLE, _CHECKSUM = 132, 32


class AbinitSpecies(NamedTuple):
    """The pseudopotential of one element, as the header names it."""

    atomic_number: int
    """Of the element."""
    n_electrons: float
    """Valence electrons of the neutral atom."""
    code: int = 10
    """``pspcod``: 10 is analytical, after Goedecker, Teter and Hutter."""
    functional: int = _PBE
    """``pspxc``."""
    md5: str = ""
    """Checksum of the file; the program warns where it differs."""


def write_abinit_den(
    density: ChargeDensity,
    path: str | os.PathLike[str],
    species: list[AbinitSpecies],
    cutoff_ha: float,
) -> None:
    """Write a ``_DEN`` file in Fortran binary with a header of its own.

    Parameters
    ----------
    density
        Periodic, with the origin at zero, on the grid (``ngfft``) of the calculation.
    path
        The file.
    species
        In the order of the input's types.
    cutoff_ha
        Cut-off of the orbitals, Hartree.

    Raises
    ------
    DensityFormatError
        If an element has no species.
    """
    types = _types(density, species, str(path))
    n_spins = 1 if density.magnetization is None else 2
    records = [
        _record(_VERSION, _integers(_HEADER, _DENSITY)),
        _sizes(density, len(species), n_spins, cutoff_ha),
        _atoms(types, species, n_spins),
        _positions(density, len(species)),
        _counts(sum(species[i - 1].n_electrons for i in types)),
        *(_pseudopotential(one) for one in species),
        *(_record(_reals(values.ravel(order="F"))) for values in _components(density)),
    ]
    Path(path).write_bytes(b"".join(records))


def overwrite_abinit_den(
    density: ChargeDensity, template: str | os.PathLike[str], path: str | os.PathLike[str]
) -> None:
    """Copy a density file of ABINIT and put other values into it; the header stays.

    Parameters
    ----------
    density
        On the same grid, with as many spins.
    template
        What ABINIT wrote, netCDF-4 or Fortran binary.
    path
        The new file, of the same format.

    Raises
    ------
    DensityFormatError
        If the template is damaged, classic netCDF, or of another grid.
    """
    components = _components(density)
    if read_start(template, len(HDF5_SIGNATURE)) == HDF5_SIGNATURE.encode("latin-1"):
        _overwrite_netcdf(components, template, path)
    else:
        _overwrite_fortran(components, template, path)


def _overwrite_netcdf(
    components: list[NDArray[np.float64]],
    template: str | os.PathLike[str],
    path: str | os.PathLike[str],
) -> None:
    import h5py

    values = np.stack(components).transpose(0, 3, 2, 1)[..., None]
    with open_hdf5(template) as file:
        found = file.array("density").shape
        if found != values.shape:
            raise file.error(
                f"has the shape {found}, the new density {values.shape}",
                field="density",
                fix="render on the grid of the header (components, n3, n2, n1, 1)",
            )
    Path(path).write_bytes(read_bytes(template))
    with h5py.File(path, "r+") as root:
        root["density"][...] = values


def _overwrite_fortran(
    components: list[NDArray[np.float64]],
    template: str | os.PathLike[str],
    path: str | os.PathLike[str],
) -> None:
    records, contents = FortranRecords(template), []
    while not records.at_end:
        contents.append(records.next_bytes("record"))
    new = [_reals(values.ravel(order="F")) for values in components]
    count = len(new)
    if [len(old) for old in contents[-count:]] != [len(one) for one in new]:
        raise DensityFormatError(
            f"ends in records of {[len(old) for old in contents[-count:]]} bytes, the new density "
            f"has {[len(one) for one in new]}",
            file=template,
            field="density",
            fix="render on the grid of the header (ngfft), with as many spins",
        )
    Path(path).write_bytes(b"".join(_record(content) for content in contents[:-count] + new))


def _components(density: ChargeDensity) -> list[NDArray[np.float64]]:
    """Return the total and, with two spins, that of spin up, e/bohr^3."""
    total = np.asarray(density.values, dtype=np.float64) * BOHR_TO_ANGSTROM**3
    if density.magnetization is None:
        return [total]
    spin = np.asarray(density.magnetization, dtype=np.float64) * BOHR_TO_ANGSTROM**3
    return [total, 0.5 * (total + spin)]


def _types(density: ChargeDensity, species: list[AbinitSpecies], file: str) -> list[int]:
    places = {one.atomic_number: i for i, one in enumerate(species, start=1)}
    missing = sorted(set(density.numbers.tolist()) - set(places))
    if missing:
        raise DensityFormatError(
            f"atomic numbers {missing} have no species",
            file=file,
            field="species",
            fix="name the pseudopotential of each element",
        )
    return [places[number] for number in density.numbers.tolist()]


def _record(*parts: bytes) -> bytes:
    return fortran_record(np.frombuffer(b"".join(parts), dtype=np.uint8))


def _integers(*values: int) -> bytes:
    return np.array(values, dtype="<i4").tobytes()


def _reals(*values: object) -> bytes:
    return b"".join(np.asarray(value, dtype="<f8").tobytes() for value in values)


def _sizes(density: ChargeDensity, n_types: int, n_spins: int, cutoff_ha: float) -> bytes:
    cell = density.cell / BOHR_TO_ANGSTROM
    # one band, one k-point, one symmetry, no augmented waves
    integers = (n_spins, _DATE, 0, _PBE, len(density.numbers), *density.values.shape, 1)
    more = (n_spins, 1, n_spins, 1, n_types, n_types, 1, 1, 0)
    cutoffs = (cutoff_ha, cutoff_ha, 0.0, cutoff_ha)
    reals = _reals(cutoffs, np.zeros(3), cell, (0.0, 0.0, 0.01))
    return _record(_integers(*integers, *more), reals, _integers(0, 1, 1, 1))


def _atoms(types: list[int], species: list[AbinitSpecies], n_spins: int) -> bytes:
    """Return bands, one symmetry, types, one k-point with occupations, and nuclear charges."""
    unity = np.eye(3, dtype=int).ravel().tolist()
    bands = [1] * n_spins
    integers = [1, *bands, 1, *([1] * len(species)), 1, *unity, *types]
    charges = [float(one.atomic_number) for one in species]
    reals = _reals(np.zeros(3), np.full(n_spins, 2.0 / n_spins), np.zeros(3), charges, 1.0)
    return _record(_integers(*integers), reals)


def _positions(density: ChargeDensity, n_types: int) -> bytes:
    fractional = (density.positions - density.origin) @ np.linalg.inv(density.cell)
    return _record(_reals(0.0, fractional, (0.0, 0.0), np.ones(n_types)))


def _counts(n_electrons: float) -> bytes:
    unity = np.eye(3, dtype=int).ravel().tolist()
    lattices = _integers(0, *unity, *unity)
    return _record(_integers(1, 1), _reals(n_electrons, 0.0), lattices, _reals(np.zeros(6)))


def _pseudopotential(one: AbinitSpecies) -> bytes:
    return _record(
        b"".ljust(_TITLE),
        _reals(one.atomic_number, one.n_electrons),
        _integers(1, 0, one.code, one.functional, 0),
        one.md5.encode().ljust(_CHECKSUM)[:_CHECKSUM],
    )
