"""Compute spherical atoms of the same kind as the labels; their sum is the labels' reference."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pymatgen.core import Element

from scdp_flows.dft.pyscf.auxiliary import contract_with_density_matrix
from scdp_flows.dft.pyscf.molecule import check_elements, quiet_pyscf, require_pyscf
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_models.density.atomic import AtomicDensity, AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["SphericalAtom", "atomic_fit_error", "atomic_reference", "spherical_atom"]

_EXPONENTS = (0.08, 40.0, 16)
"""Least and largest exponent (bohr^-2) and number of the s Gaussians of an atom.

Where the orbitals are more diffuse, the least is twice their least exponent. Where all electrons
are treated, the range goes on by the same ratio to twice their greatest."""
_RIDGE = 1e-8
_CYCLES, _TOLERANCE = 100, 1e-9


class SphericalAtom(NamedTuple):
    """A converged atom with spherically averaged, fractionally occupied shells."""

    mol: Any
    """``pyscf.gto.Mole`` at the origin."""
    dm: NDArray[np.float64]
    """Density matrix of both spins, invariant under rotations."""


class _Shells(NamedTuple):
    """Functions of one degree: ``rows[i, m]`` is function m of radial function i."""

    rows: NDArray[np.int64]
    n_electrons: float


def atomic_reference(settings: PyscfSettings, elements: Iterable[int]) -> AtomicReference:
    """Return the spherical neutral atoms of some elements.

    The numbers depend on nothing but the settings and the element, so that every label of one
    kind has the same reference.

    Parameters
    ----------
    settings
        Functional, pseudopotential and basis of the labels.
    elements
        Atomic numbers.

    Raises
    ------
    CalculationError
        If an element has no pseudopotential or basis, or its atom does not converge.
    """
    from scdp_models.density.atomic import AtomicReference

    atoms = {int(z): _atomic_density(settings, int(z)) for z in sorted(set(elements))}
    recipe = f"{settings.functional}/{settings.pseudopotential}/{settings.basis}"
    return AtomicReference(f"PySCF {recipe} spherical atoms", atoms)


@lru_cache(maxsize=512)
def _atomic_density(settings: PyscfSettings, number: int) -> AtomicDensity:
    """Fit s Gaussians to an atom in the Coulomb metric, holding the electron count."""
    from scdp_models.density.atomic import AtomicDensity
    from scdp_models.density.coulomb import charge_constrained_fit, coulomb_matrix

    atom = spherical_atom(settings, number)
    shells = _s_shells(atom.mol, number)
    n_electrons = float(atom.mol.nelectron)
    coefficients = charge_constrained_fit(
        coulomb_matrix(shells),
        contract_with_density_matrix(atom.mol, shells, atom.dm),
        shells.charges,
        charge=n_electrons,
        ridge=_RIDGE,
    )
    return AtomicDensity(n_electrons, tuple(shells.shell_exponents), tuple(coefficients.tolist()))


def _s_shells(mol: Any, number: int) -> OrbitalDensity:
    """Place even-tempered s Gaussians at the origin."""
    from scdp_models.basis.shells import BasisSet, ElementBasis
    from scdp_models.density.orbital import OrbitalDensity

    low, high, count = _EXPONENTS
    low = min(low, 2 * min(mol.bas_exp(shell).min() for shell in range(mol.nbas)))
    if not mol._pseudo:  # noqa: SLF001 - PySCF has no public name for it
        ratio = (high / low) ** (1 / (count - 1))
        greatest = max(high, 2 * max(mol.bas_exp(shell).max() for shell in range(mol.nbas)))
        count += math.ceil(math.log(greatest / high) / math.log(ratio))
        high = low * ratio ** (count - 1)
    exponents = tuple(np.geomspace(low, high, count).tolist())
    basis = BasisSet("s", {number: ElementBasis((0,) * count, exponents)})
    return OrbitalDensity.from_basis(basis, [number], [[0.0, 0.0, 0.0]])


def atomic_fit_error(settings: PyscfSettings, number: int) -> float:
    """Return the NMAE in percent of an atom's s Gaussians against its orbitals, by quadrature."""
    from scipy.integrate import trapezoid

    from scdp_flows.dft.pyscf.auxiliary import to_auxmol
    from scdp_models.density.atomic import AtomicReference

    atom = spherical_atom(settings, number)
    radius = np.geomspace(1e-4, 20.0, 2000)
    points = radius[:, None] * np.array([0.0, 0.0, 1.0])
    ao = atom.mol.eval_gto("GTOval_sph", points)
    exact = np.einsum("pi,ij,pj->p", ao, atom.dm, ao)
    reference = AtomicReference("one", {number: _atomic_density(settings, number)})
    fit = reference.superposition([number], [[0.0, 0.0, 0.0]])
    values = to_auxmol(fit).mol.eval_gto("GTOval_sph", points) @ fit.coefficients
    error = trapezoid(abs(values - exact) * 4 * np.pi * radius**2, radius)
    return 100 * float(error) / float(atom.mol.nelectron)


@lru_cache(maxsize=512)
def spherical_atom(settings: PyscfSettings, number: int) -> SphericalAtom:
    """Converge a neutral atom whose electrons are spread evenly over each valence shell.

    Parameters
    ----------
    settings
        Functional, pseudopotential and basis.
    number
        Atomic number.

    Raises
    ------
    CalculationError
        If the element has no pseudopotential or basis, or the atom does not converge.
    """
    require_pyscf()
    from pyscf import gto
    from pyscf.data import elements

    symbol = Element.from_Z(number).symbol
    check_elements({symbol}, settings)
    if settings.all_electrons:
        electrons = list(elements.CONFIGURATION[number])
        pseudo = None
    else:
        pseudo = {symbol: gto.basis.load_pseudo(settings.pseudopotential, symbol)}
        electrons = pseudo[symbol][0]
    mol = gto.M(
        atom=[(symbol, (0.0, 0.0, 0.0))],
        basis=settings.basis,
        pseudo=pseudo,
        spin=sum(electrons) % 2,
        verbose=0,
    )
    shells = _group_shells(mol, electrons)
    return SphericalAtom(mol, _self_consistent(mol, shells, settings))


def _group_shells(mol: Any, electrons: list[int]) -> list[_Shells]:
    """Group the functions by degree, whose numbers of electrons are given."""
    offsets = mol.ao_loc_nr()
    groups: dict[int, list[NDArray[np.int64]]] = {}
    for shell in range(mol.nbas):
        l, count = mol.bas_angular(shell), mol.bas_nctr(shell)
        rows = np.arange(offsets[shell], offsets[shell + 1]).reshape(count, 2 * l + 1)
        groups.setdefault(l, []).append(rows)
    padded = [*electrons, *[0] * len(groups)]
    return [_Shells(np.concatenate(rows), padded[l]) for l, rows in sorted(groups.items())]


def _averaged(matrix: NDArray[np.float64], shells: _Shells) -> NDArray[np.float64]:
    """Average a matrix over m, shape ``(n_radial, n_radial)``."""
    rows = shells.rows
    return np.asarray(matrix[rows[:, None], rows[None]].mean(axis=-1))


def _occupy(
    fock: NDArray[np.float64], overlap: NDArray[np.float64], groups: list[_Shells]
) -> NDArray[np.float64]:
    """Fill the lowest radial orbitals of each degree and return the density matrix."""
    from scipy.linalg import eigh

    dm = np.zeros_like(fock)
    for shells in groups:
        _, orbitals = eigh(_averaged(fock, shells), _averaged(overlap, shells))
        n_m = shells.rows.shape[1]
        left = shells.n_electrons
        for orbital in orbitals.T:
            occupation = min(2.0, left / n_m)
            left -= occupation * n_m
            for m in range(n_m):
                rows = shells.rows[:, m]
                dm[np.ix_(rows, rows)] += occupation * np.outer(orbital, orbital)
            if left <= 0:
                break
    return dm


def _self_consistent(
    mol: Any, groups: list[_Shells], settings: PyscfSettings
) -> NDArray[np.float64]:
    """Iterate the density matrix with DIIS until it stands still."""
    from pyscf import scf

    from scdp_flows.dft.pyscf.molecule import restricted_kohn_sham

    mf = restricted_kohn_sham(mol, settings)
    # Averages over m of products up to f functions need degree 6; 50 points are exact to 11.
    mf.grids.atom_grid, mf.grids.prune = (99, 50), None
    with quiet_pyscf():
        core, overlap = mf.get_hcore(mol), mf.get_ovlp(mol)
    diis = scf.diis.CDIIS()
    dm = _occupy(core, overlap, groups)
    for _ in range(_CYCLES):
        fock = core + np.asarray(mf.get_veff(mol, dm))
        fock = diis.update(overlap, dm, _spherical(fock, groups))
        previous, dm = dm, _occupy(fock, overlap, groups)
        if abs(dm - previous).max() < _TOLERANCE:
            return dm
    raise CalculationError(
        f"the spherical {mol.atom_symbol(0)} atom did not converge in {_CYCLES} cycles with "
        f"{settings.functional}/{settings.basis}; choose another basis or functional"
    )


def _spherical(matrix: NDArray[np.float64], groups: list[_Shells]) -> NDArray[np.float64]:
    """Project a matrix onto its rotation-invariant part."""
    out = np.zeros_like(matrix)
    for shells in groups:
        average = _averaged(matrix, shells)
        for m in range(shells.rows.shape[1]):
            rows = shells.rows[:, m]
            out[np.ix_(rows, rows)] = average
    return out
