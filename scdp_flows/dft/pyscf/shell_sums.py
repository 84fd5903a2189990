"""Evaluate sums of Gaussian shells, and their electrostatic potential, at points.

All Gaussians of one centre and one l share the solid harmonics, which are costly; each adds only an
exponential. Single precision is enough: what is left of it is a millionth of the density, where
that density and the grid it is summed on are off by a thousandth. This makes the density several
times cheaper than one function after the other, and gives the potential for little more.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_flows.dft.pyscf.auxiliary import to_auxmol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["ShellSums"]

_TABLE_SIZE = 2**19


class _Group(NamedTuple):
    """The shells of one centre and one l."""

    centre: int
    """Which centre."""
    l: int
    """Angular momentum."""
    exponents: NDArray[np.float32]
    """Shape ``(n_shells,)``, bohr^-2."""
    coefficients: NDArray[np.float32]
    """Shape ``(2l + 1, n_shells)``: of solid harmonics times exponentials, without norms."""


class ShellSums:
    """Evaluate a density, its gradient and the potential of its multipoles at points.

    Parameters
    ----------
    density
        Shells with their coefficients.
    """

    def __init__(self, density: OrbitalDensity) -> None:
        auxiliary = to_auxmol(density)
        self._groups = _grouped(density, auxiliary.to_pyscf(density.coefficients))
        self._harmonics = _solid_harmonics(auxiliary.mol, self._groups)
        self._centres = auxiliary.mol.atom_coords()

    def __call__(
        self, points: NDArray[np.float64], *, potential: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the density with its gradient, and the potential of all shells but those of l = 0.

        The potential of a Gaussian times a solid harmonic S of degree l is
        ``2 pi / a * F_l(a r^2) * S`` with the Boys function F_l: the derivatives that turn
        a Gaussian of l = 0 into one of l do the same to its potential.

        Parameters
        ----------
        points
            Shape ``(n, 3)``, bohr.
        potential
            Whether the potential is wanted; zeros otherwise.

        Returns
        -------
        tuple of numpy.ndarray
            Shapes ``(4, n)`` in e/bohr^3 and e/bohr^4, and ``(n,)`` in Hartree.
        """
        harmonics = self._harmonics.eval_gto("GTOval_sph_deriv1", points)
        harmonics = harmonics.transpose(0, 2, 1).astype(np.float32)
        out, electrostatic = np.zeros((4, len(points))), np.zeros(len(points))
        shifts = [(points.T - centre[:, None]).astype(np.float32) for centre in self._centres]
        squares = [np.einsum("ip,ip->p", shift, shift) for shift in shifts]
        begin = 0
        for group in self._groups:
            own = harmonics[:, begin : begin + 2 * group.l + 1]
            begin += 2 * group.l + 1
            arguments = np.multiply.outer(group.exponents, squares[group.centre])
            gaussians = np.exp(-arguments)
            radial = group.coefficients @ gaussians
            slopes = (group.coefficients * (-2 * group.exponents)) @ gaussians
            out += np.einsum("mp,cmp->cp", radial, own)
            out[1:] += np.einsum("mp,mp->p", slopes, own[0]) * shifts[group.centre]
            if potential and group.l > 0:
                weights = group.coefficients * (np.float32(2 * np.pi) / group.exponents)
                radial = weights @ _boys(group.l, arguments)
                electrostatic += np.einsum("mp,mp->p", radial, own[0])
        return out, electrostatic


def _grouped(density: OrbitalDensity, coefficients: NDArray[np.float64]) -> list[_Group]:
    from pyscf.gto import gto_norm

    found: dict[tuple[int, int], list[int]] = {}
    for shell, (centre, l) in enumerate(
        zip(density.shell_centres.tolist(), density.shell_ls.tolist(), strict=True)
    ):
        found.setdefault((centre, l), []).append(shell)
    offsets, groups = density.shell_offsets, []
    for (centre, l), shells in found.items():
        exponents = np.asarray(density.shell_exponents[shells], dtype=np.float64)
        places = np.asarray(offsets[shells])[None, :] + np.arange(2 * l + 1)[:, None]
        weights = coefficients[places] * gto_norm(l, exponents)
        groups.append(_Group(centre, l, exponents.astype(np.float32), weights.astype(np.float32)))
    return groups


def _solid_harmonics(auxmol: Any, groups: list[_Group]) -> Any:
    """Return a molecule of shells without decay: their values are the solid harmonics."""
    from pyscf import gto

    start = gto.PTR_ENV_START + 3 * auxmol.natm
    bas = np.zeros((len(groups), gto.BAS_SLOTS), dtype=np.int32)
    bas[:, gto.ATOM_OF] = [group.centre for group in groups]
    bas[:, gto.ANG_OF] = [group.l for group in groups]
    bas[:, gto.NPRIM_OF] = bas[:, gto.NCTR_OF] = 1
    bas[:, gto.PTR_EXP], bas[:, gto.PTR_COEFF] = start, start + 1
    mol = gto.Mole()
    env = np.concatenate([auxmol._env[:start], [0.0, 1.0]])  # noqa: SLF001
    mol._atm, mol._bas, mol._env = auxmol._atm, bas, env  # noqa: SLF001
    mol.verbose, mol.cart, mol._built = 0, False, True  # noqa: SLF001
    return mol


def _boys(l: int, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return F_l(x) = integral of t^2l exp(-x t^2) over t from 0 to 1, within 1e-6."""
    # The nearest value of a fine table: to interpolate a coarse one takes twice as long.
    places = x * (np.float32(_TABLE_SIZE) / (1 + x)) + np.float32(0.5)
    return np.asarray(_boys_table(l).take(places.astype(np.int32)))


@lru_cache(maxsize=16)
def _boys_table(l: int) -> NDArray[np.float32]:
    """Return F_l at even steps of x / (1 + x), from 0 to 1."""
    from scipy.special import gamma, gammainc

    half = l + 0.5
    s = np.arange(1, _TABLE_SIZE) / _TABLE_SIZE
    x = s / (1.0 - s)
    inner = gammainc(half, x) * gamma(half) / (2 * x**half)
    return np.concatenate([[1.0 / (2 * l + 1)], inner, [0.0]]).astype(np.float32)
