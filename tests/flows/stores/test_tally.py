from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymatgen.core import Lattice, Structure

from scdp_flows.stores.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Molecule

    from scdp_flows.stores.factory import Stores


def test_nothing_is_counted_without_densities() -> None:
    doc = Tally().document("empty")
    assert (doc.n_densities, doc.elements, doc.n_atoms) == (0, {}, None)


def test_what_is_there_is_counted(
    stores: Stores, put_density: Callable[..., Any], molecules: list[Molecule]
) -> None:
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]
    )
    tally = Tally()
    tally.add(put_density(stores, molecules[2], tags=["wet"]), "train")
    tally.add(put_density(stores, molecules[2], level=2.0, charge=1, n_electrons=8.0), "test")
    tally.add(put_density(stores, salt))
    doc = tally.document("three")
    assert (doc.n_densities, doc.n_structures, doc.periodic, doc.charged) == (3, 2, 1, 1)
    assert doc.elements["H"].model_dump() == {"structures": 2, "atoms": 4}
    assert doc.parts == {"train": 1, "test": 1}
    assert doc.tags == {"wet": 1}
    assert doc.n_atoms is not None
    assert (doc.n_atoms.smallest, doc.n_atoms.largest) == (3, 8)
    assert doc.n_electrons is not None
    assert doc.n_electrons.counts[0] == 1
    assert doc.n_electrons.largest == pytest.approx(8.0, rel=1e-5)
    assert doc.spacing is not None
    assert doc.spacing.largest == pytest.approx(2.0)
