"""The layout of Quantum ESPRESSO's ``charge-density.dat``, to read and to write.

Records of a sequential Fortran file: whether one half of the waves is stored, their number and that
of spins; the reciprocal vectors; Miller indices, wave by wave; then the coefficients in e/bohr^3 of
the total density and, with two spins, of up less down.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.fortran import FortranRecords, fortran_record

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = [
    "EspressoWaves",
    "check_spins",
    "looks_like_waves",
    "read_waves",
    "waves_on_grid",
    "write_waves",
]

_FIRST_LENGTH = 12


class EspressoWaves(NamedTuple):
    """Fourier coefficients of a density: rho(r) = sum over G of rho(G) exp(iG.r)."""

    is_half: bool
    """Whether only one of each pair G and -G is there."""
    reciprocal: NDArray[np.float64]
    """Reciprocal vectors as rows, with 2 pi, 1/bohr."""
    indices: NDArray[np.int64]
    """Miller indices (n_waves, 3). The program takes their order for its own when it reads."""
    components: list[NDArray[np.complex128]]
    """(n_waves,), e/bohr^3, for the total and the magnetisation."""


def looks_like_waves(head: bytes) -> bool:
    """Tell by its first bytes whether a file has this layout."""
    if len(head) < 28:
        return False
    words = np.frombuffer(head[:24], dtype="<i4").tolist()
    # Three integers in a record of their own, then nine reals in the next.
    return words[0] == words[4] == _FIRST_LENGTH and words[5] == 72 and words[3] in {1, 2, 4}


def read_waves(path: str | os.PathLike[str]) -> EspressoWaves:
    """Read ``charge-density.dat``.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged, or the density non-collinear.
    """
    records = FortranRecords(path)
    is_half, n_waves, n_spins = records.next_array("<i4", 3, "header").tolist()
    check_spins(n_spins, records.file)
    reciprocal = records.next_array("<f8", 9, "reciprocal vectors").astype(np.float64)
    indices = records.next_array("<i4", 3 * n_waves, "Miller indices").astype(np.int64)
    components = [
        records.next_array("<c16", n_waves, "coefficients").astype(np.complex128)
        for _ in range(n_spins)
    ]
    if not records.at_end:
        raise records.error("more data follow the coefficients", field="coefficients")
    return EspressoWaves(
        bool(is_half), reciprocal.reshape(3, 3), indices.reshape(-1, 3), components
    )


def write_waves(waves: EspressoWaves, path: str | os.PathLike[str]) -> None:
    """Write ``charge-density.dat``.

    Parameters
    ----------
    waves
        In the order in which the program that will read them lists its waves.
    path
        The file.
    """
    header = [int(waves.is_half), len(waves.indices), len(waves.components)]
    records = [
        np.array(header, dtype="<i4"),
        waves.reciprocal.astype("<f8"),
        waves.indices.astype("<i4"),
        *(component.astype("<c16") for component in waves.components),
    ]
    Path(path).write_bytes(b"".join(fortran_record(record) for record in records))


def check_spins(n_spins: int, file: str) -> None:
    """Refuse non-collinear densities.

    Raises
    ------
    DensityFormatError
        If there are neither one nor two components.
    """
    if n_spins not in {1, 2}:
        raise DensityFormatError(
            f"{n_spins} spin components",
            file=file,
            field="header",
            fix="only one or two spins are supported, no non-collinear densities",
        )


def waves_on_grid(
    waves: EspressoWaves, coefficients: NDArray[np.complex128], shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Sum waves on the points of a grid.

    Parameters
    ----------
    waves
        Miller indices, and whether they are one half.
    coefficients
        Shape ``(n_waves,)``.
    shape
        Points along each cell vector.

    Returns
    -------
    numpy.ndarray
        Shape `shape`, in the unit of the coefficients.
    """
    spectrum = np.zeros(shape, dtype=np.complex128)
    if waves.is_half:
        opposite = tuple((-waves.indices).T)
        spectrum[opposite] = coefficients.conj()
    spectrum[tuple(waves.indices.T)] = coefficients
    values: NDArray[np.float64] = np.fft.ifftn(spectrum).real * spectrum.size
    return values
