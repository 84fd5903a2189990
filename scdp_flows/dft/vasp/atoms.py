"""Describe the spherical atoms that a crystal's density is closest to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from scdp_flows.density import ChargeDensity
    from scdp_flows.dft.vasp.grid import Shape

__all__ = ["SphericalAtoms", "fit_atoms"]

_WIDTHS = np.array([0.25, 0.35, 0.5, 0.7, 1.0])
"""Standard deviations of the Gaussians of which an atom is made, Å."""
_LARGEST_WAVE = 12.0  # 1/Å; the narrowest Gaussian is down to 1e-2 there
_RIDGE = 1e-8


@dataclass(frozen=True)
class SphericalAtoms:
    """Hold one spherical density per element, a sum of Gaussians."""

    charges: Mapping[int, NDArray[np.float64]]
    """Electrons in each Gaussian by atomic number, each (5,)."""

    def superposition(
        self,
        structure: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
        shape: Shape,
        factors: Sequence[float] | NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the sum of the atoms of a crystal on its grid.

        Parameters
        ----------
        structure
            Atomic numbers (n_atoms,), positions (n_atoms, 3) in Å, cell (3, 3) in Å.
        shape
            Of the grid.
        factors
            What to multiply each atom with (n_atoms,); default: one.

        Returns
        -------
        (n1, n2, n3)
            Density, e/Å^3.
        """
        numbers, positions, cell = structure
        weights = np.ones(len(numbers)) if factors is None else np.asarray(factors, dtype=float)
        squares = _squares(cell, shape)
        waves = np.zeros(squares.shape, dtype=np.complex128)
        for number in np.unique(numbers):
            chosen = numbers == number
            form = sum(
                charge * np.exp(-squares * width**2 / 2)
                for charge, width in zip(self.charges[int(number)], _WIDTHS, strict=True)
            )
            waves += form * _structure_factor(positions[chosen], cell, shape, weights[chosen])
        volume = abs(float(np.linalg.det(cell)))
        grid: NDArray[np.float64] = np.fft.irfftn(waves, s=shape, axes=(0, 1, 2))
        return grid * (np.prod(shape) / volume)


def fit_atoms(density: ChargeDensity, valences: NDArray[np.float64] | None) -> SphericalAtoms:
    """Fit spherical atoms to the density of a crystal, least squares in the Coulomb metric.

    Each element holds its valence electrons exactly; what is left over are bonds and transfer.

    Parameters
    ----------
    density
        The density.
    valences
        Electrons of each neutral atom (n_atoms,); None shares them equally, for one element only.

    Raises
    ------
    CalculationError
        If there are several elements and their valences are unknown.
    """
    if valences is None:
        if len(np.unique(density.numbers)) > 1:
            raise CalculationError(
                "the valence electrons of several elements are unknown without a POTCAR; put it "
                "into the folder"
            )
        valences = np.full(len(density.numbers), density.integral() / len(density.numbers))
    elements = np.unique(density.numbers)
    squares = _squares(density.cell, density.shape)
    used = (squares > 0) & (squares < _LARGEST_WAVE**2)
    metric = 1 / np.sqrt(squares[used])
    target = np.fft.rfftn(density.values)[used] * density.voxel_volume
    columns: list[NDArray[np.complex128]] = []
    totals = []
    for number in elements:
        chosen = density.numbers == number
        totals.append(float(valences[chosen].mean()))
        factor = _structure_factor(
            density.positions[chosen] - density.origin, density.cell, density.shape,
            np.ones(int(chosen.sum())),
        )[used]  # fmt: skip
        forms = [np.exp(-squares[used] * width**2 / 2) for width in _WIDTHS]
        target = target - totals[-1] * forms[2] * factor
        columns += [(form - forms[2]) * factor for i, form in enumerate(forms) if i != 2]
    return SphericalAtoms(_solve(elements, totals, columns, target, metric))


def _solve(
    elements: NDArray[np.int64],
    totals: list[float],
    columns: list[NDArray[np.complex128]],
    target: NDArray[np.complex128],
    metric: NDArray[np.float64],
) -> dict[int, NDArray[np.float64]]:
    """Solve the normal equations and return the charges of each Gaussian."""
    matrix = np.stack(columns) * metric
    normal = (matrix.conj() @ matrix.T).real
    normal += _RIDGE * np.trace(normal) / len(normal) * np.eye(len(normal))
    found = np.linalg.solve(normal, (matrix.conj() @ (target * metric)).real)
    charges = {}
    for index, number in enumerate(elements):
        part = found[4 * index : 4 * index + 4]
        charges[int(number)] = np.insert(part, 2, totals[index] - part.sum())
    return charges


def _frequencies(shape: Shape) -> list[NDArray[np.float64]]:
    n1, n2, n3 = shape
    frequencies = (
        np.fft.fftfreq(n1, 1 / n1),
        np.fft.fftfreq(n2, 1 / n2),
        np.fft.rfftfreq(n3, 1 / n3),
    )
    return [np.asarray(each, dtype=np.float64) for each in frequencies]


def _squares(cell: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
    """Return |G|^2 of the half grid of a real transform, 1/Å^2."""
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    h, k, l = np.meshgrid(*_frequencies(shape), indexing="ij", sparse=True)
    vectors = [h * reciprocal[0, i] + k * reciprocal[1, i] + l * reciprocal[2, i] for i in range(3)]
    squares: NDArray[np.float64] = vectors[0] ** 2 + vectors[1] ** 2 + vectors[2] ** 2
    return squares


def _structure_factor(
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    shape: Shape,
    weights: NDArray[np.float64],
) -> NDArray[np.complex128]:
    """Return the sum of weighted phases of atoms on the half grid."""
    fractional = np.linalg.solve(cell.T, positions.T)
    phases = [
        np.exp(-2j * np.pi * np.outer(f, s))
        for f, s in zip(_frequencies(shape), fractional, strict=True)
    ]
    total: NDArray[np.complex128] = np.einsum(
        "ha,ka,la,a->hkl", phases[0], phases[1], phases[2], weights, optimize=True
    )
    return total
