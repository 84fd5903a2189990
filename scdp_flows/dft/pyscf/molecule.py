"""Turn structures into PySCF molecules, refusing early what cannot be computed."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pymatgen.core import Element, Molecule

from scdp_flows.errors import CalculationError, MissingDependencyError, StructureError
from scdp_flows.io.structures import as_arrays, check_closed_shell, check_structure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.io.structures import AtomicStructure

__all__ = [
    "build_molecule",
    "check_elements",
    "mean_field",
    "quiet_pyscf",
    "require_pyscf",
    "restricted_kohn_sham",
]


_HEAVIEST_DEF2 = 36
"""Elements beyond have an effective core potential in the def2 sets."""


def require_pyscf() -> None:
    """Make sure that PySCF can be imported.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        import pyscf  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError.for_package(
            "pyscf", extra="pyscf", purpose="calculations with PySCF"
        ) from error


@contextmanager
def quiet_pyscf() -> Iterator[None]:
    """Hold back PySCF's remark on the integrals of pseudopotential projectors.

    Its table of integral names lacks ``int1e_r2_origi`` and the assumption it makes, a single
    component, is right.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Function int1e_r. *_origi.*", module="pyscf")
        warnings.filterwarnings("ignore", message="Function int1e_r")
        yield


def build_molecule(structure: AtomicStructure, settings: PyscfSettings) -> Any:
    """Return the ``pyscf.gto.Mole`` of a molecule.

    Parameters
    ----------
    structure
        Positions in Å; its charge and, if unrestricted, its spin multiplicity are used.
    settings
        Basis, pseudopotential and spin treatment.

    Raises
    ------
    StructureError
        If the molecule is malformed, periodic, or has an odd number of electrons where both spins
        share their orbitals.
    CalculationError
        If an element has no pseudopotential or no basis.
    """
    require_pyscf()
    from pyscf import gto

    molecule = _checked(structure, settings)
    numbers, positions, _, _ = as_arrays(structure)
    symbols = [Element.from_Z(int(z)).symbol for z in numbers]
    check_elements(set(symbols), settings)
    unrestricted = settings.spin == "unrestricted"
    mol = gto.M(
        atom=list(zip(symbols, positions.tolist(), strict=True)),
        unit="Angstrom",
        basis=settings.basis,
        pseudo=None if settings.all_electrons else settings.pseudopotential,
        charge=round(molecule.charge),
        spin=round(molecule.spin_multiplicity) - 1 if unrestricted else 0,
        verbose=0,
    )
    if mol.nelectron < 1:
        raise StructureError(
            f"{structure.formula} with charge {mol.charge} has {mol.nelectron} valence electrons; "
            "expected at least one: correct the charge"
        )
    return mol


def _checked(structure: AtomicStructure, settings: PyscfSettings) -> Molecule:
    """Refuse what is no molecule, or not of the spin treatment."""
    if not isinstance(structure, Molecule):
        raise StructureError(
            f"found a periodic {type(structure).__name__}; these settings treat molecules: give a "
            "pymatgen Molecule"
        )
    check_structure(structure)
    if settings.spin == "restricted":
        check_closed_shell(structure)
    return structure


def check_elements(symbols: set[str], settings: PyscfSettings) -> None:
    """Make sure that every element has a basis and, where one is set, a pseudopotential.

    Parameters
    ----------
    symbols
        Chemical symbols.
    settings
        Pseudopotential and basis.

    Raises
    ------
    CalculationError
        If one is missing.
    """
    from pyscf.gto.basis import load, load_pseudo

    needed: dict[str, Any] = {"basis": load, "pseudopotential": load_pseudo}
    if settings.all_electrons:
        del needed["pseudopotential"]
    for symbol in sorted(symbols):
        if settings.all_electrons:
            _check_core(symbol, settings.basis)
        for name, loader in needed.items():
            value = getattr(settings, name)
            try:
                loader(value, symbol)
            except (RuntimeError, KeyError, ValueError, OSError) as error:
                raise CalculationError(
                    f"PySCF has no {name} {value!r} for the element {symbol}; leave the structure "
                    f"out or choose another {name} (gth-dzvp-molopt-sr and gth-pbe reach furthest)"
                ) from error


def _check_core(symbol: str, basis: str) -> None:
    """Refuse bases without core functions where all electrons are treated."""
    plain = basis.strip().lower()
    heaviest = _HEAVIEST_DEF2 if plain.startswith("def2") else None
    if plain.startswith("gth") or (heaviest is not None and heaviest < Element(symbol).Z):
        raise CalculationError(
            f"the basis {basis!r} has no core functions for {symbol}, and no pseudopotential is "
            "set; choose a basis of all electrons, or the pseudopotential of this one"
        )


def mean_field(mol: Any, settings: PyscfSettings, *, conv_tol_ha: float | None = None) -> Any:
    """Return an unconverged Kohn-Sham object with the settings applied.

    Parameters
    ----------
    mol
        From :func:`build_molecule`.
    settings
        Functional, grid level, cycles and spin treatment.
    conv_tol_ha
        Overrides the label's convergence threshold, Hartree.
    """
    from pyscf.dft import uks

    if settings.spin == "restricted":
        mf = restricted_kohn_sham(mol, settings)
    else:
        mf = _without_checkpoint(uks.UKS(mol, xc=settings.functional))
    mf.grids.level = settings.grid_level
    mf.conv_tol = settings.conv_tol_ha if conv_tol_ha is None else conv_tol_ha
    mf.max_cycle = settings.max_cycle
    return mf


def restricted_kohn_sham(mol: Any, settings: PyscfSettings) -> Any:
    """Return a Kohn-Sham object of shared orbitals, for any number of electrons."""
    from pyscf.dft import rks

    return _without_checkpoint(rks.RKS(mol, xc=settings.functional))


def _without_checkpoint(mf: Any) -> Any:
    """Close the temporary file that PySCF opens for each object."""
    file = getattr(mf, "_chkfile", None)
    if file is not None:
        file.close()
    mf._chkfile = mf.chkfile = None  # noqa: SLF001 - PySCF has no switch of its own per object
    return mf
