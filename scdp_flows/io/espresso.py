"""Read the densities of Quantum ESPRESSO: ``charge-density.dat`` and ``charge-density.hdf5``.

Both hold the Fourier coefficients of the density (total, then up minus down) in e/bohr^3 for a list
of Miller indices; ``rho(r) = sum_G rho(G) exp(iG.r)``. Cell, atoms and grid stand in another file
of the same folder. With ultrasoft pseudopotentials and projector-augmented waves the augmentation
charges are part of the density.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.espresso_waves import (
    EspressoWaves,
    check_spins,
    looks_like_waves,
    read_waves,
    waves_on_grid,
)
from scdp_flows.io.espresso_xml import SCHEMA_FILE, EspressoRun, read_schema
from scdp_flows.io.hdf5 import HDF5_SIGNATURE, Hdf5File, holds, open_hdf5
from scdp_flows.io.reading import COPY_ANEW, format_errors
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os


__all__ = [
    "EspressoFormat",
    "EspressoHdf5Format",
    "read_espresso_density",
    "read_espresso_hdf5",
]

_PERIODIC = (True, True, True)
_ELECTRONS = 1e-2
_SAME_CELL = 1e-4
# A sphere of wave vectors fills 5 % or more of its grid, half of that if only one half is stored.
_LEAST_FILLING = 1e-3
# Pseudo-densities may be negative in places, which lifts the bound a little above one.
_LARGEST_WAVE = 2.0


@dataclass(frozen=True)
class EspressoFormat:
    """Make ``charge-density.dat`` known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first bytes whether a file is of this format."""
        return looks_like_waves(head.encode("latin-1", errors="replace"))

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_espresso_density(path)


@dataclass(frozen=True)
class EspressoHdf5Format:
    """Make ``charge-density.hdf5`` known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first bytes whether a file may be of this format."""
        return head.startswith(HDF5_SIGNATURE)

    def confirms(self, path: str | os.PathLike[str]) -> bool:
        """Tell by what a file holds whether it is of this format."""
        return holds(path, "MillerIndices", "rhotot_g")

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_espresso_hdf5(path)


def read_espresso_density(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read ``charge-density.dat``; ``data-file-schema.xml`` must stand beside it.

    Raises
    ------
    DensityFormatError
        If a file is missing or damaged, the two do not belong together, or the density is
        non-collinear.
    """
    with format_errors(path):
        return _as_density(read_waves(path), read_schema(path), str(path))


def read_espresso_hdf5(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read ``charge-density.hdf5``; ``data-file-schema.xml`` must stand beside it.

    Raises
    ------
    DensityFormatError
        If a file is missing or damaged, the two do not belong together, or the density is
        non-collinear.
    """
    with open_hdf5(path) as file:
        return _as_density(_hdf5_waves(file), read_schema(path), file.file)


def _hdf5_waves(file: Hdf5File) -> EspressoWaves:
    """Take the coefficients, which lie as pairs of real and imaginary part."""
    n_spins = file.attribute("/", "nspin")
    check_spins(1 if n_spins is None else int(n_spins), file.file)
    indices = file.array("MillerIndices", "i8")
    vectors = [file.attribute("MillerIndices", f"bg{axis}") for axis in (1, 2, 3)]
    names = ["rhotot_g", *(["rhodiff_g"] if "rhodiff_g" in file else [])]
    pairs = [file.array(name) for name in names]
    if indices.ndim != 2 or indices.shape[1] != 3 or any(vector is None for vector in vectors):
        raise file.error("expected rows of three and the attributes bg1…3", field="MillerIndices")
    for name, pair in zip(names, pairs, strict=True):
        if pair.size != 2 * len(indices):
            raise file.error(f"{pair.size} numbers for {len(indices)} waves", field=name)
    stated = file.attribute("/", "gamma_only")
    is_half = b"T" in stated.upper() if isinstance(stated, bytes) else bool(stated)
    components = [np.ascontiguousarray(pair.ravel()).view(np.complex128) for pair in pairs]
    return EspressoWaves(is_half, np.array(vectors, dtype=np.float64), indices, components)


def _as_density(waves: EspressoWaves, run: EspressoRun, file: str) -> ChargeDensity:
    """Check that waves and run belong together, and transform to real space."""
    _check_consistent(waves, run, file)
    grids = [waves_on_grid(waves, component, run.shape) for component in waves.components]
    factor = BOHR_TO_ANGSTROM**-3
    return ChargeDensity(
        grids[0] * factor,
        run.cell * BOHR_TO_ANGSTROM,
        np.zeros(3),
        run.numbers,
        run.positions * BOHR_TO_ANGSTROM,
        pbc=_PERIODIC,
        magnetization=grids[1] * factor if len(grids) > 1 else None,
    )


def _check_consistent(waves: EspressoWaves, run: EspressoRun, file: str) -> None:
    """Refuse waves of another run, beyond the grid, or of another number of electrons."""
    expected = 2 * np.pi * np.linalg.inv(run.cell).T
    if not np.allclose(waves.reciprocal, expected, rtol=0, atol=_SAME_CELL):
        raise DensityFormatError(
            f"the reciprocal vectors {waves.reciprocal.tolist()} are not those of {SCHEMA_FILE}",
            file=file,
            field="reciprocal vectors",
            fix="the two files are of different runs",
        )
    largest = np.array(run.shape) // 2
    n_points = int(np.prod(np.array(run.shape, dtype=object)))
    if (np.abs(waves.indices) > largest).any() or len(waves.indices) < _LEAST_FILLING * n_points:
        raise DensityFormatError(
            f"{len(waves.indices)} waves do not fit the grid {run.shape} of {SCHEMA_FILE}",
            file=file,
            field="Miller indices",
            fix="the two files are of different runs, or one is damaged",
        )
    constant = waves.components[0][(waves.indices == 0).all(axis=1)].real
    # No wave of a positive density is larger than its mean, nor is one of its spin density.
    limit = _LARGEST_WAVE * np.abs(constant).max(initial=0.0)
    if not all((np.abs(each.view(np.float64)) <= limit).all() for each in waves.components):
        raise DensityFormatError(
            f"holds coefficients beyond {limit:.4g} or not finite, the mean of the density being "
            f"{limit / _LARGEST_WAVE:.4g} e/Bohr^3",
            file=file,
            field="coefficients",
            fix=COPY_ANEW,
        )
    volume = abs(np.linalg.det(run.cell))
    found = float(constant.sum()) * volume
    if np.isfinite(run.n_electrons) and not abs(found - run.n_electrons) < _ELECTRONS:
        raise DensityFormatError(
            f"{found:.4f} electrons, and {run.n_electrons:.4f} according to {SCHEMA_FILE}",
            file=file,
            field="coefficients",
            fix=COPY_ANEW,
        )
