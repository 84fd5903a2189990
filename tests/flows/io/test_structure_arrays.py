from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Molecule, Structure

from scdp_flows.errors import StructureError
from scdp_flows.io.structure_arrays import (
    as_arrays,
    structure_from_arrays,
    structure_hash,
    total_charge,
)

_WATER = Molecule("OHH", [[0, 0, 0.1173], [0, 0.7572, -0.4692], [0, -0.7572, -0.4692]])
_SILICON = Structure(
    Lattice([[0, 2.73, 2.73], [2.73, 0, 2.73], [2.73, 2.73, 0]]),
    ["Si", "Si"],
    [[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]],
)


def test_the_hash_is_the_same_for_ever() -> None:
    # Stores look finished calculations up by it: a change of these values orphans them.
    assert structure_hash(_WATER)[:16] == "48dc116fb2524e12"
    assert structure_hash(_SILICON)[:16] == "01330f6bf8c7cf33"


def test_the_hash_ignores_noise_and_properties() -> None:
    noisy = _WATER.copy()
    noisy.translate_sites(vector=[1e-9, -1e-9, 0.0])
    noisy.properties["id"] = 5
    assert structure_hash(noisy) == structure_hash(_WATER)


def test_the_hash_sees_every_difference() -> None:
    numbers, positions, cell, pbc = as_arrays(_SILICON)
    assert cell is not None
    variants = [
        _SILICON,
        structure_from_arrays([14, 32], positions, cell, pbc),
        structure_from_arrays(numbers, positions + 1e-4, cell, pbc),
        structure_from_arrays(numbers, positions, cell * 1.001, pbc),
        structure_from_arrays(numbers, positions, cell, (True, True, False)),
        structure_from_arrays(numbers, positions, cell, pbc, charge=2),
        structure_from_arrays(numbers, positions),
        structure_from_arrays(numbers, positions, charge=2),
        structure_from_arrays(numbers, positions, spin_multiplicity=3),
        structure_from_arrays(numbers[::-1], positions[::-1]),
    ]
    assert len({structure_hash(variant) for variant in variants}) == len(variants)


@pytest.mark.parametrize("structure", [_WATER, _SILICON])
def test_arrays_rebuild_the_structure(structure: Molecule | Structure) -> None:
    numbers, positions, cell, pbc = as_arrays(structure)
    assert np.issubdtype(numbers.dtype, np.int64)
    rebuilt = structure_from_arrays(numbers, positions, cell, pbc)
    assert type(rebuilt) is type(structure)
    assert structure_hash(rebuilt) == structure_hash(structure)


def test_impossible_arrays_are_refused() -> None:
    with pytest.raises(StructureError, match="without a cell"):
        structure_from_arrays([1], [[0, 0, 0]], pbc=(True, True, True))
    with pytest.raises(StructureError, match=r"shape \(1, 3\) for 2 atoms"):
        structure_from_arrays([1, 1], [[0, 0, 0]])


def test_charges_are_whole_and_read_without_warnings() -> None:
    lattice, places = Lattice.cubic(3.0), [[0.0, 0.0, 0.0]]
    assert total_charge(Structure(lattice, ["H"], places, charge=1)) == 1
    assert total_charge(Structure(lattice, ["Na+"], places)) == 1
    with pytest.raises(StructureError, match=r"charge 0\.5 of H1"):
        total_charge(Structure(lattice, ["H"], places, charge=0.5))
