"""The checks of predictors notice broken promises."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.core import Lattice, Molecule, Structure

from scdp_flows.errors import ModelError, SettingsError, StructureError
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.base import (
    as_predictors,
    check_predictable,
    electronic_state,
    validate_predictor,
)

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.density.orbital import OrbitalDensity


@dataclass(frozen=True)
class _Broken(AtomicPredictor):
    """Loses electrons, or adds one at a fixed place."""

    factor: float = 1.0
    fixed: bool = False

    def predict(self, structure: AtomicStructure) -> OrbitalDensity:
        density = super().predict(structure).scaled(self.factor)
        if self.fixed:
            spot = density.positions - density.positions + np.array([1.0, 0.0, 0.0])
            density = density + replace(density, positions=spot)
        return density


def test_missing_electrons_are_noticed(tiny_checkpoint: Path, water: Molecule) -> None:
    broken = _Broken(model=str(tiny_checkpoint), factor=0.99)
    with pytest.raises(ModelError, match=r"7\.92.* expected 8"):
        validate_predictor(broken, water, n_electrons=8)


def test_a_density_that_stays_where_it_is_is_noticed(
    tiny_checkpoint: Path, water: Molecule
) -> None:
    broken = _Broken(model=str(tiny_checkpoint), fixed=True)
    with pytest.raises(ModelError, match="does not move"):
        validate_predictor(broken, water, n_electrons=16)


def test_a_crystal_with_an_odd_number_of_electrons_per_cell_is_predictable() -> None:
    check_predictable(Structure(Lattice.cubic(4.0), ["Al"], [[0, 0, 0]]))


def test_a_triplet_is_refused() -> None:
    oxygen = Molecule(["O", "O"], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.2]], spin_multiplicity=3)
    with pytest.raises(StructureError, match="multiplicity 3"):
        check_predictable(oxygen)


def test_open_shells_and_ions_pass_where_they_are_known() -> None:
    oxygen = Molecule(["O", "O"], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.2]], 1, 4)
    check_predictable(oxygen, charged=True, open_shells=True)
    assert electronic_state(oxygen) == (1, 3)
    with pytest.raises(StructureError, match=r"odd|even"):
        check_predictable(oxygen, charged=True)
    assert electronic_state(Structure(Lattice.cubic(4.0), ["Al"], [[0, 0, 0]])) == (0, 0)


def test_one_predictor_or_several_of_different_names() -> None:
    one, other = AtomicPredictor(), AtomicPredictor(name="other")
    assert as_predictors(one) == [one]
    assert as_predictors(iter([one, other])) == [one, other]
    with pytest.raises(SettingsError, match="a name of its own"):
        as_predictors([one, one])
