"""Turn structures into PySCF cells, refusing early what cannot be computed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from pymatgen.core import Element

from scdp_flows.dft.plane_waves.structure import Crystal
from scdp_flows.dft.pyscf.molecule import require_pyscf
from scdp_flows.errors import CalculationError, SettingsError, StructureError
from scdp_flows.io.structures import as_arrays, check_structure, total_charge

if TYPE_CHECKING:
    from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings
    from scdp_flows.io.structures import AtomicStructure

__all__ = ["PyscfCrystal", "build_cell"]

# Of PySCF's integrals: lattice sums are cut where they change overlaps by less.
_PRECISION = 1e-8


class PyscfCrystal(NamedTuple):
    """A structure that can be computed."""

    crystal: Crystal
    """Atoms, cell and valence electrons."""
    cell: Any
    """``pyscf.pbc.gto.Cell``."""


def build_cell(structure: AtomicStructure, settings: PyscfCrystalSettings) -> PyscfCrystal:
    """Return the cell of a crystal.

    Parameters
    ----------
    structure
        Periodic in three directions.
    settings
        Basis, pseudopotential, grid.

    Raises
    ------
    StructureError
        If it is no crystal, overlaps, or has an odd number of electrons with fixed occupations or
        an odd number of k-points.
    CalculationError
        If an element has no pseudopotential or no basis.
    SettingsError
        If the functional is no local or generalised-gradient one.
    """
    require_pyscf()
    from pyscf.pbc import gto

    check_functional(settings.functional)
    check_structure(structure)
    numbers, positions, vectors, pbc = as_arrays(structure)
    if vectors is None or not all(pbc):
        raise StructureError(
            f"{structure.formula} is not periodic in three directions; these settings treat "
            "crystals: use PyscfCode for molecules"
        )
    symbols = [Element.from_Z(int(z)).symbol for z in numbers]
    _check_elements(set(symbols), settings)
    charge = total_charge(structure)
    cell = gto.Cell(
        a=vectors,
        atom=list(zip(symbols, positions.tolist(), strict=True)),
        unit="Angstrom",
        basis=settings.basis,
        pseudo=settings.pseudopotential,
        charge=charge,
        spin=None,
        ke_cutoff=settings.ke_cutoff_ha,
        precision=_PRECISION,
        verbose=0,
    )
    cell.build(dump_input=False, parse_arg=False)
    n_electrons = float(cell.atom_charges().sum() - charge)
    _check_electrons(structure.formula, n_electrons, settings)
    crystal = Crystal(structure.formula, numbers, positions, vectors, charge, n_electrons)
    return PyscfCrystal(crystal, cell)


def _check_electrons(formula: str, n_electrons: float, settings: PyscfCrystalSettings) -> None:
    fixed = settings.smearing == "none"
    if n_electrons < 1 or (fixed and n_electrons % 2):
        raise StructureError(
            f"{formula} has {n_electrons:g} valence electrons; expected a positive, even number "
            "where occupations are fixed: correct the charge or set a smearing"
        )
    n_points = math.prod(settings.kpoints)
    if n_electrons * n_points % 2:
        # PySCF rounds the sum over the k-points up to whole pairs.
        raise StructureError(
            f"{formula} has {n_electrons:g} valence electrons, an odd number, and there are "
            f"{n_points} k-points; take an even number of k-points"
        )


def check_functional(name: str) -> None:
    """Refuse functionals that need more than the density and its gradient.

    Raises
    ------
    SettingsError
        If it is a hybrid, meta or non-local one, or unknown.
    """
    from pyscf.dft import libxc

    try:
        simple = libxc.xc_type(name) in {"LDA", "GGA"}
        simple = simple and not libxc.is_hybrid_xc(name) and not libxc.is_nlc(name)
    except (KeyError, ValueError) as error:
        raise SettingsError(f"PySCF has no functional {name!r}") from error
    if not simple:
        raise SettingsError(
            f"functional {name!r} is no local or generalised-gradient one; crystals are computed "
            "with such as PBE only"
        )


def _check_elements(symbols: set[str], settings: PyscfCrystalSettings) -> None:
    from pyscf.gto.basis import load, load_pseudo

    for symbol in sorted(symbols):
        for name, loader in (("basis", load), ("pseudopotential", load_pseudo)):
            value = getattr(settings, name)
            try:
                loader(value, symbol)
            except (RuntimeError, KeyError, ValueError, OSError) as error:
                raise CalculationError(
                    f"PySCF has no {name} {value!r} for the element {symbol}; leave the structure "
                    f"out or choose another {name} (gth-dzvp-molopt-sr and gth-pbe reach furthest)"
                ) from error
