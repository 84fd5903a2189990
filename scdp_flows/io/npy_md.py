"""Read the molecular-dynamics sets of Brockherde, Bogojeski and co-workers.

A folder ``<molecule>_train`` or ``<molecule>_test`` holds ``structures.npy`` (n, n_atoms, 3) in
bohr and ``dft_densities.npy`` (n, 125000): for each structure the coefficients of a real Fourier
basis on a grid of 50^3 points in a cubic box of 20 bohr, in e/bohr^3. Along each axis the first
half of the coefficients are the real and the second half the imaginary parts of the transform of
real numbers, as ``numpy.fft.rfft`` defines it or twice that, which the number of electrons decides.
The order of the atoms is that of the molecule and stands nowhere in the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.npy import NPY_SIGNATURE, as_doubles, load_npy, npy_shape
from scdp_flows.io.reading import COPY_ANEW, format_errors
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["DENSITIES", "MOLECULES", "NpyMdFormat", "count_npy_md", "read_npy_md"]

DENSITIES = "dft_densities.npy"
"""Name of the file of the coefficients."""
_STRUCTURES = "structures.npy"
_POINTS = 50
_BOX = 20.0 * BOHR_TO_ANGSTROM
_FACTORS = (1.0, 1 / 8)  # coefficients as of rfft, or twice that along each of three axes
_ELECTRONS = 0.02

MOLECULES = MappingProxyType(
    {
        "benzene": [6] * 6 + [1] * 6,
        "ethane": [6] * 2 + [1] * 6,
        "ethanol": [6, 6, 8] + [1] * 6,
        "malonaldehyde": [8, 6, 6, 6, 8] + [1] * 4,
        "phenol": [6] * 6 + [8] + [1] * 6,
        "resorcinol": [6] * 6 + [8, 1, 8] + [1] * 5,
    }
)
"""Atomic numbers by the name that the folder begins with."""


@dataclass(frozen=True)
class NpyMdFormat:
    """Make the sets known to ``read_density``, one density by its index."""

    def sniff(self, head: str) -> bool:
        """Tell by its first bytes whether a file may be of this format."""
        return head.startswith(NPY_SIGNATURE)

    def confirms(self, path: str | os.PathLike[str]) -> bool:
        """Tell by its name whether a file is of this format."""
        return Path(path).name == DENSITIES

    def count(self, path: str | os.PathLike[str]) -> int:
        """Return how many densities there are."""
        return count_npy_md(path)

    def read(self, path: str | os.PathLike[str], index: int = 0) -> ChargeDensity:
        """Read one density."""
        return read_npy_md(path, index)


def count_npy_md(path: str | os.PathLike[str]) -> int:
    """Return the number of densities of a set.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged.
    """
    return npy_shape(path)[0]


def read_npy_md(path: str | os.PathLike[str], index: int) -> ChargeDensity:
    """Read one density of a set; nothing else of it is loaded.

    Parameters
    ----------
    path
        The file ``dft_densities.npy`` in its folder.
    index
        Which density, from 0.

    Raises
    ------
    DensityFormatError
        If a file is missing or damaged, the folder names no known molecule, or there is no such
        density.
    """
    file = Path(path)
    numbers = _numbers(file)
    densities, structures = load_npy(file), load_npy(file.with_name(_STRUCTURES))
    expected = (len(densities), len(numbers), 3)
    if structures.shape != expected or densities.shape[1:] != (_POINTS**3,):
        raise DensityFormatError(
            f"structures {structures.shape} and densities {densities.shape} do not fit together",
            file=path,
            fix=f"expected {expected} and {(len(densities), _POINTS**3)}",
        )
    if not 0 <= index < len(densities):
        raise DensityFormatError(
            f"has {len(densities)} densities, none of index {index}", file=path, fix="count from 0"
        )
    coefficients = as_doubles(densities[index])
    positions = as_doubles(structures[index]) * BOHR_TO_ANGSTROM
    if not np.isfinite(coefficients).all():
        raise DensityFormatError(
            f"density {index} holds coefficients that are not finite", file=path, fix=COPY_ANEW
        )
    values = _to_real_space(coefficients.reshape(3 * (_POINTS,))) / BOHR_TO_ANGSTROM**3
    scale = _scale(float(values.mean()) * _BOX**3, numbers, file)
    with format_errors(path):
        return ChargeDensity(
            values * scale, _BOX * np.eye(3), np.zeros(3), np.array(numbers), positions
        )


def _numbers(file: Path) -> list[int]:
    """Find the molecule by the name of the folder."""
    folder = file.absolute().parent.name
    found = [numbers for name, numbers in MOLECULES.items() if folder.startswith(name)]
    if len(found) != 1:
        raise DensityFormatError(
            f"the folder {folder!r} names no known molecule",
            file=file,
            fix=f"name it {', '.join(MOLECULES)}, followed by _train or _test",
        )
    return found[0]


def _to_real_space(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo the Fourier transforms of real numbers along all three axes."""
    values = coefficients
    half = _POINTS // 2
    for axis in range(3):
        cosines, sines = np.split(values, [half], axis=axis)
        # The highest frequency is left out by the sets; irfft takes what is missing for zero.
        values = np.fft.irfft(cosines + 1j * sines, n=_POINTS, axis=axis)
    return values


def _scale(raw: float, numbers: list[int], path: Path) -> float:
    """Find the factor of the coefficients by the number of electrons, of the valence or of all."""
    wanted = [sum(z - 2 * (z > 2) for z in numbers), sum(numbers)]
    fitting = [
        factor
        for factor in _FACTORS
        if any(abs(raw * factor - count) < _ELECTRONS * count for count in wanted)
    ]
    if len(fitting) != 1:
        raise DensityFormatError(
            f"the coefficients give {' or '.join(f'{raw * f:.3f}' for f in _FACTORS)} electrons",
            file=path,
            fix=f"expected {wanted[0]} or {wanted[1]}: is the folder named after its molecule?",
        )
    return fitting[0]
