"""Say which structures belong together, so that a split does not take them apart."""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from scdp_flows.io.structures import structure_from_arrays
from scdp_flows.schemas.identity import symbols

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from scdp_flows.schemas.density import DensityDoc

__all__ = ["Grouping", "connectivity_label", "group_of", "prototype_label"]

Grouping = Literal["structure", "composition", "prototype"]
"""What stays together: one structure, all of one composition, or all of one prototype: for crystals
space group, Wyckoff positions and stoichiometry without names of elements; for molecules
composition and connectivity, that is one constitutional isomer with all its conformers."""

# Bonds are shorter than the sum of the covalent radii times this.
_BOND_FACTOR = 1.25
# Rounds of refinement; two isomers that differ only farther away count as one.
_N_ROUNDS = 6
_SYMMETRY_TOLERANCE = 0.01


def group_of(doc: DensityDoc, by: Grouping) -> str:
    """Return the label of the group that a density belongs to.

    Parameters
    ----------
    doc
        The density.
    by
        What stays together.

    Returns
    -------
    str
        The structure hash, a formula, or the label of the prototype.
    """
    if by == "structure":
        return doc.structure_hash
    if by == "composition":
        return _reduced_formula(doc) if any(doc.pbc) else doc.formula
    return prototype_label(doc) if any(doc.pbc) else connectivity_label(doc)


def _reduced_formula(doc: DensityDoc) -> str:
    from pymatgen.core import Composition

    return str(Composition(doc.formula).reduced_formula)


def prototype_label(doc: DensityDoc) -> str:
    """Return space group, Wyckoff positions and anonymous stoichiometry of a crystal.

    The same in every cell of a crystal; symmetry is sought with spglib within 0.01 Å. Where spglib
    finds none, the composition stands in.

    Examples
    --------
    Rock salt of any two elements is ``AB_225_ab``.
    """
    from pymatgen.core import Composition
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

    numbers, positions = np.asarray(doc.numbers), np.asarray(doc.positions)
    structure = cast(
        "Structure", structure_from_arrays(numbers, positions, np.asarray(doc.cell), (True,) * 3)
    )
    formula = Composition(doc.formula).anonymized_formula
    try:
        with warnings.catch_warnings():
            # spglib asks its callers, here pymatgen, to handle errors in a new way.
            warnings.simplefilter("ignore", DeprecationWarning)
            analyzer = SpacegroupAnalyzer(structure, symprec=_SYMMETRY_TOLERANCE)
            found = analyzer.get_symmetry_dataset()
    except SymmetryUndeterminedError:
        return f"{formula}_{_reduced_formula(doc)}"
    representatives = np.unique(found.equivalent_atoms)
    letters = "".join(sorted(str(found.wyckoffs[index]) for index in representatives))
    return f"{formula}_{found.number}_{letters}"


def connectivity_label(doc: DensityDoc) -> str:
    """Return composition and a hash of the bonds of a molecule.

    Each atom begins as its element and is told the labels of its neighbours several times over
    (Weisfeiler and Leman, 1968); the sorted labels at the end are hashed. Bonds are distances below
    1.25 times the sum of covalent radii.
    """
    named = symbols(doc.numbers)
    bonds = _bonds(named, np.asarray(doc.positions, dtype=float))
    labels = list(named)
    for _ in range(_N_ROUNDS):
        labels = [
            _short([labels[atom], sorted(labels[other] for other in np.flatnonzero(row))])
            for atom, row in enumerate(bonds)
        ]
    return f"{doc.formula}_{_short(sorted(labels))}"


def _bonds(named: list[str], positions: NDArray[np.float64]) -> NDArray[np.bool_]:
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius

    radii = np.array([CovalentRadius.radius[name] for name in named])
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    bonded = distances < _BOND_FACTOR * (radii[:, None] + radii[None])
    np.fill_diagonal(bonded, val=False)
    return np.asarray(bonded)


def _short(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
