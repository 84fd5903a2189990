"""Shells as Cartesian polynomials times Gaussians, which separate along orthogonal axes.

Around its centre a shell is sum_m c_m N r^l Y_lm exp(-a r^2) = sum_ijk T_ijk x^i y^j z^k
exp(-a x^2) exp(-a y^2) exp(-a z^2) with i + j + k = l. Shells of one centre and exponent share the
exponentials and are therefore added up into one tensor T, whatever their degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_models.basis.shells import radial_norm
from scdp_models.harmonics import monomial_exponents, solid_harmonic_matrix
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["CartesianGaussians", "axis_tables", "from_shells", "monomial_coefficients"]

# Images of a periodic axis end where exp(-a x^2) has fallen to exp(-50) = 2e-22.
_LOG_NEGLIGIBLE = 50.0


@dataclass(frozen=True)
class CartesianGaussians:
    """Polynomials times Gaussians on several centres; everything in Å and e/Å^3.

    Attributes
    ----------
    centres
        Shape ``(n,)``, index of the centre.
    positions
        Shape ``(n, 3)``, Å.
    exponents
        Shape ``(n,)``, Å^-2.
    degrees
        Shape ``(n,)``, highest degree of each polynomial.
    tensors
        Shape ``(n, J, J, J)``, coefficients of x^i y^j z^k in e/Å^(3 + i + j + k).
    radii
        Shape ``(n,)``, Å: beyond this nothing of a Gaussian needs to be seen.
    """

    centres: NDArray[np.int64]
    positions: NDArray[np.float64]
    exponents: NDArray[np.float64]
    degrees: NDArray[np.int64]
    tensors: NDArray[np.float64]
    radii: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.exponents)

    def take(self, index: NDArray[np.int64] | slice) -> CartesianGaussians:
        """Return some of the Gaussians, with tensors no larger than they need."""
        degrees = self.degrees[index]
        size = int(degrees.max(initial=0)) + 1
        return CartesianGaussians(
            centres=self.centres[index],
            positions=self.positions[index],
            exponents=self.exponents[index],
            degrees=degrees,
            tensors=self.tensors[index, :size, :size, :size],
            radii=self.radii[index],
        )

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """List each Gaussian with each power 0..degree along one axis.

        Returns
        -------
        gaussian, power : numpy.ndarray
            Shape ``(n_rows,)``, Gaussian after Gaussian.
        """
        counts = self.degrees + 1
        first = np.cumsum(counts) - counts
        gaussian = np.repeat(np.arange(len(self)), counts)
        return gaussian, np.arange(len(gaussian)) - first[gaussian]


def from_shells(
    density: OrbitalDensity, shells: NDArray[np.int64], radii: NDArray[np.float64]
) -> CartesianGaussians:
    """Turn some shells of a density into polynomials, one per centre and exponent.

    Parameters
    ----------
    density
        Cell and periodicity are not looked at.
    shells
        Indices of the shells.
    radii
        Shape ``(len(shells),)``, Å; shells that merge keep the largest.

    Returns
    -------
    CartesianGaussians
        Sorted by centre, then by falling radius.
    """
    ls = density.shell_ls[shells]
    size = int(ls.max(initial=0)) + 1
    keys = np.stack([density.shell_centres[shells], density.shell_exponents[shells]], axis=1)
    unique, member = np.unique(keys, axis=0, return_inverse=True)
    member = member.reshape(-1)
    tensors = np.zeros((len(unique), size, size, size))
    degrees, reach = np.zeros(len(unique), dtype=np.int64), np.zeros(len(unique))
    np.maximum.at(degrees, member, ls)
    np.maximum.at(reach, member, radii)
    for l in np.unique(ls).tolist():
        chosen = np.flatnonzero(ls == l)
        i, j, k = monomial_exponents(l).T
        values = monomial_coefficients(density, shells[chosen], l)
        np.add.at(tensors, (member[chosen, None], i, j, k), values)
    centres = unique[:, 0].astype(np.int64)
    gaussians = CartesianGaussians(
        centres=centres,
        positions=density.positions[centres],
        exponents=unique[:, 1] / BOHR_TO_ANGSTROM**2,
        degrees=degrees,
        tensors=tensors,
        radii=reach,
    )
    return gaussians.take(np.lexsort((-reach, centres)))


def monomial_coefficients(
    density: OrbitalDensity, shells: NDArray[np.int64], l: int
) -> NDArray[np.float64]:
    """Return shape ``(n_shells, n_monomials)`` in e/Å^(3 + l) for shells of one degree."""
    columns = density.shell_offsets[shells][:, None] + np.arange(2 * l + 1)
    norms = radial_norm(l, density.shell_exponents[shells]) * BOHR_TO_ANGSTROM ** (-3.0 - l)
    return np.asarray((norms[:, None] * density.coefficients[columns]) @ solid_harmonic_matrix(l))


def axis_tables(
    coordinates: NDArray[np.float64],
    exponents: NDArray[np.float64],
    n_powers: int,
    *,
    centres: NDArray[np.float64] | float = 0.0,
    period: float | None = None,
) -> NDArray[np.float64]:
    """Tabulate (x - X)^j exp(-a (x - X)^2) along one axis, summed over lattice images.

    Parameters
    ----------
    coordinates
        x, shape ``(n_points,)``, Å.
    exponents
        a, shape ``(n,)``, Å^-2.
    n_powers
        j runs from 0 to ``n_powers - 1``.
    centres
        X, one or shape ``(n,)``, Å.
    period
        Length of the lattice vector along this axis, Å; None where there is none. Products of
        such sums over three axes are the sum over all images of a product.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, n_powers, n_points)``, Å^j.
    """
    distances = coordinates[None, :] - np.reshape(centres, (-1, 1))
    if period is None or not distances.size:
        return _tables(distances, exponents, n_powers)
    reach = np.sqrt(_LOG_NEGLIGIBLE / exponents.min())
    first = int(np.ceil((distances.min() - reach) / period))
    last = int(np.floor((distances.max() + reach) / period))
    total = np.zeros((len(exponents), n_powers, len(coordinates)))
    for image in range(first, last + 1):
        total += _tables(distances - image * period, exponents, n_powers)
    return total


def _tables(
    distances: NDArray[np.float64], exponents: NDArray[np.float64], n_powers: int
) -> NDArray[np.float64]:
    out = np.empty((len(exponents), n_powers, distances.shape[1]))
    term = np.exp(-exponents[:, None] * distances**2)
    out[:, 0] = term
    for power in range(1, n_powers):
        term = term * distances
        out[:, power] = term
    return out
