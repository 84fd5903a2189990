from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Molecule, Structure

from scdp_flows.jobs.duplicates import find_duplicates
from scdp_flows.kind import DensityKind
from scdp_flows.stores.factory import Stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def stores(store_path: str) -> Iterator[Stores]:
    """Give open, empty stores."""
    with open_stores(store_path) as opened:
        yield opened


def _shifted(molecule: Molecule, step: float) -> Molecule:
    moved = molecule.copy()
    moved.translate_sites([1], [step, 0.0, 0.0])
    return moved


@pytest.mark.parametrize(("step", "n_found"), [(0.001, 1), (0.1, 0)])
def test_molecules_alike_within_the_tolerance(
    stores: Stores, put_density: Callable[..., Any], water: Molecule, step: float, n_found: int
) -> None:
    turned = water.copy()
    turned.rotate_sites(theta=1.0, axis=[0, 1, 1])
    docs = [put_density(stores, m) for m in (water, _shifted(turned, step))]
    found = find_duplicates(docs)
    assert len(found) == n_found
    for same in found:
        assert same == (docs[0].density_id, [docs[1].density_id], "same structure")


def test_crystals_alike_in_another_cell(stores: Stores, put_density: Callable[..., Any]) -> None:
    places = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    salts = [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [c, "Cl"], places)
        for a, c in ((5.64, "Na"), (5.90, "Na"), (5.64, "K"))
    ]
    docs = [put_density(stores, s) for s in [*salts, salts[0].get_primitive_structure()]]
    (same,) = find_duplicates(docs)
    assert same == (docs[0].density_id, [docs[3].density_id], "same structure")


def test_the_same_arrays_are_the_same_density(
    stores: Stores, put_density: Callable[..., Any], water: Molecule
) -> None:
    one = put_density(stores, water)
    two = one.updated(density_id=one.make_id("x", "y"), structure_hash="x", settings_hash="y")
    assert find_duplicates([one, two])[0].why == "same density"


def test_other_kinds_charges_and_lone_atoms_are_told_apart(
    stores: Stores, put_density: Callable[..., Any], water: Molecule
) -> None:
    other = DensityKind("valence", "gth-pbe", "PBE0", "gth-dzvp")
    docs = [put_density(stores, water), put_density(stores, water, kind=other, level=1.1)]
    docs.append(put_density(stores, water, charge=1, level=1.2))
    docs += [put_density(stores, Molecule([name], np.zeros((1, 3)))) for name in ("He", "Ne")]
    assert find_duplicates(docs) == []
    again = put_density(stores, Molecule(["He"], np.ones((1, 3))), level=2.0)
    assert find_duplicates([*docs, again])[0].others == [again.density_id]


def test_many_of_a_kind_make_one_set(
    stores: Stores, put_density: Callable[..., Any], water: Molecule
) -> None:
    docs = [put_density(stores, _shifted(water, 0.004 * n)) for n in range(4)]
    (same,) = find_duplicates(docs)
    assert same.others == [doc.density_id for doc in docs[1:]]
