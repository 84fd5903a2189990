from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from pymatgen.core import Lattice, Molecule, Structure

from scdp_flows.jobs.groups import Grouping, connectivity_label, group_of, prototype_label
from scdp_flows.stores.factory import Stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def stores(store_path: str) -> Iterator[Stores]:
    """Give open, empty stores."""
    with open_stores(store_path) as opened:
        yield opened


def _salt(cation: str, anion: str, length: float) -> Structure:
    places = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(length), [cation, anion], places)


def test_one_prototype_in_every_cell_and_of_any_elements(
    stores: Stores, put_density: Callable[..., Any]
) -> None:
    salt = _salt("Na", "Cl", 5.64)
    cells = [salt, salt.get_primitive_structure(), _salt("Mg", "O", 4.21), salt * [2, 1, 1]]
    labels = {prototype_label(put_density(stores, cell)) for cell in cells}
    assert labels == {"AB_225_ab"}
    caesium = Structure(Lattice.cubic(4.1), ["Cs", "Cl"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    assert prototype_label(put_density(stores, caesium)) == "AB_221_ab"


def test_conformers_belong_together_and_isomers_do_not(
    stores: Stores, put_density: Callable[..., Any], water: Molecule, rng: np.random.Generator
) -> None:
    bent = water.copy()
    bent.perturb(0.05)
    shuffled = Molecule.from_sites([water[i] for i in (2, 0, 1)])
    labels = {connectivity_label(put_density(stores, m)) for m in (water, bent, shuffled)}
    assert len(labels) == 1
    # HCN and HNC: the same formula, other neighbours.
    chain = np.array([[0.0, 0, 0], [1.07, 0, 0], [2.22, 0, 0]])
    isomers = [Molecule([*names], chain) for names in ("HCN", "HNC")]
    assert len({connectivity_label(put_density(stores, m)) for m in isomers}) == 2


@pytest.mark.parametrize("by", get_args(Grouping))
def test_groups_of_molecules_and_crystals(
    stores: Stores, put_density: Callable[..., Any], water: Molecule, by: Grouping
) -> None:
    salt = put_density(stores, _salt("Na", "Cl", 5.64))
    molecule = put_density(stores, water)
    expected = {
        "structure": (salt.structure_hash, molecule.structure_hash),
        "composition": ("NaCl", "H2O"),
        "prototype": ("AB_225_ab", connectivity_label(molecule)),
    }
    assert (group_of(salt, by), group_of(molecule, by)) == expected[by]
