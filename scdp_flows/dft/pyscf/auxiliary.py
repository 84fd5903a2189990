"""Hand an ``OrbitalDensity`` to PySCF as an auxiliary basis."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = [
    "Auxiliary",
    "condensed",
    "contract_with_density_matrix",
    "coulomb_error",
    "coulomb_operator",
    "spherical_coulomb_operator",
    "to_auxmol",
]

_BLOCK_BYTES = 128 * 1024**2
_CONDENSED_RATIO, _CONDENSED_RIDGE = 1.85, 1e-12


class Auxiliary(NamedTuple):
    """The shells of a density as a PySCF molecule without charges."""

    mol: Any
    """``pyscf.gto.Mole`` with one primitive per shell, in the shells' order."""
    permutation: NDArray[np.int64]
    """``ours = theirs[permutation]``: PySCF orders p functions x, y, z, we y, z, x."""

    def to_pyscf(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reorder values of functions (last axis) from our order to PySCF's."""
        out = np.empty_like(values)
        out[..., self.permutation] = values
        return out


def to_auxmol(density: OrbitalDensity) -> Auxiliary:
    """Turn the shells of a density into a PySCF molecule.

    Works for any centres, bond midpoints included: the nuclei have no charge. Both sides normalise
    a function so that its square integrates to one, so coefficients need no factor.

    Parameters
    ----------
    density
        Its coefficients are not used.
    """
    from pyscf import gto

    from scdp_models.units import BOHR_TO_ANGSTROM

    n_centres, n_shells = len(density.numbers), len(density.shell_ls)
    env = [np.zeros(gto.PTR_ENV_START), (density.positions / BOHR_TO_ANGSTROM).ravel()]
    first_shell = gto.PTR_ENV_START + 3 * n_centres
    pairs = np.empty((n_shells, 2))
    pairs[:, 0] = density.shell_exponents
    for l in np.unique(density.shell_ls).tolist():
        same = density.shell_ls == l
        pairs[same, 1] = gto.gto_norm(l, pairs[same, 0])
    atm = np.zeros((n_centres, gto.ATM_SLOTS), dtype=np.int32)
    atm[:, gto.PTR_COORD] = gto.PTR_ENV_START + 3 * np.arange(n_centres)
    bas = np.zeros((n_shells, gto.BAS_SLOTS), dtype=np.int32)
    bas[:, gto.ATOM_OF] = density.shell_centres
    bas[:, gto.ANG_OF] = density.shell_ls
    bas[:, gto.NPRIM_OF] = bas[:, gto.NCTR_OF] = 1
    bas[:, gto.PTR_EXP] = first_shell + 2 * np.arange(n_shells)
    bas[:, gto.PTR_COEFF] = bas[:, gto.PTR_EXP] + 1
    mol = gto.Mole()
    mol._atm, mol._bas, mol._env = atm, bas, np.concatenate([*env, pairs.ravel()])  # noqa: SLF001
    mol.verbose, mol.cart, mol._built = 0, False, True  # noqa: SLF001
    return Auxiliary(mol, _permutation(density))


def _permutation(density: OrbitalDensity) -> NDArray[np.int64]:
    permutation = np.arange(density.n_functions)
    first = density.shell_offsets[density.shell_ls == 1][:, None]
    permutation[first + np.arange(3)] = first + np.array([1, 2, 0])
    return permutation


def _blocks(mol: Any, auxmol: Any) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield (mn|P) for m >= n, shape ``(n_pairs, n_block)``, in blocks of bounded memory."""
    from pyscf.df.incore import aux_e2

    pairs = mol.nao * (mol.nao + 1) // 2
    most = max(1, _BLOCK_BYTES // (8 * pairs))
    offsets = auxmol.ao_loc_nr()
    begin = 0
    while begin < auxmol.nbas:
        end = int(np.searchsorted(offsets, offsets[begin] + most, side="right")) - 1
        end = min(max(end, begin + 1), auxmol.nbas)
        shells = (0, mol.nbas, 0, mol.nbas, begin, end)
        block = aux_e2(mol, auxmol, "int3c2e", aosym="s2ij", shls_slice=shells)
        yield slice(int(offsets[begin]), int(offsets[end])), block
        begin = end


def contract_with_density_matrix(
    mol: Any, density: OrbitalDensity, dm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (P|rho) of an orbital density matrix for every function P of a density.

    Parameters
    ----------
    mol
        The molecule of the density matrix.
    density
        The functions P; their coefficients are not used.
    dm
        Symmetric, shape ``(n_orbitals, n_orbitals)``, both spins together.

    Returns
    -------
    numpy.ndarray
        Shape ``(density.n_functions,)``, Hartree, in our order.
    """
    from pyscf import lib

    auxiliary = to_auxmol(density)
    packed = lib.pack_tril(2 * dm - np.diag(dm.diagonal()))
    out = np.empty(density.n_functions)
    for columns, integrals in _blocks(mol, auxiliary.mol):
        out[columns] = packed @ integrals
    return out[auxiliary.permutation]


def coulomb_operator(mol: Any, density: OrbitalDensity) -> NDArray[np.float64]:
    """Return the Coulomb matrix J_mn = (mn|rho) of a density, Hartree.

    Parameters
    ----------
    mol
        The molecule whose orbitals m and n are.
    density
        The density with its coefficients.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_orbitals, n_orbitals)``.
    """
    from pyscf import lib

    auxiliary = to_auxmol(density)
    coefficients = auxiliary.to_pyscf(density.coefficients)
    packed = np.zeros(mol.nao * (mol.nao + 1) // 2)
    for columns, integrals in _blocks(mol, auxiliary.mol):
        packed += integrals @ coefficients[columns]
    return np.asarray(lib.unpack_tril(packed))


def spherical_coulomb_operator(mol: Any, density: OrbitalDensity) -> NDArray[np.float64]:
    """Return the Coulomb matrix of the s functions of a density alone, Hartree.

    Those of one centre are contracted to one function: all charge in a fraction of the time.

    Parameters
    ----------
    mol
        The molecule whose orbitals m and n are.
    density
        The density with its coefficients.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_orbitals, n_orbitals)``.
    """
    from pyscf import lib

    packed = np.zeros(mol.nao * (mol.nao + 1) // 2)
    for _, integrals in _blocks(mol, _contracted(density)):
        packed += integrals.sum(axis=1)
    return np.asarray(lib.unpack_tril(packed))


def _contracted(density: OrbitalDensity) -> Any:
    """Return a PySCF molecule with the sum of the s functions of each centre as its only shell."""
    from pyscf import gto

    auxiliary = to_auxmol(density)
    spherical = density.shell_ls == 0
    coefficients = density.coefficients[density.shell_offsets[spherical]]
    centres, exponents = density.shell_centres[spherical], density.shell_exponents[spherical]
    env, bas = [auxiliary.mol._env], []  # noqa: SLF001
    end = len(env[0])
    for centre in np.unique(centres):
        own = centres == centre
        n, norms = int(own.sum()), gto.gto_norm(0, exponents[own])
        bas.append([centre, 0, n, 1, 0, end, end + n, 0])
        env += [exponents[own], coefficients[own] * norms]
        end += 2 * n
    mol = auxiliary.mol
    mol._bas, mol._env = np.array(bas, dtype=np.int32), np.concatenate(env)  # noqa: SLF001
    return mol


def condensed(density: OrbitalDensity) -> OrbitalDensity:
    """Return a density with half as many s functions, off by some 1e-7 Hartree per atom.

    The atoms of the reference and the difference to them have s functions of their own. They are
    fitted by one series of exponents per centre, in the Coulomb metric with the charge held.

    Parameters
    ----------
    density
        The density with its coefficients.
    """
    from scdp_models.basis.shells import shell_charge

    spherical = density.shell_ls == 0
    others = np.flatnonzero(~spherical)
    offsets, widths = density.shell_offsets, 2 * density.shell_ls + 1
    centres, exponents = list(density.shell_centres[others]), list(density.shell_exponents[others])
    kept = [density.coefficients[offsets[i] : offsets[i] + widths[i]] for i in others.tolist()]
    for centre in np.unique(density.shell_centres[spherical]).tolist():
        own = np.flatnonzero(spherical & (density.shell_centres == centre))
        given = density.shell_exponents[own]
        charges = density.coefficients[offsets[own]] * shell_charge(0, given)
        few, held = _condensed_charges(given, charges)
        centres += [centre] * len(few)
        exponents += few.tolist()
        kept.append(held / shell_charge(0, few))
    return replace(
        density,
        shell_centres=np.asarray(centres, dtype=np.int64),
        shell_ls=np.concatenate(
            [density.shell_ls[others], np.zeros(len(centres) - len(others))]
        ).astype(np.int64),
        shell_exponents=np.asarray(exponents, dtype=np.float64),
        coefficients=np.concatenate(kept),
    )


def _condensed_charges(
    exponents: NDArray[np.float64], charges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit concentric spherical Gaussians, given by their charges, by fewer of them."""
    from scdp_models.density.coulomb import charge_constrained_fit

    low, high = float(exponents.min()), float(exponents.max())
    count = math.ceil(math.log(high / low) / math.log(_CONDENSED_RATIO)) + 1
    if count >= len(exponents):
        return exponents, charges
    few = np.geomspace(low, high, count)

    def repulsion(others: NDArray[np.float64]) -> NDArray[np.float64]:
        product = np.multiply.outer(few, others) / np.add.outer(few, others)
        return np.asarray(2 * np.sqrt(product / np.pi))

    held = charge_constrained_fit(
        repulsion(few),
        repulsion(exponents) @ charges,
        np.ones(count),
        charge=float(charges.sum()),
        ridge=_CONDENSED_RIDGE,
    )
    return few, held


def coulomb_error(
    mol: Any, density: OrbitalDensity, dm: NDArray[np.float64], *, coulomb_energy_ha: float
) -> float:
    """Return (d|d)/2 in Hartree of the difference d of a density and a density matrix, exactly.

    Parameters
    ----------
    mol, dm
        PySCF molecule and its density matrix, both spins together.
    density
        The density that is off.
    coulomb_energy_ha
        (rho|rho)/2 of the density matrix.
    """
    from scdp_models.density.coulomb import coulomb_matrix

    c = density.coefficients
    cross = c @ contract_with_density_matrix(mol, density, dm)
    return float(coulomb_energy_ha - cross + 0.5 * c @ coulomb_matrix(density) @ c)
