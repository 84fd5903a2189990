"""Build the Kohn-Sham matrix of a given density, and the density matrix it leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.pyscf.auxiliary import coulomb_operator, to_auxmol

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

    # Orbital values with gradients, points (bohr) → density with gradient, shape (4, n).
    _Density = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]

__all__ = [
    "diagonalised_density_matrix",
    "fock_of_density",
    "fock_of_density_matrix",
    "semilocal_functional",
]

_BLOCK = 72 * 56
_CACHED = 9 * 56  # so many points that the values of all shells stay in the processor's cache
_NO_DENSITY = 1e-10


def semilocal_functional(mf: Any) -> str:
    """Return the functional of an object, or PBE where that needs more than a density."""
    numint = mf._numint  # noqa: SLF001 - PySCF has no public name for it
    simple = numint._xc_type(mf.xc) in {"LDA", "GGA"}  # noqa: SLF001
    nonlocal_part = numint.libxc.is_hybrid_xc(mf.xc) or numint.libxc.is_nlc(mf.xc)
    return str(mf.xc) if simple and not nonlocal_part else "PBE"


def fock_of_density(
    mf: Any, density: OrbitalDensity, *, grid_level: int = 1
) -> NDArray[np.float64]:
    """Return F0 = T + V_nuclei + J[rho] + V_xc[rho] of a density, shape ``(n, n)``, Hartree.

    Parameters
    ----------
    mf
        PySCF mean-field object: its molecule and functional are used.
    density
        Total density.
    grid_level
        Of the exchange-correlation grid. Where it is coarser than that of the calculation, its
        error can exceed that of a good density (level 0: 0.12 % after one diagonalisation).
    """
    auxiliary = to_auxmol(density)
    coefficients = auxiliary.to_pyscf(density.coefficients)

    def evaluate(_: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [points[i : i + _CACHED] for i in range(0, len(points), _CACHED)]
        values = [auxiliary.mol.eval_gto("GTOval_sph_deriv1", p) @ coefficients for p in parts]
        return np.concatenate(values, axis=1)

    potential = _exchange_correlation(mf, evaluate, grid_level)
    return np.asarray(mf.get_hcore() + coulomb_operator(mf.mol, density) + potential)


def fock_of_density_matrix(
    mf: Any, dm: NDArray[np.float64], *, grid_level: int = 1
) -> NDArray[np.float64]:
    """Return the same F0 for the density of a density matrix.

    Parameters
    ----------
    mf
        PySCF mean-field object.
    dm
        Both spins together.
    grid_level
        As in :func:`fock_of_density`.
    """

    def evaluate(ao: NDArray[np.float64], _: NDArray[np.float64]) -> NDArray[np.float64]:
        # Density and gradient from one product; the matrix is symmetric.
        half = ao[0] @ dm
        values = np.einsum("cpi,pi->cp", ao, half)
        values[1:] *= 2
        return np.asarray(values)

    potential = _exchange_correlation(mf, evaluate, grid_level)
    return np.asarray(mf.get_hcore() + mf.get_j(mf.mol, dm) + potential)


def _exchange_correlation(mf: Any, density: _Density, grid_level: int) -> NDArray[np.float64]:
    """Integrate the semilocal potential of a density between the orbitals."""
    from pyscf.dft import Grids, numint

    mol, integrator, functional = mf.mol, numint.NumInt(), semilocal_functional(mf)
    kind = integrator._xc_type(functional)  # noqa: SLF001
    grids = Grids(mol)
    grids.level = grid_level
    grids.build()
    out = np.zeros((mol.nao, mol.nao))
    for ao, _, weights, points in integrator.block_loop(mol, grids, deriv=1, blksize=_BLOCK):
        rho = density(ao, points)
        # A fit may dip below zero in the tails, where the potential has no meaning.
        rho[:, rho[0] < _NO_DENSITY] = 0.0
        rho = rho if kind == "GGA" else rho[0]
        _, potential = integrator.eval_xc_eff(functional, rho, deriv=1, xctype=kind, spin=0)[:2]
        weighted = weights * np.atleast_2d(potential)
        weighted[0] *= 0.5
        out += ao[0].T @ np.einsum("cpi,cp->pi", ao[: len(weighted)], weighted)
    return out + out.T


def diagonalised_density_matrix(mf: Any, fock: NDArray[np.float64]) -> NDArray[np.float64]:
    """Occupy the lowest orbitals of a Fock matrix and return their density matrix.

    Parameters
    ----------
    mf
        Spin-restricted PySCF mean-field object.
    fock
        Shape ``(n, n)``, Hartree.
    """
    energies, orbitals = mf.eig(fock, mf.get_ovlp())
    # Tagged with its orbitals, from which PySCF builds the next density faster.
    return mf.make_rdm1(orbitals, mf.get_occ(energies, orbitals))  # type: ignore[no-any-return]
