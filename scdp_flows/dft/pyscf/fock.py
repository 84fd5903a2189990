"""Build the Kohn-Sham matrix of a given density, and the density matrix it leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_flows.dft.pyscf.auxiliary import condensed, spherical_coulomb_operator
from scdp_flows.dft.pyscf.shell_sums import ShellSums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

    # Orbital values with gradients, points (bohr) → density with gradient of both spins together
    # or of each, shape (1 or 2, 4, n), and a potential to be added to theirs, shape (n,) or zero.
    _Density = Callable[
        [NDArray[np.float64], NDArray[np.float64]],
        tuple[NDArray[np.float64], NDArray[np.float64] | float],
    ]

__all__ = [
    "DensityFocks",
    "diagonalised_density_matrix",
    "fock_of_density",
    "fock_of_density_matrix",
    "focks_of_density",
    "focks_of_density_matrix",
    "seed_grid",
    "semilocal_functional",
]

_BLOCK = 72 * 56
_NO_DENSITY = 1e-10
_RADIAL_FACTOR, _DIRECTIONS = 1.4, 110


class DensityFocks(NamedTuple):
    """What a density alone says of a Fock matrix."""

    semilocal: NDArray[np.float64]
    """F0 with the functional, or with PBE in place of a hybrid; ``(n, n)`` or ``(2, n, n)``."""
    without_exchange: NDArray[np.float64] | None
    """The Fock matrix of a hybrid less its exact exchange; None for other functionals."""


def semilocal_functional(mf: Any) -> str:
    """Return the functional of an object, or PBE where that needs more than a density."""
    numint = mf._numint  # noqa: SLF001 - PySCF has no public name for it
    simple = numint._xc_type(mf.xc) in {"LDA", "GGA"}  # noqa: SLF001
    nonlocal_part = numint.libxc.is_hybrid_xc(mf.xc) or numint.libxc.is_nlc(mf.xc)
    return str(mf.xc) if simple and not nonlocal_part else "PBE"


def _functionals(mf: Any) -> list[str]:
    """Return what is semilocal in an object: its functional, or PBE and the part of a hybrid."""
    numint = mf._numint  # noqa: SLF001 - PySCF has no public name for it
    first = semilocal_functional(mf)
    libxc, name = numint.libxc, str(mf.xc)
    simple = numint._xc_type(name) in {"LDA", "GGA"} and not libxc.is_nlc(name)  # noqa: SLF001
    if name == first or not simple or numint.rsh_and_hybrid_coeff(name)[0] != 0:
        return [first]
    return [first, name]


def focks_of_density(
    mf: Any,
    density: OrbitalDensity,
    *,
    spin: OrbitalDensity | None = None,
    grid_level: int = 0,
) -> DensityFocks:
    """Return F0 of a density and, for a hybrid of global exchange, the rest of its Fock matrix.

    Parameters
    ----------
    mf, density, spin, grid_level
        As in :func:`fock_of_density`.
    """
    return _focks(mf, density, spin, grid_level, _functionals(mf))


def _focks(
    mf: Any,
    density: OrbitalDensity,
    spin: OrbitalDensity | None,
    grid_level: int,
    functionals: list[str],
) -> DensityFocks:
    density = condensed(density)
    total, difference = ShellSums(density), None if spin is None else ShellSums(spin)

    def evaluate(
        _: NDArray[np.float64], points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rho, repulsion = total(points)
        if difference is None:
            return rho[None], repulsion
        m, _ = difference(points, potential=False)
        return 0.5 * np.stack([rho + m, rho - m]), repulsion

    shared = mf.get_hcore() + spherical_coulomb_operator(mf.mol, density)
    return _added(shared, _local_potentials(mf, evaluate, grid_level, functionals))


def _added(shared: NDArray[np.float64], local: list[NDArray[np.float64]]) -> DensityFocks:
    rest = np.asarray(shared + local[1]) if len(local) > 1 else None
    return DensityFocks(np.asarray(shared + local[0]), rest)


def fock_of_density(
    mf: Any,
    density: OrbitalDensity,
    *,
    spin: OrbitalDensity | None = None,
    grid_level: int = 0,
) -> NDArray[np.float64]:
    """Return F0 = T + V_nuclei + J[rho] + V_xc[rho] of a density, shape ``(n, n)``, Hartree.

    With a spin density the potentials of both spins, shape ``(2, n, n)``. The repulsion by the s
    functions, which hold all charge, is exact; that by the multipoles is summed on the grid of the
    exchange-correlation potential, where it is a smaller part than that.

    Parameters
    ----------
    mf
        PySCF mean-field object: its molecule and functional are used.
    density
        Total density.
    spin
        Spin density, up less down.
    grid_level
        Of the exchange-correlation grid; see :func:`seed_grid`. Where it is coarser than that of
        the calculation, its error can exceed that of a very good density.
    """
    return _focks(mf, density, spin, grid_level, [semilocal_functional(mf)]).semilocal


def fock_of_density_matrix(
    mf: Any, dm: NDArray[np.float64], *, grid_level: int = 0
) -> NDArray[np.float64]:
    """Return the same F0 for the density of a density matrix.

    Parameters
    ----------
    mf
        PySCF mean-field object.
    dm
        Both spins together, or one matrix per spin, shape ``(2, n, n)``.
    grid_level
        As in :func:`fock_of_density`.
    """
    return focks_of_density_matrix(mf, dm, grid_level=grid_level).semilocal


def focks_of_density_matrix(
    mf: Any, dm: NDArray[np.float64], *, grid_level: int = 0
) -> DensityFocks:
    """Return the same as :func:`focks_of_density` for the density of a density matrix.

    Parameters
    ----------
    mf, dm, grid_level
        As in :func:`fock_of_density_matrix`.
    """
    spins = np.reshape(dm, (-1, *np.shape(dm)[-2:]))

    def evaluate(
        ao: NDArray[np.float64], _: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float]:
        # Density and gradient from one product; the matrix is symmetric.
        values = np.stack([np.einsum("cpi,pi->cp", ao, ao[0] @ one) for one in spins])
        values[:, 1:] *= 2
        return values, 0.0

    shared = mf.get_hcore() + mf.get_j(mf.mol, spins.sum(axis=0))
    return _added(shared, _local_potentials(mf, evaluate, grid_level, _functionals(mf)))


def seed_grid(mol: Any, level: int) -> Any:
    """Return the grid on which a density becomes a potential.

    Level 0 is PySCF's with 1.4 times its radial points, and 110 directions around atoms other than
    H and He. PySCF's own level 0 is too coarse along the radius: for ethanol the density matrix is
    off by four times as much, and calculations took an iteration more.

    Parameters
    ----------
    mol
        PySCF molecule.
    level
        PySCF's level, 0 to 9.
    """
    from pyscf import gto
    from pyscf.dft import Grids, gen_grid

    grids = Grids(mol)
    grids.level = level
    if level == 0:
        # Charges of nuclei are those of pseudopotentials here; the names tell the elements.
        numbers = {name: gto.charge(name) for name in set(mol.elements)}
        grids.atom_grid = {
            name: (
                round(_RADIAL_FACTOR * gen_grid._default_rad(z, 0)),  # noqa: SLF001
                gen_grid._default_ang(z, 0) if z <= 2 else _DIRECTIONS,  # noqa: SLF001
            )
            for name, z in numbers.items()
        }
    # Sorting them into boxes would serve a screening that so few points do not need.
    grids.build(sort_grids=False)
    return grids


def _local_potentials(
    mf: Any, density: _Density, grid_level: int, functionals: list[str]
) -> list[NDArray[np.float64]]:
    """Integrate semilocal potentials of a density, or of each spin, between the orbitals."""
    from pyscf.dft import numint

    mol, integrator = mf.mol, numint.NumInt()
    out: list[Any] = [0.0] * len(functionals)
    blocks = integrator.block_loop(mol, seed_grid(mol, grid_level), deriv=1, blksize=_BLOCK)
    for ao, _, weights, points in blocks:
        rho, added = density(ao, points)
        for one in rho:
            # A fit may dip below zero in the tails, where the potential has no meaning.
            one[:, one[0] < _NO_DENSITY] = 0.0
        for i, functional in enumerate(functionals):
            potential = _potential(integrator, functional, rho)
            potential[:, 0] += added
            out[i] = out[i] + np.stack(_between_orbitals(ao, weights * potential))
    both = [part + part.transpose(0, 2, 1) for part in out]
    return [part if len(part) > 1 else part[0] for part in both]


def _potential(integrator: Any, functional: str, rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the potential of each spin, and its parts that act on gradients."""
    kind = integrator._xc_type(functional)  # noqa: SLF001
    known = rho if kind == "GGA" else rho[:, 0]
    spin, given = (0, known[0]) if len(rho) == 1 else (1, known)
    found = integrator.eval_xc_eff(functional, given, deriv=1, xctype=kind, spin=spin)[1]
    return np.reshape(found, (len(rho), -1, rho.shape[-1]))


def _between_orbitals(
    ao: NDArray[np.float64], weighted: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Return half the matrix of the potential of each spin, to be added to its transpose."""
    weighted[:, 0] *= 0.5
    return [ao[0].T @ np.einsum("cpi,cp->pi", ao[: len(one)], one) for one in weighted]


def diagonalised_density_matrix(mf: Any, fock: NDArray[np.float64]) -> NDArray[np.float64]:
    """Occupy the lowest orbitals of a Fock matrix and return their density matrix.

    Parameters
    ----------
    mf
        PySCF mean-field object.
    fock
        Shape ``(n, n)``, Hartree; ``(2, n, n)`` for an unrestricted object.
    """
    energies, orbitals = mf.eig(fock, mf.get_ovlp())
    # Tagged with its orbitals, from which PySCF builds the next density faster.
    return mf.make_rdm1(orbitals, mf.get_occ(energies, orbitals))  # type: ignore[no-any-return]
